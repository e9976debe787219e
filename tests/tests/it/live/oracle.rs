//! After every commit of a random workload each live result equals the same query run afresh.

use larder::{Fits, Query, QueryError, Subscription, prelude::*};
use larder_tests::lab::Lab;
use proptest::prelude::*;

use super::polled;
use crate::board::{BoardEvent, BoardStore, Card, Lane, Load, Remark};

/// Numbers of cards: few, so that they meet.
const CARDS: std::ops::Range<i64> = 0..12;

fn event() -> impl Strategy<Value = BoardEvent> {
    let weight = || prop_oneof![Just(None), (-3..4).prop_map(|weight| Some(f64::from(weight) / 2.0))];
    prop_oneof![
        4 => (CARDS, weight()).prop_map(|(number, weight)| BoardEvent::Added { number, weight }),
        2 => (CARDS, any::<bool>()).prop_map(|(number, done)| BoardEvent::Moved { number, done }),
        2 => CARDS.prop_map(BoardEvent::Removed),
        2 => CARDS.prop_map(BoardEvent::Replaced),
        2 => (CARDS, prop::collection::vec("[a-c]", 1..3)).prop_map(|(card, at)| BoardEvent::Remarked { card, at }),
        3 => sql().prop_map(BoardEvent::SqlRun),
    ]
}

/// Statements that change several rows at once, keys included.
fn sql() -> impl Strategy<Value = String> {
    let weight =
        || prop_oneof![Just("NULL".to_owned()), (-3..4).prop_map(|weight| format!("{:.1}", f64::from(weight) / 2.0))];
    prop_oneof![
        (CARDS, weight())
            .prop_map(|(number, weight)| format!("UPDATE cards SET weight = {weight} WHERE number >= {number}")),
        (CARDS, CARDS)
            .prop_map(|(old, new)| format!("UPDATE OR REPLACE cards SET number = {new} WHERE number = {old}")),
        CARDS.prop_map(|number| format!("DELETE FROM cards WHERE number < {number}")),
        CARDS.prop_map(|number| format!(
            "UPDATE cards SET lane = 'Done', pinned = 1 - pinned WHERE number % 3 = {number} % 3"
        )),
        Just("DELETE FROM remarks".to_owned()),
        CARDS.prop_map(|card| format!("REPLACE INTO remarks SELECT number, 'r' FROM cards WHERE number <= {card}")),
        CARDS.prop_map(|number| format!("UPDATE cards SET weight = -0.0 WHERE number = {number} AND weight = 0.0")),
    ]
}

/// One subscription and its query.
trait Watched {
    fn check(&mut self, store: &Store<BoardStore>, polls: bool) -> Result<(), TestCaseError>;
}

struct Pair<Q: Query> {
    query: Q,
    live: Subscription<Q::Output>,
    last: Option<Result<std::sync::Arc<Q::Output>, QueryError>>,
}

impl<Q> Watched for Pair<Q>
where
    Q: Query + Fits<BoardStore> + Clone + Send + Sync + 'static,
    Q::Output: PartialEq + std::fmt::Debug,
{
    fn check(&mut self, store: &Store<BoardStore>, polls: bool) -> Result<(), TestCaseError> {
        if !polls {
            return Ok(());
        }
        if let Some(item) = polled(&mut self.live) {
            if let Ok(live) = &item {
                prop_assert_eq!(live.head(), store.head());
            }
            self.last = Some(item.map(larder::Live::into_inner));
        }
        let fresh = store.query(self.query.clone());
        match (&self.last, &fresh) {
            (Some(Ok(live)), Ok(fresh)) => prop_assert_eq!(&**live, fresh),
            (Some(Err(live)), Err(fresh)) => prop_assert_eq!(live, fresh),
            (live, fresh) => prop_assert!(false, "live {:?}, afresh {:?}", live, fresh),
        }
        Ok(())
    }
}

fn watch<Q>(store: &Store<BoardStore>, query: Q) -> Box<dyn Watched>
where
    Q: Query + Fits<BoardStore> + Clone + Send + Sync + 'static,
    Q::Output: PartialEq + std::fmt::Debug,
{
    Box::new(Pair { live: store.subscribe(query.clone()), query, last: None })
}

fn queries(store: &Store<BoardStore>, number: i64, limit: u64, weight: f64) -> Vec<Box<dyn Watched>> {
    let heavy = || Card::WEIGHT.gt(weight).or(Card::WEIGHT.is_null());
    let lane = || Card::LANE.in_([Lane::Open, Lane::Done]).and(!Card::PINNED.eq(true));
    vec![
        watch(store, Card::by_key(number)),
        watch(store, Card::by_key(number).one()),
        watch(store, Remark::by_key((number, "a"))),
        watch(store, Card::all()),
        watch(store, Card::filter(heavy()).order_by((Card::WEIGHT.desc(), Card::NUMBER.asc())).limit(limit)),
        watch(store, Card::filter(heavy()).order_by(Card::WEIGHT.asc()).limit(limit)),
        watch(store, Card::filter(lane()).order_by(Card::TITLE.desc()).limit(limit).offset(2)),
        watch(store, Card::filter(Card::TITLE.like("card 1%")).limit(limit)),
        watch(store, Card::filter(heavy()).order_by(Card::WEIGHT.desc()).first()),
        watch(store, Card::filter(Card::NUMBER.eq(number).and(lane())).one()),
        watch(store, Card::filter(lane().and(heavy())).count()),
        watch(store, Card::filter(Card::WEIGHT.ne(weight)).exists()),
        watch(store, Card::all().order_by(Card::NUMBER.asc()).limit(limit).count()),
        watch(store, Remark::filter(Remark::CARD.ge(number)).order_by(Remark::AT.desc()).limit(limit)),
        watch(store, BoardStore::load(1)),
        watch(store, BoardStore::title_of(number)),
        watch(store, BoardStore::heaviest()),
        watch(store, BoardStore::total()),
        watch(store, BoardStore::pairs()),
        watch(store, (Card::filter(lane()).limit(limit), Remark::all().count(), BoardStore::total())),
    ]
}

/// Columns, joins in both directions, aggregates and groups.
fn built(store: &Store<BoardStore>, number: i64, limit: u64, weight: f64) -> Vec<Box<dyn Watched>> {
    let heavy = || Card::WEIGHT.gt(weight).or(Card::WEIGHT.is_null());
    let lane = || Card::LANE.in_([Lane::Open, Lane::Done]).and(!Card::PINNED.eq(true));
    let totals = || (count(), Card::WEIGHT.count(), Card::WEIGHT.sum(), Card::NUMBER.max());
    let cards_with_remarks = || Card::filter(lane()).left_join(Remark::CARD);
    let remarks_with_cards = || Remark::all().join(Remark::CARD).filter(heavy());
    vec![
        watch(
            store,
            Card::filter(heavy()).order_by(Card::WEIGHT.desc()).limit(limit).select((Card::TITLE, Card::WEIGHT)),
        ),
        watch(store, Card::filter(lane()).order_by(Card::TITLE.asc()).select(Card::PINNED).first()),
        watch(store, Card::filter(Card::NUMBER.ge(number)).select((Card::LANE, Card::NUMBER)).into_row::<Load>()),
        watch(store, Card::all().join(Remark::CARD).filter(Remark::AT.ne("b"))),
        watch(store, cards_with_remarks()),
        watch(store, cards_with_remarks().filter(Remark::AT.is_null()).select(Card::NUMBER)),
        watch(
            store,
            cards_with_remarks().filter(Remark::AT.ne("a")).order_by(Remark::AT.desc()).limit(limit).offset(1),
        ),
        watch(store, cards_with_remarks().filter(Remark::CARD.gt(number)).select((Remark::AT, Card::WEIGHT)).first()),
        watch(store, cards_with_remarks().group_by(Card::NUMBER).aggregate((Remark::AT.count(), Remark::AT.max()))),
        watch(store, remarks_with_cards().order_by((Card::WEIGHT.desc(), Remark::AT.asc())).limit(limit)),
        watch(store, remarks_with_cards().count()),
        watch(store, Remark::all().left_join(Remark::CARD).filter(!Card::LANE.eq(Lane::Open)).exists()),
        watch(store, remarks_with_cards().select((Card::TITLE, Remark::AT)).one()),
        watch(store, Card::filter(heavy()).aggregate(totals())),
        watch(store, Card::all().order_by(Card::WEIGHT.desc()).offset(1).limit(limit).aggregate(totals())),
        watch(store, Card::filter(lane()).group_by(Card::LANE).aggregate(totals()).order_by(count().desc())),
        watch(store, Card::all().group_by((Card::PINNED, Card::WEIGHT))),
        watch(
            store,
            Card::all()
                .order_by(Card::TITLE.desc())
                .limit(limit + 2)
                .group_by(Card::WEIGHT)
                .aggregate(Card::NUMBER.min())
                .order_by(Card::TITLE.asc())
                .limit(limit)
                .first(),
        ),
        watch(store, (remarks_with_cards().group_by(Remark::AT).aggregate(Card::WEIGHT.avg()), Card::all().count())),
    ]
}

fn workload(
    store: &Store<BoardStore>,
    commits: Vec<(Vec<BoardEvent>, bool)>,
    mut live: Vec<Box<dyn Watched>>,
) -> Result<(), TestCaseError> {
    live.iter_mut().try_for_each(|live| live.check(store, true))?;
    let last = commits.len();
    for (at, (events, polls)) in commits.into_iter().enumerate() {
        // Some are refused: a key that is taken, a card that is not there. Then nothing may be heard.
        let _ = store.commit(events);
        live.iter_mut().try_for_each(|live| live.check(store, polls || at + 1 == last))?;
    }
    Ok(())
}

fn commits() -> impl Strategy<Value = Vec<(Vec<BoardEvent>, bool)>> {
    prop::collection::vec((prop::collection::vec(event(), 1..4), prop::bool::weighted(0.7)), 1..14)
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(5_000))]

    #[test]
    fn live_results_equal_fresh_ones_after_every_commit(
        commits in commits(), number in CARDS, limit in 1_u64..5, weight in -2_i32..2, shapes in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let store = runtime.block_on(crate::board::board());
        let weight = f64::from(weight) / 2.0;
        let live = if shapes { built(&store, number, limit, weight) } else { queries(&store, number, limit, weight) };
        workload(&store, commits, live)?;
    }
}

proptest! {
    #![proptest_config(config(100))]

    #[test]
    fn live_results_equal_fresh_ones_in_files(
        commits in commits(), number in CARDS, limit in 1_u64..5, weight in -2_i32..2, shapes in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut lab = Lab::on_memory_disk();
        let store = runtime.block_on(lab.open::<BoardStore>());
        let weight = f64::from(weight) / 2.0;
        let live = if shapes { built(&store, number, limit, weight) } else { queries(&store, number, limit, weight) };
        workload(&store, commits, live)?;
        runtime.block_on(lab.close());
    }
}
