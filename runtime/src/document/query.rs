//! Reading a document.

use std::{fmt, marker::PhantomData};

use super::{Document, HasDocument, stored};
use crate::{
    error::QueryErrorKind,
    query::{ColumnsRead, Description, FitsSchema, Origin, Params, Query, Reads, RowsRead, Statement},
    value::{Value, ValueRef},
};

/// The value of one document: `View::get("main")`, to be asked of a store, or subscribed to.
#[must_use = "a query does nothing until it is asked of a store"]
pub struct DocumentQuery<V> {
    id: String,
    types: PhantomData<fn() -> V>,
}

impl<V> DocumentQuery<V> {
    pub(super) fn new(id: String) -> Self {
        Self { id, types: PhantomData }
    }
}

impl<V: Document> Query for DocumentQuery<V> {
    type Output = V;

    fn __describe(&self, into: &mut Description) {
        let table = V::__table();
        into.statement(&table.statements().select_by_key, [ValueRef::Text(&self.id)].into_iter());
        into.read(table.name, RowsRead::Key(vec![Value::Text(self.id.clone())]), ColumnsRead::All);
    }

    fn __run(&self, on: &mut dyn Reads) -> Result<V, QueryErrorKind> {
        let table = V::__table();
        let params = [ValueRef::Text(&self.id)];
        let statement = Statement {
            sql: &table.statements().select_by_key,
            params: Params::Ordered(&params),
            origin: Origin::Builder,
            row: table.type_name,
            columns: &[],
        };
        let mut changed = None;
        on.rows(&statement, &mut |row| {
            changed = stored::fields(row.value(1));
            Ok(false)
        })?;
        Ok(changed.map_or_else(V::default, stored::value))
    }
}

impl<S: HasDocument<V>, V: Document> FitsSchema<S> for DocumentQuery<V> {}

impl<V> Clone for DocumentQuery<V> {
    fn clone(&self) -> Self {
        Self::new(self.id.clone())
    }
}

impl<V: Document> fmt::Debug for DocumentQuery<V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DocumentQuery").field("document", &V::__table().name).field("id", &self.id).finish()
    }
}
