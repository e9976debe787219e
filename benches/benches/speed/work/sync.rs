//! What sync costs: a rebase beside applying as many events, and commits of a store that is kept in sync beside those of one that is not.

use std::sync::Arc;

use larder::{
    ClientId, Event, EventId, EventNumber, LocalBackend, Payload, PushRequest, SessionId, StoreOptions, StoredEvent,
    SyncBackend, SyncPhase, prelude::*,
};

use crate::{
    app::{IssueEvent, IssueStore, opened},
    lab::Lab,
    measure::{Outcome, Plan, Took, Watch, compare},
    report::{Bar, Row},
};

/// Pending events, and foreign ones in their place.
const EVENTS: i64 = 1_000;
/// Commits of a turn: more change records than are held in memory, and more than ten pushes.
const COMMITS: i64 = 2_500;

struct Stores {
    lab: Lab,
    backend: Arc<LocalBackend>,
    stores: u32,
}

impl Stores {
    fn new() -> Outcome<Self> {
        Ok(Self { lab: Lab::new()?, backend: LocalBackend::new("local"), stores: 0 })
    }

    /// A new store, in sync or not.
    fn open(&mut self, synced: bool) -> Outcome<StoreHandle<IssueStore>> {
        self.stores += 1;
        let get = self.lab.registry.get::<IssueStore>(format!("workspace:{}", self.stores));
        let backend = Arc::clone(&self.backend) as Arc<dyn SyncBackend>;
        let get = if synced { get.options(StoreOptions::new().sync(backend)) } else { get };
        Ok(self.lab.block_on(get)?)
    }

    /// 1,000 pending events make room for 1,000 foreign ones.
    fn rebase(&mut self) -> Outcome<Took> {
        self.backend.set_connected(false);
        let store = self.open(true)?;
        store.commit((0..EVENTS).map(opened).collect::<Vec<IssueEvent>>())?;
        self.push_foreign(store.id().as_str())?;
        let mut status = store.watch_sync();
        let watch = Watch::start();
        self.backend.set_connected(true);
        self.lab.block_on(async {
            while let Some(now) = status.next().await {
                if now.confirmed.global() >= EVENTS as u64 {
                    break;
                }
            }
        });
        let took = watch.stop(1);
        if store.head().generation() != 1 {
            return Err(format!("there was no rebase, or more than one: {}", store.head()).into());
        }
        Ok(took)
    }

    fn push_foreign(&self, sync_id: &str) -> Outcome<()> {
        let other = self.backend.another();
        let event = |number: i64| -> Outcome<StoredEvent> {
            let event = opened(EVENTS + number);
            Ok(StoredEvent {
                number: EventNumber::synced(number.unsigned_abs()),
                name: IssueEvent::EVENTS[event.index()].name.to_owned(),
                args: event.encode()?,
                client_id: ClientId::from("another"),
                session_id: SessionId::from("session"),
                id: Some(EventId(number.unsigned_abs().into())),
            })
        };
        let events = (1..=EVENTS).map(event).collect::<Outcome<Vec<_>>>()?;
        let payload = Payload::new();
        self.lab.block_on(other.push(PushRequest::new(sync_id, 0, &events, &payload)))?;
        Ok(())
    }

    /// As many events as a rebase undoes, takes over and brings back.
    fn apply(&mut self) -> Outcome<Took> {
        let store = self.open(false)?;
        let commits = (0..3).map(|at| (at * EVENTS..(at + 1) * EVENTS).map(opened).collect::<Vec<IssueEvent>>());
        let commits: Vec<_> = commits.collect();
        Took::of(1, || commits.into_iter().try_for_each(|events| Ok(store.commit(events).map(drop)?)))
    }

    fn commits(&mut self, synced: bool) -> Outcome<Took> {
        let store = self.open(synced)?;
        if synced && self.backend.connected() {
            // What it costs to begin is none of a commit's.
            let mut status = store.watch_sync();
            self.lab.block_on(async {
                while let Some(now) = status.next().await {
                    if now.phase == SyncPhase::Live {
                        break;
                    }
                }
            });
        }
        let events: Vec<IssueEvent> = (0..COMMITS).map(opened).collect();
        Took::of(COMMITS as u32, || events.into_iter().try_for_each(|event| Ok(store.commit(event).map(drop)?)))
    }
}

/// A rebase; commits while the backend is away, and while it is there.
pub(crate) fn rows(plan: Plan) -> Outcome<Vec<Row>> {
    let mut stores = Stores::new()?;
    let rebase = compare(plan, &mut stores, Stores::rebase, Stores::apply)?;
    stores.backend.set_connected(false);
    let offline = compare(plan, &mut stores, |stores| stores.commits(true), |stores| stores.commits(false))?;
    stores.backend.set_connected(true);
    let online = compare(plan, &mut stores, |stores| stores.commits(true), |stores| stores.commits(false))?;
    Ok(vec![
        Row::compared(
            "rebase of 1,000 pending events over 1,000",
            Bar::Ratio(2.0),
            rebase,
            "3 commits of 1,000 events to a store without a backend",
        ),
        Row::compared(
            "commit of one event, the backend away",
            Bar::Ratio(1.2),
            offline,
            "the same to a store without a backend",
        ),
        Row::compared(
            "commit of one event, kept in sync",
            Bar::Ratio(1.2),
            online,
            "the same to a store without a backend; pushes and confirmations run beside it",
        ),
    ])
}
