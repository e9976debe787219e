//! Projections: events of many stores become the rows of one read model.

mod reading;
mod rows;

use std::collections::BTreeMap;

use larder::{MaterializeError, StoreId, prelude::*};
use larder_tests::{
    lab::Lab,
    notebook::{Note, NoteEvent, Notebook},
};

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "listed", index(text))]
pub(crate) struct Listed {
    #[table(primary_key)]
    pub(crate) source: SourceId,
    #[table(primary_key)]
    pub(crate) number: i64,
    pub(crate) text: String,
}

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "books")]
pub(crate) struct Book {
    #[table(primary_key)]
    pub(crate) source: SourceId,
    pub(crate) written: i64,
    pub(crate) looked_at: Option<i64>,
}

#[derive(StoreSchema)]
#[schema(events = NoteEvent, tables(Listed, Book), version = 1)]
pub(crate) struct ShelfSchema;

/// What both versions do.
fn shelve<S>(event: &NoteEvent, tables: &mut Tables<'_, S>) -> MaterializeResult
where
    S: HasTable<Listed> + HasTable<Book>,
{
    let this = SourceId::this;
    match event {
        NoteEvent::Written { number, text } => {
            tables.insert(Listed { source: this(), number: *number, text: text.clone() })?;
            // What it has read before, of this source alone.
            let written = tables.query(Book::by_key(this()))?.map_or(0, |book| book.written);
            tables.upsert(Book { source: this(), written: written + 1, looked_at: None })
        }
        NoteEvent::Erased(number) => tables.delete(Listed::by_key((this(), *number))).run(),
        NoteEvent::AllErased => tables.delete(Listed::all()).run(),
        NoteEvent::LookedAt(number) if *number >= 0 => tables.update(Book::all()).set(Book::LOOKED_AT, *number).run(),
        // Half of it is written, and undone.
        NoteEvent::LookedAt(number) => {
            tables.insert(Listed { source: this(), number: *number, text: "half".to_owned() })?;
            Err(MaterializeError::app("nothing is there"))
        }
        _ => Ok(()),
    }
}

#[larder::materializer]
impl Materializer for ShelfSchema {
    fn materialize(event: &NoteEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        shelve(event, tables)
    }
}

define_projection! {
    /// All notes of all notebooks.
    pub(crate) Shelf {
        name: "shelf",
        source: Notebook,
        schema: ShelfSchema,
        adapter: SqliteAdapter::persisted(),
        gc_time: GcTime::seconds(0),

        queries {
            /// How many notes.
            pub(crate) fn notes() -> i64 = "SELECT count(*) FROM listed";
        }
    }
}

fn id(number: usize) -> StoreId {
    format!("book:{number}").parse().expect("an id")
}

async fn commit(lab: &mut Lab, number: usize, event: NoteEvent) {
    let store = lab.registry().get::<Notebook>(&id(number)).await.expect("it opens");
    store.commit(event).expect("it commits");
}

async fn close(lab: &mut Lab, number: usize) {
    lab.registry().evict::<Notebook>(&id(number)).await.expect("it closes");
}

/// Number and text of each source's rows.
fn rows(listed: &[Listed]) -> Vec<(&str, i64)> {
    listed.iter().map(|row| (row.source.id().expect("a source").as_str(), row.number)).collect()
}

/// What the sources themselves say.
async fn of_sources(lab: &mut Lab) -> Vec<(String, i64)> {
    let all = lab.registry().across_all::<Notebook>().query(Note::all()).await.expect("they answer");
    let mut rows: Vec<_> = all.value.iter().map(|(id, note)| (id.to_string(), note.number)).collect();
    rows.sort();
    rows
}

fn counts(books: Vec<Book>) -> BTreeMap<String, (i64, Option<i64>)> {
    books.into_iter().map(|book| (book.source.to_string(), (book.written, book.looked_at))).collect()
}

/// The next different result.
async fn next<T>(subscription: &mut larder::Subscription<T>) -> std::sync::Arc<T> {
    let limit = std::time::Duration::from_secs(20);
    let next = tokio::time::timeout(limit, subscription.next()).await.expect("there is news");
    next.expect("it has not ended").expect("it is a result").into_inner()
}
