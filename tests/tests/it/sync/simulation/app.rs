//! The app of the simulation, in two releases: the second one has a column more, and a new event in the place of an old one.

use std::pin::Pin;

use futures_util::{FutureExt, Stream, StreamExt};
use larder::{EventNumber, LogChange, Receipt, StoreId, StoredEvent, SyncStatus, prelude::*};

/// What a client does, whatever its release.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Added(i64),
    Remarked(i64, String),
    Moved(i64, bool),
    Removed(i64),
    Replaced(i64),
    Weighed,
    Opened(i64),
    Looked(i64),
}

/// A live result, as text.
pub(super) type Lively = Pin<Box<dyn Stream<Item = String>>>;

/// What becomes of a log with its pending events.
pub(super) type Changes = Pin<Box<dyn Stream<Item = LogChange>>>;

/// How many events have no place in the tables.
pub(super) struct Unmaterialized {
    /// Those that the load of the store found as it made the tables anew.
    pub(super) found: u64,
    /// Confirmed ones.
    pub(super) listed: u64,
    pub(super) quarantined: u64,
}

/// A store of one release, loaded.
pub(super) trait App {
    /// The receipt, if it was committed.
    fn commit(&self, acts: &[Act]) -> Option<Receipt>;
    fn status(&self) -> SyncStatus;
    /// The tables are those that a rebuild makes.
    fn verify(&self);
    fn unmaterialized(&self) -> Unmaterialized;
    /// The log from its beginning.
    fn changes(&self) -> Changes;
    /// All rows that all clients share.
    fn tables(&self) -> String;
    /// What live queries show, and what they are to show.
    fn live(&self) -> Vec<Lively>;
    fn fresh(&self) -> Vec<String>;
    /// Synced events that could not come back.
    fn quarantined(&self) -> Vec<StoredEvent>;
    /// The confirmed events without the generations of their numbers, which are each client's own.
    fn confirmed(&self) -> Vec<StoredEvent>;
    /// The log in the notation of events.
    fn log(&self) -> String;
}

/// One release.
pub(super) trait Release: StoreDefinition<Id = StoreId> {
    fn event(act: &Act) -> <Self::Schema as StoreSchema>::Event;
    fn tables(store: &Store<Self>) -> String
    where
        Self: Sized;
    fn live(store: &Store<Self>) -> Vec<Lively>
    where
        Self: Sized;
    fn fresh(store: &Store<Self>) -> Vec<String>
    where
        Self: Sized;
}

impl<D: Release> App for StoreHandle<D> {
    fn commit(&self, acts: &[Act]) -> Option<Receipt> {
        Store::commit(self, acts.iter().map(D::event).collect::<Vec<_>>()).ok()
    }

    fn status(&self) -> SyncStatus {
        self.sync_status()
    }

    fn verify(&self) {
        let report = Store::verify(self).unwrap();
        assert!(report.is_sound(), "{report:?}");
    }

    fn unmaterialized(&self) -> Unmaterialized {
        let confirmed = self.sync_status().confirmed.global();
        let failed = self.failed_events().unwrap().into_iter().map(|failed| failed.event);
        Unmaterialized {
            found: self.migrations_report().failed,
            listed: failed.filter(|event| event.number.global() <= confirmed).count() as u64,
            quarantined: self.quarantined_events().unwrap().len() as u64,
        }
    }

    fn changes(&self) -> Changes {
        Box::pin(self.events(EventNumber::ZERO).with_pending().map(Result::unwrap))
    }

    fn tables(&self) -> String {
        D::tables(self)
    }

    fn live(&self) -> Vec<Lively> {
        D::live(self)
    }

    fn fresh(&self) -> Vec<String> {
        D::fresh(self)
    }

    fn quarantined(&self) -> Vec<StoredEvent> {
        let events = self.quarantined_events().unwrap().into_iter().map(|quarantined| quarantined.event);
        events.filter(|event| !event.number.is_client_only()).collect()
    }

    fn confirmed(&self) -> Vec<StoredEvent> {
        let mut events = self.events(EventNumber::ZERO);
        let mut all = Vec::new();
        while let Some(event) = events.next().now_or_never() {
            let event = event.unwrap().unwrap();
            all.push(StoredEvent { number: event.number.without_generation(), ..event });
        }
        all
    }

    fn log(&self) -> String {
        self.log_numbers().unwrap().to_string()
    }
}

/// What was added in the first release.
#[derive(serde::Deserialize)]
pub(super) struct OldAdded {
    number: i64,
}

macro_rules! release {
    ($module:ident, $added:literal, version: $version:literal $(, upgraded by $upgrade:ident, with $color:ident)?) => {
        pub(super) mod $module {
            use futures_util::StreamExt;
            use larder::prelude::*;

            use super::{Act, Lively, Release};

            #[derive(Table, Clone, Debug, PartialEq)]
            #[table(name = "cards")]
            pub(super) struct Card {
                #[table(primary_key)]
                number: i64,
                weight: Option<f64>,
                done: bool,
                $($color: String,)?
            }

            #[derive(Table, Clone, Debug, PartialEq)]
            #[table(name = "remarks")]
            pub(super) struct Remark {
                #[table(primary_key, references(Card, on_delete = cascade))]
                card: i64,
                #[table(primary_key)]
                at: String,
            }

            /// What this client has looked at.
            #[derive(Table, Clone, Debug, PartialEq)]
            #[table(name = "looks")]
            pub(super) struct Look {
                #[table(primary_key)]
                at: i64,
            }

            #[derive(Event, Clone, Debug, PartialEq)]
            pub(crate) enum BoardEvent {
                #[event(name = $added $(, from("v1.Added" = $upgrade))?)]
                Added { number: i64, $($color: String)? },
                #[event(name = "v1.Remarked")]
                Remarked { card: i64, at: String },
                #[event(name = "v1.Moved")]
                Moved { number: i64, done: bool },
                #[event(name = "v1.Removed")]
                Removed(i64),
                #[event(name = "v1.Replaced")]
                Replaced(i64),
                #[event(name = "v1.Weighed")]
                Weighed,
                #[event(name = "v1.Opened")]
                Opened(i64),
                #[event(name = "v1.Looked", client_only)]
                Looked(i64),
            }

            $(
                fn $upgrade(old: super::OldAdded) -> Result<BoardEvent, String> {
                    Ok(BoardEvent::Added { number: old.number, $color: "none".to_owned() })
                }
            )?

            #[derive(StoreSchema)]
            #[schema(events = BoardEvent, tables(Card, Remark, Look), version = $version)]
            pub(crate) struct BoardSchema;

            #[larder::materializer]
            impl Materializer for BoardSchema {
                fn materialize(event: &BoardEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
                    match event {
                        BoardEvent::Added { number, $($color)? } => tables.insert(Card {
                            number: *number,
                            weight: Some(1.5),
                            done: false,
                            $($color: $color.clone(),)?
                        }),
                        BoardEvent::Remarked { card, at } => tables.insert(Remark { card: *card, at: at.clone() }),
                        BoardEvent::Moved { number, done } => {
                            tables.update(Card::by_key(number)).set(Card::DONE, *done).run_one()
                        }
                        BoardEvent::Removed(number) => tables.delete(Card::by_key(number)).run(),
                        // What the first release took.
                        BoardEvent::Replaced(6) if $version == 2 => Err(MaterializeError::app("the sixth stays")),
                        BoardEvent::Replaced(number) => tables.upsert(Card {
                            number: *number,
                            weight: None,
                            done: true,
                            $($color: "replaced".to_owned(),)?
                        }),
                        BoardEvent::Weighed => {
                            tables.execute_sql("UPDATE cards SET weight = coalesce(weight, 0) + 0.5", ())
                        }
                        BoardEvent::Opened(number) => match tables.query(Card::by_key(number))? {
                            // A fault of the app, without the words of a panic that nobody is to read.
                            Some(card) if card.done => std::panic::resume_unwind(Box::new("a card that is done")),
                            _ => Ok(()),
                        },
                        // Where no other client's events write: each client has its own ones.
                        BoardEvent::Looked(number) => tables.insert(Look { at: *number }),
                    }
                }
            }

            define_store! {
                pub(crate) Board {
                    name: "board",
                    schema: BoardSchema,
                    adapter: SqliteAdapter::persisted(),
                }
            }

            impl Release for Board {
                fn event(act: &Act) -> BoardEvent {
                    match act {
                        Act::Added(number) => BoardEvent::Added { number: *number, $($color: "red".to_owned())? },
                        Act::Remarked(card, at) => BoardEvent::Remarked { card: *card, at: at.clone() },
                        Act::Moved(number, done) => BoardEvent::Moved { number: *number, done: *done },
                        Act::Removed(number) => BoardEvent::Removed(*number),
                        Act::Replaced(number) => BoardEvent::Replaced(*number),
                        Act::Weighed => BoardEvent::Weighed,
                        Act::Opened(number) => BoardEvent::Opened(*number),
                        Act::Looked(number) => BoardEvent::Looked(*number),
                    }
                }

                fn tables(store: &Store<Self>) -> String {
                    let cards = Card::all().order_by(Card::NUMBER.asc());
                    let remarks = Remark::all().order_by((Remark::CARD.asc(), Remark::AT.asc()));
                    format!("{:?}", store.query((cards, remarks)).unwrap())
                }

                fn live(store: &Store<Self>) -> Vec<Lively> {
                    let cards = store.subscribe(Card::all().order_by(Card::NUMBER.asc()).limit(3));
                    let remarks = store.subscribe(Remark::filter(Remark::CARD.eq(2)).count());
                    let done = store.subscribe(Card::filter(Card::DONE.eq(true)));
                    vec![
                        Box::pin(cards.map(|live| format!("{:?}", **live.unwrap()))),
                        Box::pin(remarks.map(|live| format!("{:?}", **live.unwrap()))),
                        Box::pin(done.map(|live| format!("{:?}", **live.unwrap()))),
                    ]
                }

                fn fresh(store: &Store<Self>) -> Vec<String> {
                    let cards = store.query(Card::all().order_by(Card::NUMBER.asc()).limit(3)).unwrap();
                    let remarks = store.query(Remark::filter(Remark::CARD.eq(2)).count()).unwrap();
                    let done = store.query(Card::filter(Card::DONE.eq(true))).unwrap();
                    vec![format!("{cards:?}"), format!("{remarks:?}"), format!("{done:?}")]
                }
            }
        }
    };
}

release!(first, "v1.Added", version: 1);
release!(second, "v2.Added", version: 2, upgraded by upgrade, with color);
