//! Live queries of columns, joins, aggregates and groups run again for what they read, and for nothing else.

use larder::{Fits, Query, count};

use super::{news, polled};
use crate::board::{BoardEvent, BoardStore, Card, Lane, Remark, added, board};

/// How often a live query runs, and whether its result differs, after each of these statements.
async fn runs<Q>(query: Q, statements: &[&str]) -> Vec<(u64, bool)>
where
    Q: Query + Fits<BoardStore> + Send + Sync + 'static,
{
    let store = board().await;
    store.commit((1..=4).map(added).collect::<Vec<_>>()).unwrap();
    store.commit(BoardEvent::Remarked { card: 1, at: vec!["a".into(), "b".into()] }).unwrap();
    store.commit(BoardEvent::Remarked { card: 2, at: vec!["a".into()] }).unwrap();
    let mut live = store.subscribe(query);
    drop(news(&mut live));
    let after = |statement: &&str| {
        let before = store.live_stats().runs;
        store.commit(BoardEvent::SqlRun((*statement).to_owned())).unwrap();
        let is_different = polled(&mut live).is_some();
        (store.live_stats().runs - before, is_different)
    };
    statements.iter().map(after).collect()
}

const RETITLE: &str = "UPDATE cards SET title = title || '!' WHERE number = 1";
const PIN: &str = "UPDATE cards SET pinned = 1 - pinned WHERE number = 1";
const FINISH: &str = "UPDATE cards SET lane = 'Done' WHERE number = 1";
const REMARK: &str = "INSERT INTO remarks VALUES (3, 'c')";
const UNREMARK: &str = "DELETE FROM remarks WHERE card = 1";

#[tokio::test]
async fn selected_columns_are_read_and_others_are_not() {
    let titles = Card::filter(Card::LANE.eq(Lane::Open)).select((Card::NUMBER, Card::TITLE));
    assert_eq!(
        runs(titles.clone(), &[PIN, RETITLE, REMARK, FINISH, RETITLE]).await,
        [(0, false), (1, true), (0, false), (1, true), (0, false)]
    );
    // The first rows are kept, and shown without asking SQLite.
    assert_eq!(
        runs(titles.limit(2), &[PIN, RETITLE, FINISH, RETITLE]).await,
        [(0, false), (0, true), (0, true), (0, false)]
    );
}

#[tokio::test]
async fn a_join_reads_the_rows_that_meet_each_table_s_condition() {
    let remarked = Card::filter(Card::LANE.eq(Lane::Open))
        .join(Remark::CARD)
        .filter(Remark::AT.ne("c"))
        .select((Card::TITLE, Remark::AT));
    assert_eq!(
        runs(remarked, &[PIN, RETITLE, REMARK, UNREMARK, FINISH, RETITLE]).await,
        [(0, false), (1, true), (0, false), (1, true), (1, false), (0, false)]
    );
    let whole = Card::all().join(Remark::CARD);
    assert_eq!(runs(whole, &[PIN, REMARK]).await, [(1, true), (1, true)]);
}

#[tokio::test]
async fn a_row_that_a_left_join_s_condition_rules_out_counts_where_its_absence_does() {
    let bare = Card::all().left_join(Remark::CARD).filter(Remark::AT.is_null()).select(Card::NUMBER);
    assert_eq!(runs(bare, &[RETITLE, UNREMARK, REMARK]).await, [(0, false), (1, true), (1, true)]);
    let remarked = Card::all().left_join(Remark::CARD).filter(Remark::AT.eq("b")).select(Card::NUMBER);
    assert_eq!(runs(remarked, &[REMARK, UNREMARK]).await, [(0, false), (1, true)]);
}

#[tokio::test]
async fn aggregates_and_groups_read_their_columns() {
    let lanes = Card::all().group_by(Card::LANE).aggregate(count());
    assert_eq!(runs(lanes, &[RETITLE, PIN, FINISH]).await, [(0, false), (0, false), (1, true)]);
    let greatest = Card::filter(Card::PINNED.eq(false)).aggregate(Card::TITLE.max());
    assert_eq!(runs(greatest, &[FINISH, RETITLE, PIN]).await, [(0, false), (1, false), (1, false)]);
    let of_two = Card::all().order_by(Card::TITLE.desc()).limit(2).aggregate(Card::NUMBER.sum());
    assert_eq!(runs(of_two, &[PIN, RETITLE]).await, [(0, false), (1, false)]);
    let remarks = Card::all().left_join(Remark::CARD).group_by(Card::NUMBER).aggregate(Remark::AT.count());
    assert_eq!(runs(remarks, &[RETITLE, REMARK, UNREMARK]).await, [(0, false), (1, true), (1, true)]);
    let any = Card::all().join(Remark::CARD).exists();
    assert_eq!(runs(any, &[RETITLE, REMARK]).await, [(0, false), (1, false)]);
}
