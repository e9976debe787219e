//! A store with every kind of column, for tests of queries, materializers and change records.

use larder::{MaterializeError, OpenOptions, prelude::*};

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "cards", index(lane, opened_at))]
pub(crate) struct Card {
    #[table(primary_key)]
    pub(crate) number: i64,
    #[table(unique)]
    pub(crate) title: String,
    pub(crate) lane: Lane,
    pub(crate) weight: Option<f64>,
    pub(crate) opened_at: Timestamp,
    pub(crate) labels: Json<Vec<String>>,
    pub(crate) token: Option<Uuid>,
    pub(crate) picture: Vec<u8>,
    pub(crate) pinned: bool,
    #[table(references(Card))]
    pub(crate) parent: Option<i64>,
}

#[derive(ColumnValue, Clone, Copy, Debug, PartialEq)]
pub(crate) enum Lane {
    Open,
    #[column(name = "in-work")]
    InWork,
    Done,
}

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "remarks")]
pub(crate) struct Remark {
    #[table(primary_key, references(Card, on_delete = cascade))]
    pub(crate) card: i64,
    #[table(primary_key)]
    pub(crate) at: String,
}

#[derive(Row, Clone, Debug, PartialEq)]
pub(crate) struct Load {
    pub(crate) lane: Lane,
    pub(crate) cards: i64,
}

#[derive(Event, Clone, Debug, PartialEq)]
pub(crate) enum BoardEvent {
    #[event(name = "v1.CardAdded")]
    Added { number: i64, weight: Option<f64> },
    #[event(name = "v1.CardsRemarked")]
    Remarked { card: i64, at: Vec<String> },
    #[event(name = "v1.CardMoved")]
    Moved { number: i64, done: bool },
    #[event(name = "v1.CardRemoved")]
    Removed(i64),
    #[event(name = "v1.CardReplaced")]
    Replaced(i64),
    #[event(name = "v1.SqlRun")]
    SqlRun(String),
    #[event(name = "v1.AddedTwice")]
    AddedTwice(i64),
}

#[derive(StoreSchema)]
#[schema(events = BoardEvent, tables(Remark, Card), version = 1)]
pub(crate) struct BoardSchema;

#[larder::materializer]
impl Materializer for BoardSchema {
    fn materialize(event: &BoardEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        match event {
            BoardEvent::Added { number, weight } => tables.insert(Card { weight: *weight, ..card(*number) }),
            BoardEvent::Remarked { card, at } => {
                at.iter().try_for_each(|at| tables.insert(Remark { card: *card, at: at.clone() }))
            }
            BoardEvent::Moved { number, done } => {
                let lane = if *done { Lane::Done } else { Lane::InWork };
                tables.update(Card::by_key(number)).set(Card::LANE, lane).run_one()
            }
            BoardEvent::Removed(number) => tables.delete(Card::by_key(number)).run(),
            BoardEvent::Replaced(number) => tables.upsert(Card { pinned: true, ..card(*number) }),
            BoardEvent::SqlRun(sql) => tables.execute_sql(sql, ()),
            BoardEvent::AddedTwice(number) => {
                tables.insert(card(*number))?;
                match tables.insert(card(*number)) {
                    Err(MaterializeError::Exists { .. }) => Ok(()),
                    other => other,
                }
            }
        }
    }
}

define_store! {
    /// Cards and what is remarked on them.
    pub(crate) BoardStore {
        name: "board",
        schema: BoardSchema,
        adapter: SqliteAdapter::persisted(),

        queries {
            /// Cards per lane.
            pub(crate) fn load(at_least: i64) -> Vec<Load> =
                "SELECT count(*) AS cards, lane FROM cards GROUP BY lane HAVING cards >= :at_least ORDER BY cards DESC, lane";
            /// The title of a card.
            pub(crate) fn title_of(number: i64) -> Option<String> = "SELECT title FROM cards WHERE number = :number";
            /// The heaviest weight.
            pub(crate) fn heaviest() -> Option<f64> = "SELECT max(weight) FROM cards HAVING max(weight) IS NOT NULL";
            /// How many cards.
            pub(crate) fn total() -> i64 = "SELECT count(*) FROM cards";
            /// How many remarks there are on cards.
            pub(crate) fn remarked() -> i64 = "SELECT count(*) FROM remarks JOIN cards ON cards.number = remarks.card";
            /// One row too many or too few.
            pub(crate) fn only() -> Card = "SELECT * FROM cards";
            /// Number and lane.
            pub(crate) fn pairs() -> Vec<(i64, Lane)> = "SELECT number, lane FROM cards ORDER BY number";
        }
    }
}

pub(crate) fn card(number: i64) -> Card {
    Card {
        number,
        title: format!("card {number}\0'\""),
        lane: Lane::Open,
        weight: None,
        opened_at: Timestamp::from_microsecond(1_700_000_000_000_000 + number).expect("a time"),
        labels: Json(vec!["a".to_owned(), format!("{number}")]),
        token: Some(Uuid::from_u128(number.unsigned_abs().into())),
        picture: vec![0, 255],
        pinned: false,
        parent: None,
    }
}

/// A board of one shape of storage, and the folder that it is in.
pub(crate) struct Board {
    store: StoreHandle<BoardStore>,
    _folder: Option<tempfile::TempDir>,
}

impl std::ops::Deref for Board {
    type Target = StoreHandle<BoardStore>;

    fn deref(&self) -> &StoreHandle<BoardStore> {
        &self.store
    }
}

/// An empty board in a file, and one in memory.
pub(crate) async fn boards() -> [Board; 2] {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let on_disk = opened(OpenOptions::data_dir(folder.path())).await;
    [Board { store: on_disk, _folder: Some(folder) }, Board { store: board().await, _folder: None }]
}

/// An empty board in memory.
pub(crate) async fn board() -> StoreHandle<BoardStore> {
    opened(OpenOptions::in_memory()).await
}

async fn opened(options: OpenOptions) -> StoreHandle<BoardStore> {
    Store::<BoardStore>::open("board:1", options).await.expect("it opens")
}

pub(crate) fn added(number: i64) -> BoardEvent {
    BoardEvent::Added { number, weight: None }
}
