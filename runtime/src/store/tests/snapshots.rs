//! Reads inside reads.

use super::*;
use crate::{
    QueryError, Snapshot,
    query::{Description, FitsSchema, Query, Reads},
};

/// A query that asks its own snapshot, which is busy with it.
struct Nested<'a, 'b>(&'a Snapshot<'b, NoteStore>);

impl Query for Nested<'_, '_> {
    type Output = QueryError;

    fn __describe(&self, _: &mut Description) {}

    fn __run(&self, _: &mut dyn Reads) -> Result<QueryError, QueryErrorKind> {
        assert_eq!(self.0.head().unwrap_err().kind(), &QueryErrorKind::Reentrant);
        Ok(self.0.query(Note::all()).unwrap_err())
    }
}

impl FitsSchema<NoteSchema> for Nested<'_, '_> {}

#[test]
fn a_query_that_asks_its_own_snapshot_is_reentrant_and_names_the_store() {
    for (place, _dir) in places() {
        let (store, _host) = open(&place);
        store.commit(note(1, 1)).unwrap();
        let (inner, after) =
            store.read(|snapshot| Ok((snapshot.query(Nested(snapshot))?, snapshot.query(Note::all())?))).unwrap();
        assert_eq!((inner.kind(), inner.store()), (&QueryErrorKind::Reentrant, store.name()));
        assert_eq!(after.len(), 1, "the snapshot goes on");
    }
}

#[test]
fn a_read_inside_a_read_sees_what_was_committed_between_or_is_reentrant() {
    for (place, _dir) in places() {
        let (store, _host) = open(&place);
        store.commit(note(1, 1)).unwrap();
        let outer = store.read(|outer| {
            let before = outer.query(Note::all().count())?;
            let inner = store.read(|inner| inner.query(Note::all().count()));
            Ok((before, inner, outer.query(Note::all().count())?))
        });
        let (before, inner, after) = outer.unwrap();
        assert_eq!((before, after), (1, 1));
        match place {
            // There is one connection, and the outer read has it.
            Place::Memory => assert_eq!(inner.unwrap_err().into_kind(), QueryErrorKind::Reentrant),
            Place::File(_) => assert_eq!(inner, Ok(1)),
        }
    }
}
