//! Rows of a table, or of several that are joined: filter, order, limit, columns, count, exists, first, one.

use std::{fmt, marker::PhantomData};

use super::{
    Chosen, Description, Exprs, FromTables, Includes, Made, MadeOf, Picked, Position, Predicate, Query, Reads,
    RowCount, Selection, Whole, Yield,
    run::{self, Rows},
    spec::SelectSpec,
};
use crate::{
    error::QueryErrorKind,
    table::{IntoOrder, OrderTerm, Table, TableSchema},
};

/// Rows of the tables `Src`, in the order asked for; rows that this leaves equal, and all without [`order_by`](Self::order_by), come in the
/// order of the primary key.
///
/// | to have | write |
/// |---|---|
/// | all rows, or some | `Issue::all()`, `Issue::filter(Issue::STATUS.eq(Status::Open))` |
/// | fewer | [`.filter(..)`](Self::filter), [`.limit(20)`](Self::limit), [`.offset(40)`](Self::offset) |
/// | an order | [`.order_by(Issue::OPENED_AT.desc())`](Self::order_by) |
/// | one row | [`.first()`](Self::first), [`.one()`](Self::one) |
/// | a number, a yes or no | [`.count()`](Self::count), [`.exists()`](Self::exists) |
/// | some columns, in a tuple | [`.select((Issue::NUMBER, Issue::TITLE))`](Self::select) |
/// | the same in a struct with `#[derive(Row)]` | [`.into_row::<Headline>()`](Self::into_row) |
/// | rows of two tables side by side | [`.join(Comment::ISSUE)`](Self::join), [`.left_join(..)`](Self::left_join) |
/// | sums, means, extremes | [`.aggregate((count(), Issue::POINTS.sum()))`](Self::aggregate) |
/// | one row for each group | [`.group_by(Issue::STATUS)`](Self::group_by), then [`.aggregate(..)`](crate::Groups::aggregate) |
///
/// What else SQLite can do, write in SQL, in `queries { .. }` of [`define_store!`](crate::define_store).
///
/// The type `Select<Issue>` yields whole issues, `Select<(Issue, Comment)>` pairs of a join. `Out` says what else a row becomes, after
/// [`select`](Self::select); it is inferred.
#[must_use = "a query does nothing until it is asked of a store"]
pub struct Select<Src, Out = Whole> {
    pub(crate) spec: SelectSpec,
    types: PhantomData<fn() -> (Src, Out)>,
}

/// How many rows.
#[must_use = "a query does nothing until it is asked of a store"]
pub struct Count<Src>(pub(super) Select<Src>);
/// Whether there is a row.
#[must_use = "a query does nothing until it is asked of a store"]
pub struct Exists<Src>(pub(super) Select<Src>);
/// The first row, if there is one.
#[must_use = "a query does nothing until it is asked of a store"]
pub struct First<Src, Out = Whole>(pub(super) Select<Src, Out>);
/// Exactly one row.
#[must_use = "a query does nothing until it is asked of a store"]
pub struct One<Src, Out = Whole>(Select<Src, Out>);

impl<T: Table> Select<T> {
    pub(crate) fn all() -> Self {
        Self::new(SelectSpec::default())
    }
}

impl<Src: FromTables> Select<Src> {
    /// Not whole rows but these columns: one, `Issue::TITLE`, or a tuple of them, `(Issue::NUMBER, Issue::TITLE)`, which may be of any
    /// of the query's tables.
    ///
    /// ```
    /// # use larder::prelude::*;
    /// # #[derive(Table)]
    /// # struct Issue { #[table(primary_key)] number: i64, title: String, open: bool }
    /// # #[derive(Event)]
    /// # enum IssueEvent { #[event(name = "v1.Opened")] Opened { number: i64, title: String } }
    /// # #[derive(StoreSchema)]
    /// # #[schema(events = IssueEvent, tables(Issue), version = 1)]
    /// # struct WorkspaceSchema;
    /// # #[larder::materializer]
    /// # impl Materializer for WorkspaceSchema {
    /// #     fn materialize(event: &IssueEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
    /// #         let IssueEvent::Opened { number, title } = event;
    /// #         tables.insert(Issue { number: *number, title: title.clone(), open: true })
    /// #     }
    /// # }
    /// # define_store! {
    /// #     WorkspaceStore { name: "workspace", schema: WorkspaceSchema, adapter: SqliteAdapter::persisted() }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = Store::<WorkspaceStore>::open("one", larder::OpenOptions::in_memory()).await?;
    /// # store.commit(IssueEvent::Opened { number: 7, title: "it leaks".into() })?;
    /// let titles: Vec<(i64, String)> =
    ///     store.query(Issue::filter(Issue::OPEN.eq(true)).select((Issue::NUMBER, Issue::TITLE)))?;
    /// assert_eq!(titles, [(7, "it leaks".to_owned())]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn select<C: Selection<Src, At>, At>(mut self, columns: C) -> Select<Src, Chosen<C, At>> {
        self.spec.columns = Some(Exprs::of(&columns));
        self.yielding()
    }
}

impl<Src: FromTables, Out> Select<Src, Out> {
    /// Only rows that `predicate` holds for, too. It may be on any of the query's tables.
    pub fn filter<T, P>(mut self, predicate: Predicate<T>) -> Self
    where
        Src: Includes<T, P>,
        P: Position,
    {
        self.spec.restrict(P::__PLACE, predicate.condition);
        self
    }

    /// Ordered: by one column (`Issue::OPENED_AT.desc()`), or by several, in a tuple, an array or a `Vec`. Terms given before come first.
    pub fn order_by<At>(mut self, order: impl IntoOrder<Src, At>) -> Self {
        order.__add_to(&mut |OrderTerm(term)| self.spec.order_by(term));
        self
    }

    /// At most so many rows. The last limit given counts.
    ///
    /// Any integer will do; a negative one is the query's error when it is asked.
    pub fn limit(mut self, rows: impl RowCount) -> Self {
        self.spec.limit = Some(self.spec.rows_or_error(rows.row_count()));
        self
    }

    /// Without the first so many rows. The last offset given counts. Integers as of [`limit`](Self::limit).
    pub fn offset(mut self, rows: impl RowCount) -> Self {
        self.spec.offset = self.spec.rows_or_error(rows.row_count());
        self
    }

    /// How many rows there are, within limit and offset.
    pub fn count(self) -> Count<Src> {
        Count(self.yielding())
    }

    /// Whether there is a row.
    pub fn exists(self) -> Exists<Src> {
        Exists(self.yielding())
    }

    /// The first row, if there is one.
    pub fn first(self) -> First<Src, Out> {
        First(self)
    }

    /// The only row: none or several are a [`QueryErrorKind::NotOne`].
    pub fn one(self) -> One<Src, Out> {
        One(self)
    }
}

impl<Src, C, At> Select<Src, Chosen<C, At>>
where
    Src: FromTables,
    C: Picked<Src, At>,
{
    /// Makes a struct with `#[derive(Row)]` of the selected columns: its fields take them in order.
    ///
    /// The fields' types are checked while compiling, their names are not looked at. An `i64` takes a count, too, and an `Option<V>` a `V`.
    ///
    /// ```
    /// # use larder::prelude::*;
    /// # #[derive(Table)]
    /// # struct Issue { #[table(primary_key)] number: i64, title: String, open: bool }
    /// #[derive(Row)]
    /// struct Headline {
    ///     number: i64,
    ///     title: String,
    /// }
    ///
    /// let open = Issue::filter(Issue::OPEN.eq(true)).select((Issue::NUMBER, Issue::TITLE)).into_row::<Headline>();
    /// # fn is_query<Q: larder::Query<Output = Vec<Headline>>>(_: Q) {}
    /// # is_query(open);
    /// ```
    pub fn into_row<R: MadeOf<C::__Before<()>>>(self) -> Select<Src, Made<R>> {
        self.yielding()
    }
}

impl<Src, Out> Select<Src, Out> {
    pub(super) fn new(spec: SelectSpec) -> Self {
        Self { spec, types: PhantomData }
    }

    /// The same, and a row becomes something else.
    pub(super) fn yielding<Other>(self) -> Select<Src, Other> {
        Select::new(self.spec)
    }
}

impl<Src, Out> One<Src, Out> {
    pub(super) fn into_select(self) -> Select<Src, Out> {
        self.0
    }

    pub(super) fn select(&self) -> &Select<Src, Out> {
        &self.0
    }
}

/// The schema of a query's first table.
fn schema<Src: FromTables>() -> &'static TableSchema {
    Src::First::schema()
}

impl<Src: FromTables, Out: Yield<Src>> Query for Select<Src, Out> {
    type Output = Vec<Out::Row>;

    fn __describe(&self, into: &mut Description) {
        into.select(&self.spec, schema::<Src>(), None);
    }

    fn __run(&self, on: &mut dyn Reads) -> Result<Self::Output, QueryErrorKind> {
        let text = self.spec.within(on).rows(schema::<Src>(), None)?;
        run::all(on, &text, rows::<Src, Out>())
    }
}

impl<Src: FromTables, Out: Yield<Src>> Query for First<Src, Out> {
    type Output = Option<Out::Row>;

    fn __describe(&self, into: &mut Description) {
        into.select(&self.0.spec, schema::<Src>(), Some(1));
    }

    fn __run(&self, on: &mut dyn Reads) -> Result<Self::Output, QueryErrorKind> {
        let text = self.0.spec.within(on).rows(schema::<Src>(), Some(1))?;
        run::first(on, &text, rows::<Src, Out>())
    }
}

impl<Src: FromTables, Out: Yield<Src>> Query for One<Src, Out> {
    type Output = Out::Row;

    fn __describe(&self, into: &mut Description) {
        into.select(&self.0.spec, schema::<Src>(), Some(2));
    }

    fn __run(&self, on: &mut dyn Reads) -> Result<Self::Output, QueryErrorKind> {
        let text = self.0.spec.within(on).rows(schema::<Src>(), Some(2))?;
        run::one(on, &text, rows::<Src, Out>())
    }
}

/// How rows are read; messages call them after the first table.
pub(super) fn rows<Src: FromTables, Out: Yield<Src>>() -> Rows<Out::Row> {
    Rows { name: <Src::First as super::Row>::NAME, decode: Out::__row }
}

impl<Src: FromTables> Query for Count<Src> {
    type Output = u64;

    fn __describe(&self, into: &mut Description) {
        into.rows_of(&self.0.spec, schema::<Src>(), &self.0.spec.count(schema::<Src>()));
    }

    fn __run(&self, on: &mut dyn Reads) -> Result<Self::Output, QueryErrorKind> {
        let text = self.0.spec.within(on).count(schema::<Src>())?;
        let rows: i64 = run::one(on, &text, Rows::OF)?;
        Ok(rows.unsigned_abs())
    }
}

impl<Src: FromTables> Query for Exists<Src> {
    type Output = bool;

    fn __describe(&self, into: &mut Description) {
        into.rows_of(&self.0.spec, schema::<Src>(), &self.0.spec.exists(schema::<Src>()));
    }

    fn __run(&self, on: &mut dyn Reads) -> Result<Self::Output, QueryErrorKind> {
        let text = self.0.spec.within(on).exists(schema::<Src>())?;
        run::one(on, &text, Rows::OF)
    }
}

impl<Src, Out> Clone for Select<Src, Out> {
    fn clone(&self) -> Self {
        Self::new(self.spec.clone())
    }
}

impl<Src: FromTables, Out> fmt::Debug for Select<Src, Out> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.spec.rows(schema::<Src>(), None) {
            Ok(text) => text.fmt(formatter),
            Err(error) => write!(formatter, "Select({error})"),
        }
    }
}

macro_rules! like_select {
    ($($query:ident<Src $(, $out:ident)?>),+) => {$(
        impl<Src $(, $out)?> Clone for $query<Src $(, $out)?> {
            fn clone(&self) -> Self {
                Self(self.0.clone())
            }
        }

        impl<Src: FromTables $(, $out)?> fmt::Debug for $query<Src $(, $out)?> {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.debug_tuple(stringify!($query)).field(&self.0).finish()
            }
        }
    )+};
}

like_select!(Count<Src>, Exists<Src>, First<Src, Out>, One<Src, Out>);
