//! A projection of all ledgers of the first generation: what must hold of it is that it has what they have, each booking once.

use std::collections::BTreeMap;

use larder::{ProjectionHandle, prelude::*};

use crate::{
    ledger::{
        Booked, Ledger,
        first::{Ledger as FirstLedger, LedgerEvent},
    },
    player::{Failure, Player},
};

/// A booking of any ledger.
#[derive(Table, Clone, Debug)]
#[table(name = "seen")]
pub(crate) struct Seen {
    #[table(primary_key)]
    source: SourceId,
    #[table(primary_key)]
    writer: i64,
    #[table(primary_key)]
    counter: i64,
    place: i64,
    last: i64,
    amount: i64,
}

/// How often one of a ledger's bookings was taken over.
#[derive(Table, Clone, Debug)]
#[table(name = "totals")]
pub(crate) struct Total {
    #[table(primary_key)]
    source: SourceId,
    bookings: i64,
    amount: i64,
}

/// What the projection is made of.
#[derive(StoreSchema)]
#[schema(events = LedgerEvent, tables(Seen, Total), version = 1)]
pub(crate) struct ShelfSchema;

#[larder::materializer]
impl Materializer for ShelfSchema {
    fn materialize(event: &LedgerEvent, about: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        let LedgerEvent::Booked { writer, counter, last, amount, .. } = event;
        let (writer, counter, last, amount) = (*writer, *counter, *last, *amount);
        let place = i64::try_from(about.number().global()).unwrap_or(i64::MAX);
        let source = SourceId::this;
        // Not an insert: what is taken over twice shows in the total.
        tables.upsert(Seen { source: source(), writer, counter, place, last, amount })?;
        let (bookings, sum) =
            tables.query(Total::by_key(source()))?.map_or((0, 0), |total| (total.bookings, total.amount));
        tables.upsert(Total { source: source(), bookings: bookings + 1, amount: sum + amount })
    }
}

define_projection! {
    /// All bookings of all ledgers.
    pub(crate) Shelf {
        name: "shelf",
        source: FirstLedger,
        schema: ShelfSchema,
        adapter: SqliteAdapter::persisted(),
        gc_time: GcTime::NEVER,
    }
}

/// The projection, up to date with its sources.
pub(crate) async fn caught_up(registry: &StoreRegistry) -> Result<ProjectionHandle<Shelf>, Failure> {
    let shelf = registry.projection::<Shelf>().await.map_err(Failure::Load)?;
    shelf.catch_up().await.map_err(Failure::Across)?;
    match shelf.failed().into_iter().next() {
        Some(failed) => Err(Failure::Across(failed.error)),
        None => Ok(shelf),
    }
}

/// It has what these ledgers have, and each booking of them was taken over once.
///
/// # Errors
/// What does not hold.
pub(crate) fn check(player: &mut Player, stores: &[&String]) -> Result<(), String> {
    let registry = player.registry().map_err(|error| error.to_string())?.clone();
    let shelf = player.runtime().block_on(caught_up(&registry)).map_err(|failure| failure.to_string())?;
    let (seen, totals) = shelf.query((Seen::all(), Total::all())).map_err(|error| error.to_string())?;
    let mut by_source = BTreeMap::<Option<StoreId>, Vec<Booked>>::new();
    for Seen { source, writer, counter, place, last, amount } in seen {
        by_source.entry(source.id().cloned()).or_default().push(Booked { place, writer, counter, last, amount });
    }
    let totals: BTreeMap<_, _> =
        totals.into_iter().map(|total| (total.source.id().cloned(), (total.bookings, total.amount))).collect();
    for store in stores {
        let id = store.parse::<StoreId>().ok();
        let ledger: &dyn Ledger = player.store(store).ok_or("it is not open")?;
        let (rows, _) = ledger.state().map_err(|error| error.to_string())?;
        let mut projected = by_source.remove(&id).unwrap_or_default();
        projected.sort_by_key(|row| row.place);
        if projected != rows {
            return Err(format!("{store} has {rows:?}, and the projection {projected:?}"));
        }
        let expected = (rows.len() as i64, rows.iter().map(|row| row.amount).sum());
        let total = totals.get(&id).copied().unwrap_or_default();
        if total != expected {
            return Err(format!("{store} has {expected:?}, and {total:?} were taken over"));
        }
    }
    if by_source.is_empty() { Ok(()) } else { Err(format!("rows of no ledger: {by_source:?}")) }
}
