//! Tuples of joined tables.

use super::{At, FromTables, Includes, JoinedTable, JoinedWith, Nullable, Required, RowRef, join::Seventh};
use crate::{error::QueryErrorKind, table::Table};

/// `(A, (B, ..))`
macro_rules! list {
    () => { () };
    ($table:ident $($rest:ident)*) => { ($table::Table, list!($($rest)*)) };
}

/// A tuple of this many tables, and what all its places have.
macro_rules! joined {
    ($first:ident $($table:ident)+) => {
        #[diagnostic::do_not_recommend]
        impl<$first: Table, $($table: JoinedTable),+> FromTables for ($first, $($table),+) {
            type First = $first;
            type __Others = list!($($table)+);

            fn __whole(row: &RowRef<'_>) -> Result<Self, QueryErrorKind> {
                let mut rest = row.after(0);
                Ok(($first::__part(&rest.take($first::__columns()))?, $($table::__part(&rest.take($table::__columns()))?),+))
            }
        }

        #[diagnostic::do_not_recommend]
        impl<$first: Table, $($table: JoinedTable),+> Includes<$first, At<0, Required>> for ($first, $($table),+) {}
    };
}

joined!(A B);
joined!(A B C);
joined!(A B C D);
joined!(A B C D E);
joined!(A B C D E F);

#[diagnostic::do_not_recommend]
impl<A: Table, T: Table> JoinedWith<T> for A {
    type Inner = (A, T);
    type Left = (A, Option<T>);
}

/// One more table.
macro_rules! one_more {
    ($first:ident $($table:ident)+) => {
        #[diagnostic::do_not_recommend]
        impl<$first: Table, $($table: JoinedTable,)+ T: Table> JoinedWith<T> for ($first, $($table),+) {
            type Inner = ($first, $($table,)+ T);
            type Left = ($first, $($table,)+ Option<T>);
        }
    };
}

one_more!(A B);
one_more!(A B C);
one_more!(A B C D);
one_more!(A B C D E);

// So that there is a message of its own.
impl<A, B, C, D, E, F, T> JoinedWith<T> for (A, B, C, D, E, F)
where
    Self: FromTables,
    T: Seventh,
{
    type Inner = Self;
    type Left = Self;
}

/// The table at one place of a tuple, which is not the first.
macro_rules! includes {
    ($($place:literal: $first:ident $($before:ident)* [$table:ident] $($after:ident)*;)+) => {$(
        #[diagnostic::do_not_recommend]
        impl<$first: Table, $($before: JoinedTable,)* $table: Table, $($after: JoinedTable),*>
            Includes<$table, At<$place, Required>> for ($first, $($before,)* $table, $($after),*)
        {
        }

        #[diagnostic::do_not_recommend]
        impl<$first: Table, $($before: JoinedTable,)* $table: Table, $($after: JoinedTable),*>
            Includes<$table, At<$place, Nullable>> for ($first, $($before,)* Option<$table>, $($after),*)
        {
        }
    )+};
}

includes!(
    1: A [B];
    1: A [B] C;
    2: A B [C];
    1: A [B] C D;
    2: A B [C] D;
    3: A B C [D];
    1: A [B] C D E;
    2: A B [C] D E;
    3: A B C [D] E;
    4: A B C D [E];
    1: A [B] C D E F;
    2: A B [C] D E F;
    3: A B C [D] E F;
    4: A B C D [E] F;
    5: A B C D E [F];
);
