//! A ledger: the store that the crash tests write to. Its materializer inserts, updates, upserts and deletes, so that a half
//! applied commit cannot go unseen.

use larder::prelude::*;

/// One booking.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "bookings")]
pub struct Booking {
    /// Counts from 1 without gaps.
    #[table(primary_key)]
    pub counter: i64,
    /// Which account.
    pub account: String,
    /// How much.
    pub amount: i64,
    /// Any text.
    pub note: String,
}

/// The sum of an account's bookings.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "balances")]
pub struct Balance {
    /// Which account.
    #[table(primary_key)]
    pub account: String,
    /// The sum.
    pub amount: i64,
    /// How many bookings.
    pub bookings: i64,
}

/// What happens to a ledger.
#[derive(Event, Clone, Debug, PartialEq)]
pub enum LedgerEvent {
    /// An amount was booked.
    #[event(name = "v1.Booked")]
    Booked {
        /// Counts from 1 without gaps.
        counter: i64,
        /// Which account.
        account: String,
        /// How much.
        amount: i64,
        /// Any text.
        note: String,
    },
}

impl LedgerEvent {
    /// A random booking.
    pub fn booked(counter: i64, mix: &mut Mix) -> Self {
        let length = usize::try_from(mix.below(600)).unwrap_or(0);
        Self::Booked {
            counter,
            account: format!("account-{}", mix.below(5)),
            amount: mix.below(2_000) - 1_000,
            note: "x".repeat(length),
        }
    }
}

/// The tables and events of a ledger.
#[derive(StoreSchema)]
#[schema(events = LedgerEvent, tables(Booking, Balance), version = 1)]
pub struct LedgerSchema;

#[larder::materializer]
impl Materializer for LedgerSchema {
    fn materialize(event: &LedgerEvent, _about: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        let LedgerEvent::Booked { counter, account, amount, note } = event;
        tables.insert(Booking { counter: *counter, account: account.clone(), amount: *amount, note: note.clone() })?;
        let before = tables.query(Balance::by_key(account))?;
        let (sum, bookings) = before.map_or((0, 0), |balance| (balance.amount, balance.bookings));
        tables.upsert(Balance { account: account.clone(), amount: sum + amount, bookings: bookings + 1 })?;
        if counter % 7 == 0 {
            tables.update(Booking::filter(Booking::COUNTER.lt(counter - 50))).set(Booking::NOTE, "").run()?;
        }
        Ok(())
    }
}

larder::define_store! {
    /// A ledger.
    pub LedgerStore {
        name: "ledger",
        schema: LedgerSchema,
        adapter: SqliteAdapter::persisted(),

        queries {
            /// The counter of the last booking.
            pub fn last_counter() -> Option<i64> = "SELECT counter FROM bookings ORDER BY counter DESC LIMIT 1";
        }
    }
}

/// A small random generator (SplitMix64, Steele, Lea and Flood 2014): the same seed, the same numbers.
#[derive(Clone, Debug)]
pub struct Mix(u64);

impl Mix {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: i64) -> i64 {
        i64::try_from(self.number() % bound.unsigned_abs()).unwrap_or(0)
    }
}
