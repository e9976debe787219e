//! Tuples of queries: all on one snapshot.

use super::{Description, FitsSchema, Query, Reads};
use crate::error::QueryErrorKind;

macro_rules! tuples {
    ($(($($query:ident $field:tt),+)),+ $(,)?) => {$(
        impl<$($query: Query),+> Query for ($($query,)+) {
            type Output = ($($query::Output,)+);

            const __ONE_STATEMENT: bool = false;

            fn __describe(&self, into: &mut Description) {
                // So that a tuple of tuples is none of plain queries.
                into.part(b'(', &[]);
                $(self.$field.__describe(into);)+
                into.part(b')', &[]);
            }

            fn __run(&self, on: &mut dyn Reads) -> Result<Self::Output, QueryErrorKind> {
                Ok(($(self.$field.__run(on)?,)+))
            }
        }

        impl<Schema, $($query: FitsSchema<Schema>),+> FitsSchema<Schema> for ($($query,)+) {}
    )+};
}

tuples!(
    (A 0, B 1),
    (A 0, B 1, C 2),
    (A 0, B 1, C 2, D 3),
    (A 0, B 1, C 2, D 3, E 4),
    (A 0, B 1, C 2, D 3, E 4, F 5),
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6),
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7),
);
