//! A small store for tests of the engine: notes, and events that do what apps should not.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Mutex, PoisonError},
};

use larder::{MaterializeError, prelude::*};

/// A note.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "notes")]
pub struct Note {
    /// Its number.
    #[table(primary_key)]
    pub number: i64,
    /// What it says.
    pub text: String,
}

/// A line below a note.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "lines")]
pub struct Line {
    /// The note.
    #[table(primary_key, references(Note, on_delete = cascade))]
    pub note: i64,
    /// Its place.
    #[table(primary_key)]
    pub at: i64,
    /// Half of what it weighs.
    pub weight: Option<f64>,
}

/// What happens to notes.
#[derive(Event, Clone, Debug, PartialEq)]
pub enum NoteEvent {
    /// A note is written.
    #[event(name = "v1.NoteWritten")]
    Written {
        /// Its number.
        number: i64,
        /// What it says.
        text: String,
    },
    /// A line is added.
    #[event(name = "v1.LineAdded")]
    LineAdded {
        /// The note.
        note: i64,
        /// Its place.
        at: i64,
    },
    /// A note is erased, and its lines.
    #[event(name = "v1.NoteErased")]
    Erased(i64),
    /// Everything is erased.
    #[event(name = "v1.AllErased")]
    AllErased,
    /// This client looks at a note.
    #[event(name = "v1.NoteLookedAt", client_only)]
    LookedAt(i64),
    /// The materializer writes, then refuses.
    #[event(name = "v1.Refused")]
    Refused(i64),
    /// The materializer writes, then panics.
    #[event(name = "v1.Panicked")]
    Panicked(i64),
    /// The materializer would let SQLite roll back the whole transaction.
    #[event(name = "v1.RolledBack")]
    RolledBack,
    /// The materializer runs what [`in_materializer`] was given.
    #[event(name = "v1.Hooked")]
    Hooked,
    /// Nobody commits this any more.
    #[event(name = "v1.NoteStarred", deprecated = "stars are gone")]
    Starred(i64),
}

/// The schema of notebooks.
#[derive(StoreSchema)]
#[schema(events = NoteEvent, tables(Line, Note), version = 1)]
pub struct NotebookSchema;

#[larder::materializer]
impl Materializer for NotebookSchema {
    fn materialize(event: &NoteEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        match event {
            NoteEvent::Written { number, text } => {
                tables.insert(Note { number: *number, text: text.clone() })?;
                fail_as_told(*number, tables)
            }
            NoteEvent::LineAdded { note, at } => {
                tables.insert(Line { note: *note, at: *at, weight: Some(*at as f64 / 2.0) })
            }
            NoteEvent::Erased(number) => tables.delete(Note::by_key(*number)).run(),
            NoteEvent::AllErased => tables.delete(Note::all()).run(),
            NoteEvent::LookedAt(_) | NoteEvent::Starred(_) => Ok(()),
            NoteEvent::Refused(number) => {
                tables.insert(Note { number: *number, text: "half".to_owned() })?;
                Err(MaterializeError::app("not today"))
            }
            NoteEvent::Panicked(number) => {
                tables.insert(Note { number: *number, text: "half".to_owned() })?;
                panic!("a note too far")
            }
            NoteEvent::RolledBack => {
                let twice = "INSERT OR ROLLBACK INTO notes (number, text) VALUES (-1, 'a'), (-1, 'b')";
                tables.execute_sql(twice, ())
            }
            NoteEvent::Hooked => {
                let hook = HOOK.with_borrow(Clone::clone);
                hook.iter().for_each(|hook| hook());
                Ok(())
            }
        }
    }
}

larder::define_store! {
    /// Notes.
    pub Notebook {
        name: "notebook",
        schema: NotebookSchema,
        adapter: SqliteAdapter::persisted(),
        gc_time: GcTime::NEVER,
    }
}

static FAILING: Mutex<Vec<i64>> = Mutex::new(Vec::new());

/// As long as it lives the materializer of [`NoteEvent::Written`] fails for these numbers, in all tests.
#[derive(Debug)]
#[must_use]
pub struct Failing(Vec<i64>);

impl Drop for Failing {
    fn drop(&mut self) {
        FAILING.lock().unwrap_or_else(PoisonError::into_inner).retain(|number| !self.0.contains(number));
    }
}

/// Makes the materializer of [`NoteEvent::Written`] fail for these numbers, which no other test has: those that end in 5 by a panic, those
/// that end in 7 by a statement that would roll back everything.
pub fn failing_numbers(numbers: &[i64]) -> Failing {
    FAILING.lock().unwrap_or_else(PoisonError::into_inner).extend(numbers);
    Failing(numbers.to_vec())
}

fn fail_as_told(number: i64, tables: &mut Tables<'_, NotebookSchema>) -> MaterializeResult {
    let fails = FAILING.lock().unwrap_or_else(PoisonError::into_inner).contains(&number);
    assert!(!fails || number % 10 != 5, "told to panic");
    if fails && number % 10 == 7 {
        return tables.execute_sql("INSERT OR ROLLBACK INTO notes (number, text) VALUES (?, 'again')", (number,));
    }
    if fails { Err(MaterializeError::app("not today")) } else { Ok(()) }
}

thread_local! {
    static HOOK: RefCell<Option<Rc<dyn Fn()>>> = const { RefCell::new(None) };
}

/// Lets the materializer of [`NoteEvent::Hooked`] run `hook` while `work` runs on this thread.
pub fn in_materializer<R>(hook: impl Fn() + 'static, work: impl FnOnce() -> R) -> R {
    HOOK.set(Some(Rc::new(hook)));
    let result = work();
    HOOK.set(None);
    result
}

/// A written note.
pub fn written(number: i64) -> NoteEvent {
    NoteEvent::Written { number, text: format!("note {number}") }
}

/// The row that [`written`] makes.
pub fn note(number: i64) -> Note {
    Note { number, text: format!("note {number}") }
}
