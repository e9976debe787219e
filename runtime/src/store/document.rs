//! Changing a document: read, changed by the app, and what is another now is committed.

use std::sync::Arc;

use super::{
    Engine, Receipt, Unapplied,
    commit::{CommitWork, Committed, EncodedEvent, run_work},
};
use crate::{
    document::{self, CHANGED, Changes, Document},
    error::{CommitError, CommitErrorKind, QueryErrorKind},
    event::{EventContext, EventEncodeError},
    schema::StoreSchema,
    storage::sqlite::Connection,
    table::TableSchema,
};

struct DocumentWork {
    events: [EncodedEvent; 1],
    documents: Vec<&'static TableSchema>,
}

impl CommitWork for DocumentWork {
    fn events(&self) -> &[EncodedEvent] {
        &self.events
    }

    fn materialize(&self, index: usize, _: &EventContext, connection: &mut Connection) -> Result<(), Unapplied> {
        document::apply(&self.documents, self.events[index].args.as_deref(), connection).map(drop)
    }
}

/// Commits what `change` makes of a document.
pub(super) fn update<S: StoreSchema, V: Document>(
    engine: &Arc<Engine>,
    id: &str,
    change: impl FnOnce(&mut V),
) -> Result<Receipt, CommitError<V>> {
    let read = || engine.query(&V::get(id));
    let (mut after, before) = match (read(), read()) {
        (Ok(after), Ok(before)) => (after, before),
        (Err(error), _) | (_, Err(error)) => {
            let kind = match error.into_kind() {
                QueryErrorKind::Store(error) => CommitErrorKind::Store(error),
                QueryErrorKind::Reentrant => CommitErrorKind::Reentrant {
                    store: engine.store(),
                    inside: "its own materializer, or a `read` of it",
                },
                other => CommitErrorKind::Storage { store: engine.store(), message: other.to_string() },
            };
            return Err(CommitError::new(kind, Vec::new()));
        }
    };
    change(&mut after);
    let encode =
        |source: EventEncodeError| CommitErrorKind::Encode { store: engine.store(), event: CHANGED.name, source };
    let args =
        Changes::between(id, &before, &after).and_then(|changes| changes.map(|changes| changes.text()).transpose());
    match args.map_err(encode) {
        Ok(None) => Ok(Receipt::new(engine, Committed::default())),
        Ok(Some(args)) => commit::<S>(engine, args).map_err(|kind| CommitError::new(*kind, vec![after])),
        Err(kind) => Err(CommitError::new(kind, vec![after])),
    }
}

fn commit<S: StoreSchema>(engine: &Arc<Engine>, args: String) -> Result<Receipt, Box<CommitErrorKind>> {
    let (bytes, limit) = (args.len(), engine.shared.options.limits.max_event_bytes);
    if bytes > limit {
        let (store, event) = (engine.store(), CHANGED.name);
        return Err(Box::new(CommitErrorKind::EventTooLarge { store, event, bytes, limit }));
    }
    let events = [EncodedEvent { info: &CHANGED, args: Some(args) }];
    let committed = run_work(engine, Box::new(DocumentWork { events, documents: S::__documents() }))?;
    Ok(Receipt::new(engine, committed))
}
