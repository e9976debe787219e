//! The stores that the workloads write to: a ledger in three generations, as an app has them over the years.
//!
//! A booking says who booked, counts from 1 for each of them, and says which is the last one of its commit. So a store's rows alone tell
//! whether something is missing, or half of a commit is there.

use crate::settings::{self, Settings};
use larder::{
    CommitErrorKind, HasDocument, Loss, QueryError, StoreDefinition, StoreHandle, StoreId, StoredEvent, SyncStatus,
    VerifyReport, prelude::*,
};

/// What is booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booking {
    /// Who books.
    pub writer: i64,
    /// Counts from 1 for each writer.
    pub counter: i64,
    /// The counter of the last booking of the same commit.
    pub last: i64,
    /// How much.
    pub amount: i64,
    /// How long its text is, in bytes.
    pub length: usize,
}

/// A booking as the tables have it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Booked {
    /// The number of its event.
    pub place: i64,
    /// Who booked.
    pub writer: i64,
    /// Counts from 1 for each writer.
    pub counter: i64,
    /// The counter of the last booking of the same commit.
    pub last: i64,
    /// How much.
    pub amount: i64,
}

/// A writer's sum as the tables have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// Who booked.
    pub writer: i64,
    /// How many bookings.
    pub bookings: i64,
    /// The sum of their amounts.
    pub amount: i64,
}

/// Why a commit failed, without its events.
#[derive(Debug)]
pub struct Refused {
    /// The kind's name.
    pub kind: &'static str,
    /// The message.
    pub message: String,
}

/// An open ledger, whatever its generation.
pub trait Ledger: Send + Sync {
    /// Commits bookings, all in one commit.
    ///
    /// # Errors
    /// When nothing was committed.
    fn commit(&self, bookings: &[Booking]) -> Result<(), Refused>;

    /// Changes the settings to what they are after so many changes.
    ///
    /// # Errors
    /// When nothing was committed.
    fn set(&self, counter: i64) -> Result<(), Refused>;

    /// The settings.
    ///
    /// # Errors
    /// When the query fails.
    fn settings(&self) -> Result<Settings, QueryError>;

    /// All bookings in the order of their events, and all sums.
    ///
    /// # Errors
    /// When the query fails.
    fn state(&self) -> Result<(Vec<Booked>, Vec<Sum>), QueryError>;

    /// What the load said of lost commits.
    fn lost(&self) -> Option<Loss>;

    /// [`Store::verify`].
    ///
    /// # Errors
    /// When a query fails.
    fn verify(&self) -> Result<VerifyReport, QueryError>;

    /// [`Store::sync_status`].
    fn sync_status(&self) -> SyncStatus;

    /// How many synced events are quarantined.
    ///
    /// # Errors
    /// When they cannot be read.
    fn quarantined(&self) -> Result<usize, QueryError>;

    /// [`Store::backup`].
    ///
    /// # Errors
    /// When it cannot be made.
    fn backup(&self, path: &std::path::Path) -> Result<(), QueryError>;
}

/// A definition of a ledger.
pub trait LedgerDefinition: StoreDefinition<Id = StoreId> {
    /// The event of a booking.
    fn booked(booking: &Booking) -> <Self::Schema as StoreSchema>::Event;

    /// The row that an event makes, if it is a booking.
    fn row(event: &StoredEvent) -> Option<Booked>;

    /// What [`Ledger::state`] answers.
    ///
    /// # Errors
    /// When the query fails.
    fn state(store: &Store<Self>) -> Result<(Vec<Booked>, Vec<Sum>), QueryError>
    where
        Self: Sized;
}

impl<D: LedgerDefinition> Ledger for StoreHandle<D>
where
    D::Schema: HasDocument<Settings>,
{
    fn commit(&self, bookings: &[Booking]) -> Result<(), Refused> {
        let events: Vec<_> = bookings.iter().map(D::booked).collect();
        Store::commit(self, events)
            .map(drop)
            .map_err(|error| Refused { kind: kind_of(error.kind()), message: error.to_string() })
    }

    fn set(&self, counter: i64) -> Result<(), Refused> {
        Store::update_document(self, settings::ID, |settings: &mut Settings| *settings = Settings::after(counter))
            .map(drop)
            .map_err(|error| Refused { kind: kind_of(error.kind()), message: error.to_string() })
    }

    fn settings(&self) -> Result<Settings, QueryError> {
        Store::query(self, Settings::get(settings::ID))
    }

    fn state(&self) -> Result<(Vec<Booked>, Vec<Sum>), QueryError> {
        D::state(self)
    }

    fn lost(&self) -> Option<Loss> {
        self.migrations_report().lost.as_ref().map(|lost| lost.loss)
    }

    fn verify(&self) -> Result<VerifyReport, QueryError> {
        Store::verify(self)
    }

    fn sync_status(&self) -> SyncStatus {
        Store::sync_status(self)
    }

    fn quarantined(&self) -> Result<usize, QueryError> {
        let all = Store::quarantined_events(self)?;
        Ok(all.iter().filter(|quarantined| !quarantined.event.number.is_client_only()).count())
    }

    fn backup(&self, path: &std::path::Path) -> Result<(), QueryError> {
        Store::backup(self, path)
    }
}

fn kind_of(kind: &CommitErrorKind) -> &'static str {
    match kind {
        CommitErrorKind::DiskFull { .. } => "DiskFull",
        CommitErrorKind::Storage { .. } => "Storage",
        CommitErrorKind::Store(larder::StoreError::Poisoned { .. }) => "Poisoned",
        CommitErrorKind::Store(larder::StoreError::Stopped { .. }) => "Stopped",
        CommitErrorKind::Store(_) => "Store",
        CommitErrorKind::Materialize { .. } => "Materialize",
        _ => "Other",
    }
}

/// One generation: its tables, its event, and how the one fills the others.
macro_rules! generation {
    ($(#[$doc:meta])* $module:ident, $wire:literal $(, from $old:literal = $upgrade:ident)?, memo: $memo:ident, version: $version:literal) => {
        $(#[$doc])*
        pub mod $module {
            use larder::{QueryError, StoredEvent, prelude::*};

            use crate::settings::Settings;

            /// A booking's row.
            #[derive(Table, Clone, Debug)]
            #[table(name = "bookings")]
            pub struct BookingRow {
                #[table(primary_key)]
                writer: i64,
                #[table(primary_key)]
                counter: i64,
                place: i64,
                last: i64,
                amount: i64,
                $memo: String,
            }

            /// A writer's sum.
            #[derive(Table, Clone, Debug)]
            #[table(name = "sums")]
            pub struct SumRow {
                #[table(primary_key)]
                writer: i64,
                bookings: i64,
                amount: i64,
            }

            /// What happens.
            #[derive(Event, Clone, Debug)]
            pub enum LedgerEvent {
                /// An amount was booked.
                #[event(name = $wire $(, from($old = $upgrade))?)]
                Booked {
                    /// Who books.
                    writer: i64,
                    /// Counts from 1 for each writer.
                    counter: i64,
                    /// The counter of the last booking of the same commit.
                    last: i64,
                    /// How much.
                    amount: i64,
                    /// Any text.
                    $memo: String,
                },
            }

            $(
                fn $upgrade(old: super::OldBooked) -> Result<LedgerEvent, String> {
                    let super::OldBooked { writer, counter, last, amount, note } = old;
                    Ok(LedgerEvent::Booked { writer, counter, last, amount, $memo: note })
                }
            )?

            /// The schema.
            #[derive(StoreSchema)]
            #[schema(events = LedgerEvent, tables(BookingRow, SumRow), documents(Settings), version = $version)]
            pub struct LedgerSchema;

            #[larder::materializer]
            impl Materializer for LedgerSchema {
                fn materialize(event: &LedgerEvent, about: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
                    let LedgerEvent::Booked { writer, counter, last, amount, $memo } = event;
                    let place = i64::try_from(about.number().global()).unwrap_or(i64::MAX);
                    let (writer, counter, last, amount) = (*writer, *counter, *last, *amount);
                    tables.insert(BookingRow { writer, counter, place, last, amount, $memo: $memo.clone() })?;
                    let (bookings, sum) = tables.query(SumRow::by_key(writer))?.map_or((0, 0), |row| (row.bookings, row.amount));
                    tables.upsert(SumRow { writer, bookings: bookings + 1, amount: sum + amount })
                }
            }

            larder::define_store! {
                /// A ledger.
                pub Ledger {
                    name: "ledger",
                    schema: LedgerSchema,
                    adapter: SqliteAdapter::persisted(),
                    gc_time: GcTime::NEVER,
                }
            }

            impl super::LedgerDefinition for Ledger {
                fn booked(booking: &super::Booking) -> LedgerEvent {
                    let super::Booking { writer, counter, last, amount, length } = *booking;
                    LedgerEvent::Booked { writer, counter, last, amount, $memo: "x".repeat(length) }
                }

                fn row(event: &StoredEvent) -> Option<super::Booked> {
                    let LedgerEvent::Booked { writer, counter, last, amount, .. } = event.decode().ok()??;
                    let place = i64::try_from(event.number.global()).ok()?;
                    Some(super::Booked { place, writer, counter, last, amount })
                }

                fn state(store: &Store<Self>) -> Result<(Vec<super::Booked>, Vec<super::Sum>), QueryError> {
                    let (rows, sums) = store.query((BookingRow::all().order_by(BookingRow::PLACE.asc()), SumRow::all()))?;
                    let booked = |BookingRow { writer, counter, place, last, amount, .. }| {
                        super::Booked { place, writer, counter, last, amount }
                    };
                    let sum = |SumRow { writer, bookings, amount }| super::Sum { writer, bookings, amount };
                    Ok((rows.into_iter().map(booked).collect(), sums.into_iter().map(sum).collect()))
                }
            }
        }
    };
}

/// The payload that the third generation upgrades.
#[derive(serde::Deserialize)]
pub struct OldBooked {
    writer: i64,
    counter: i64,
    last: i64,
    amount: i64,
    note: String,
}

generation!(
    /// The first release.
    first, "v1.Booked", memo: note, version: 1
);
generation!(
    /// The same events in other tables.
    second, "v1.Booked", memo: note, version: 2
);
generation!(
    /// Another event, which the old ones are upgraded to.
    third, "v2.Booked", from "v1.Booked" = upgrade, memo: memo, version: 3
);
