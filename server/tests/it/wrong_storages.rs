//! The conformance suite for storages finds what is wrong with one, and says what.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt as _;
use larder_server::{
    Append, AppendError, BoxFuture, MemoryStorage, Page, PageSize, Storage, StorageError, conformance,
};
use larder_wire::{PulledEvent, StoreId};

/// One way to be wrong.
#[derive(Clone, Copy, Debug)]
enum Mistake {
    TakesAnyHead,
    SaysAnotherHeadThanItHas,
    KeepsWhatItRefuses,
    TakesHalfABatch,
    MixesUpStores,
    LosesAbsentArguments,
    SkipsAnEvent,
    ReadsTooMany,
    ReadsNothingWhereAnEventIsTooLarge,
    RenamesItselfWithEachAppend,
    TakesAppendsAfterItsEnd,
}

/// A storage in memory that makes one mistake.
struct Wrong {
    inner: MemoryStorage,
    mistake: Mistake,
}

impl Wrong {
    fn store(&self, store: &StoreId) -> StoreId {
        match self.mistake {
            Mistake::MixesUpStores => StoreId::new(&store.to_string().to_lowercase()).expect("an id"),
            _ => store.clone(),
        }
    }

    async fn take(&self, mut append: Append) -> Result<u64, AppendError> {
        append.store = self.store(&append.store);
        let head = self.inner.head(&append.store).await?;
        let fits = append.expected_head == head;
        match self.mistake {
            Mistake::TakesAnyHead => append.expected_head = head,
            Mistake::SaysAnotherHeadThanItHas if !fits => {
                return Err(AppendError::Ahead { head: append.expected_head });
            }
            Mistake::KeepsWhatItRefuses if !fits => {
                let kept = Append { expected_head: head, ..append.clone() };
                self.inner.append(kept).await?;
            }
            Mistake::TakesHalfABatch if append.batch.len() > 1 => append.batch.truncate(append.batch.len() / 2),
            Mistake::LosesAbsentArguments => {
                for pulled in &mut append.batch {
                    let changed = Arc::make_mut(pulled);
                    let null = || serde_json::value::RawValue::from_string("null".to_owned()).expect("JSON");
                    changed.event.args.get_or_insert_with(null);
                }
            }
            _ => {}
        }
        self.inner.append(append).await
    }

    async fn page(&self, store: &StoreId, after: u64, size: PageSize) -> Result<Page, StorageError> {
        let size = match self.mistake {
            Mistake::ReadsTooMany => PageSize { events: size.events.saturating_add(1), ..size },
            _ => size,
        };
        let mut page = self.inner.read(&self.store(store), after, size).await?;
        match self.mistake {
            Mistake::SkipsAnEvent if after > 0 && page.events.len() > 1 => drop(page.events.remove(0)),
            Mistake::ReadsNothingWhereAnEventIsTooLarge => {
                let large = |pulled: &Arc<PulledEvent>| pulled.event.name.len() > size.bytes;
                page.events.retain(|pulled| !large(pulled));
            }
            _ => {}
        }
        Ok(page)
    }
}

impl Storage for Wrong {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<u64, AppendError>> {
        Box::pin(self.take(append))
    }

    fn read<'a>(&'a self, store: &'a StoreId, after: u64, size: PageSize) -> BoxFuture<'a, Result<Page, StorageError>> {
        Box::pin(self.page(store, after, size))
    }

    fn head<'a>(&'a self, store: &'a StoreId) -> BoxFuture<'a, Result<u64, StorageError>> {
        Box::pin(async move { self.inner.head(&self.store(store)).await })
    }

    fn identity<'a>(&'a self, store: &'a StoreId) -> BoxFuture<'a, Result<Arc<str>, StorageError>> {
        Box::pin(async move {
            let name = self.inner.identity(store).await?;
            match self.mistake {
                Mistake::RenamesItselfWithEachAppend => Ok(format!("{name}-{}", self.head(store).await?).into()),
                _ => Ok(name),
            }
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        match self.mistake {
            Mistake::TakesAppendsAfterItsEnd => Box::pin(std::future::ready(())),
            _ => self.inner.close(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_way_to_be_wrong_is_found_and_said() {
    let mistakes: [_; 11] = [
        (Mistake::TakesAnyHead, "an append after e0 to a log with head e3"),
        (Mistake::SaysAnotherHeadThanItHas, "an append after e0 to a log with head e3"),
        (Mistake::KeepsWhatItRefuses, "a log with head e3"),
        (Mistake::TakesHalfABatch, "right: Ok(5)"),
        (Mistake::MixesUpStores, "an append to an empty log"),
        (Mistake::LosesAbsentArguments, "every text, id and moment is what was appended"),
        (Mistake::SkipsAnEvent, "those after a number"),
        (Mistake::ReadsTooMany, "101 events"),
        (Mistake::ReadsNothingWhereAnEventIsTooLarge, "0 events"),
        (Mistake::RenamesItselfWithEachAppend, "an append does not change the identity"),
        (Mistake::TakesAppendsAfterItsEnd, "an append after the end fails"),
    ];
    for (mistake, said) in mistakes {
        let check = conformance::check(|| Arc::new(Wrong { inner: MemoryStorage::new(), mistake }));
        let panic = AssertUnwindSafe(check).catch_unwind().await.expect_err(&format!("{mistake:?} is not found"));
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).expect("a text");
        assert!(text.contains(said), "{mistake:?}: {text}");
    }
}
