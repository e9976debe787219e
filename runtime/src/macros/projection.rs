//! `define_projection!`, documented where users find it.

/// Defines a projection: a read model of all stores of another definition, kept up to date with their events.
///
/// ```
/// use larder::prelude::*;
///
/// # #[derive(Table, Clone, Debug, PartialEq)]
/// # #[table(name = "issue")]
/// # pub struct Issue { #[table(primary_key)] pub number: i64, pub title: String }
/// # #[derive(Event, Clone, Debug, PartialEq)]
/// # pub enum IssueEvent {
/// #     #[event(name = "v1.Opened")] Opened { number: i64, title: String },
/// #     #[event(name = "v1.Renamed")] Renamed { title: String },
/// #     #[event(name = "v1.Commented")] Commented { body: String },
/// # }
/// # #[derive(StoreSchema)]
/// # #[schema(events = IssueEvent, tables(Issue), version = 1)]
/// # pub struct IssueSchema;
/// # #[larder::materializer]
/// # impl Materializer for IssueSchema {
/// #     fn materialize(_: &IssueEvent, _: &EventContext, _: &mut Tables<'_, Self>) -> MaterializeResult { Ok(()) }
/// # }
/// # define_store! { pub IssueStore { name: "issue", schema: IssueSchema, adapter: SqliteAdapter::persisted() } }
/// #[derive(Table, Clone, Debug, PartialEq)]
/// #[table(name = "listed")]
/// pub struct Listed {
///     #[table(primary_key)]
///     pub source: SourceId,
///     pub title: String,
///     pub comments: i64,
/// }
///
/// #[derive(StoreSchema)]
/// #[schema(events = IssueEvent, tables(Listed), version = 1)]
/// pub struct IssueListSchema;
///
/// #[larder::materializer]
/// impl Materializer for IssueListSchema {
///     fn materialize(event: &IssueEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
///         let listed = Listed::by_key(SourceId::this());
///         match event {
///             IssueEvent::Opened { title, .. } => {
///                 tables.insert(Listed { source: SourceId::this(), title: title.clone(), comments: 0 })
///             }
///             IssueEvent::Renamed { title } => tables.update(listed).set(Listed::TITLE, title).run(),
///             IssueEvent::Commented { .. } => tables.update(listed).set(Listed::COMMENTS, Listed::COMMENTS + 1).run(),
///         }
///     }
/// }
///
/// define_projection! {
///     /// Every issue there is.
///     pub IssueList {
///         name: "issue-list",
///         source: IssueStore,
///         schema: IssueListSchema,
///         adapter: SqliteAdapter::persisted(),
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let registry = StoreRegistry::builder().in_memory().build()?;
/// # let issue = registry.get::<IssueStore>("issue:7").await?;
/// # issue.commit(IssueEvent::Opened { number: 7, title: "it leaks".into() })?;
/// let issues = registry.projection::<IssueList>().await?;
/// let busiest = issues.query(Listed::all().order_by(Listed::COMMENTS.desc()).limit(20))?;
/// assert_eq!(busiest[0].source.id().map(|id| id.as_str()), Some("issue:7"));
/// # Ok(())
/// # }
/// ```
///
/// Its schema has the events of the source, and tables of its own. Each begins with the source, [`SourceId`](crate::SourceId), as the first
/// column of its key: larder sets it, and the materializer sees and writes rows of the store whose event it is given, and no others. So what
/// one store's events make is made of these alone, in their order, and can be taken back alone. SQL and unique constraints could reach
/// across sources and are refused there.
///
/// Opening it ([`StoreRegistry::projection`](crate::StoreRegistry::projection)) reads what its sources have that it has not; a closed source
/// whose file is as it was is not opened. From then on it follows the stores of this registry. Each event is taken over once: how far a
/// source was read stands in the transaction of its rows. All events take part, those that a sync backend has not ordered yet, too; where a
/// source's log is another one than was read, its rows are made anew. A changed schema or materializer makes all of them anew. An event that
/// does not materialize is passed over and counted: [`ProjectedSource`](crate::ProjectedSource).
///
/// | key | meaning |
/// |---|---|
/// | `name: "issue-list"` | the name on disk and in messages, as of a store. Required |
/// | `source: IssueStore` | the definition whose stores it is made of. Required |
/// | `schema: IssueListSchema` | a type with `#[derive(StoreSchema)]`, the source's events, and a materializer. Required |
/// | `adapter: SqliteAdapter::persisted()` | where its rows live. In memory they are made anew by each load. Required |
/// | `gc_time`, `durability`, `attributes`, `crate` | as of [`define_store!`](crate::define_store) |
/// | `queries { .. }` | queries in SQL on its tables, as of [`define_store!`](crate::define_store) |
pub use larder_macros::define_projection;
