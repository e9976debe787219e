//! The macros, documented where users find them.

mod document;
mod projection;

pub use document::Document;
pub use projection::define_projection;

/// Makes a struct with named fields a table of a store: implements [`Table`](trait@crate::Table) and [`Row`](trait@crate::Row), and
/// makes one constant per column, in capitals, and the queries `all()`, `filter(..)` and `by_key(..)`.
///
/// ```
/// use larder::prelude::*;
///
/// #[derive(Table, Clone, Debug, PartialEq)]
/// #[table(name = "comments", index(issue, written_at))]
/// pub struct Comment {
///     #[table(primary_key)]
///     pub id: Uuid,
///     #[table(references(Issue, on_delete = cascade))]
///     pub issue: i64,
///     #[table(name = "by")]
///     pub author: Option<String>,
///     #[table(default = "")]
///     pub body: String,
///     pub written_at: Timestamp,
/// }
///
/// #[derive(Table, Clone, Debug, PartialEq)]
/// pub struct Issue {
///     #[table(primary_key)]
///     pub number: i64,
///     #[table(unique)]
///     pub title: String,
/// }
///
/// let of_seven = Comment::filter(Comment::ISSUE.eq(7)).order_by(Comment::WRITTEN_AT.desc());
/// assert_eq!(Comment::schema().name, "comments");
/// assert_eq!(Issue::schema().name, "issue");
/// # let _ = of_seven;
/// ```
///
/// # On the struct: `#[table(..)]`
///
/// | key | meaning |
/// |---|---|
/// | `name = "issues"` | the SQL name; left out: the type's name in snake case, `IssueComment` is `issue_comment`. Names beginning with `larder_` or `sqlite_` are refused |
/// | `index(a, b)` | an index on these fields, in this order; may be written many times |
/// | `unique(a, b)` | no two rows agree in all these fields; may be written many times |
/// | `crate = path` | where `larder` is, if it has been renamed |
///
/// # On a field: `#[table(..)]`
///
/// | key | meaning |
/// |---|---|
/// | `primary_key` | part of the primary key, in the order of the fields; 1 to 4 fields, never an `Option`. A single integer key is SQLite's rowid |
/// | `unique`, `index` | the same for this field alone |
/// | `references(Issue)` | a foreign key: the value is the primary key of a row of `Issue`. The column's type is that of the key, or an `Option` of it |
/// | `references(Issue, on_delete = cascade)` | what a delete of that row does: `restrict` (refused, the default), `cascade` (this row goes too), `set_null` |
/// | `default = 0` | what SQL stores where it leaves the column out: a number, string, `true` or `false` |
/// | `name = "opened_at"` | the SQL name; left out: the field's name |
///
/// A field has a [column type](trait@crate::ColumnValue). The constant of a column that references another table says so in its type,
/// `Column<Comment, i64, Issue>`. A schema that has this table must have the tables it references.
pub use larder_macros::Table;

/// Makes a struct with named fields the result of an SQL query: implements [`Row`](trait@crate::Row).
///
/// Columns are found by name: `#[row(name = "..")]` on a field names a column that is not called like the field, and
/// `#[row(crate = path)]` on the struct says where `larder` is, if it has been renamed. Columns that no field asks for are passed over.
///
/// ```
/// use larder::prelude::*;
///
/// #[derive(Row, Debug)]
/// pub struct Workload {
///     pub assignee: Option<String>,
///     #[row(name = "open")]
///     pub open_issues: i64,
/// }
/// ```
///
/// A table is a row already, and so are tuples of column types and single column types.
pub use larder_macros::Row;

/// Makes a type a [column type](trait@crate::ColumnValue): an enum of unit variants, or a struct with one field.
///
/// ```
/// use larder::prelude::*;
///
/// #[derive(ColumnValue, Clone, Copy, Debug, PartialEq)]
/// pub enum Status {
///     Open,
///     #[column(name = "closed")]
///     Closed,
/// }
///
/// #[derive(ColumnValue, Clone, Debug, PartialEq)]
/// pub struct Author(String);
/// ```
///
/// An enum is stored as the text of its variant's name; `#[column(name = "..")]` on a variant chooses another text, and keeps what is
/// stored when the variant is renamed. A struct is stored as its field, which may be of any column type but an `Option`: it is the
/// column that is optional. `#[column(crate = path)]` on the type says where `larder` is, if it has been renamed.
pub use larder_macros::ColumnValue;

/// Makes an enum the events of a schema: implements [`Event`](trait@crate::Event), and the events' JSON.
///
/// ```
/// use larder::prelude::*;
///
/// #[derive(Event, Clone, Debug, PartialEq)]
/// pub enum IssueEvent {
///     #[event(name = "v2.IssueOpened", from("v1.IssueOpened" = with_title))]
///     Opened { number: i64, title: String },
///     #[event(name = "v1.IssueClosed")]
///     Closed {
///         number: i64,
///         #[serde(default, skip_serializing_if = "Option::is_none")]
///         reason: Option<String>,
///     },
///     #[event(name = "v1.IssueSelected", client_only)]
///     Selected(Option<i64>),
///     #[event(name = "v1.AllClosed", deprecated = "close each issue by itself")]
///     AllClosed,
/// }
///
/// #[derive(larder::serde::Deserialize)]
/// #[serde(crate = "larder::serde")]
/// struct OpenedV1 {
///     number: i64,
/// }
///
/// fn with_title(old: OpenedV1) -> Result<IssueEvent, std::convert::Infallible> {
///     Ok(IssueEvent::Opened { number: old.number, title: "untitled".to_owned() })
/// }
///
/// let closed = IssueEvent::Closed { number: 7, reason: None };
/// assert_eq!(closed.encode()?.as_deref(), Some(r#"{"number":7}"#));
/// assert_eq!(IssueEvent::AllClosed.encode()?, None);
/// # Ok::<(), larder::EventEncodeError>(())
/// ```
///
/// # On a variant: `#[event(..)]`
///
/// | key | meaning |
/// |---|---|
/// | `name = "v1.IssueOpened"` | the name in the log and on the wire. Required: it must stay when the variant is renamed. No two events of an enum share a name |
/// | `client_only` | never leaves this client |
/// | `deprecated = "why"` | a commit warns, once per process; old events still materialize |
/// | `from("v1.IssueOpened" = upgrade, ..)` | events in the log under this old name are read through `upgrade`, a `fn(Old) -> Result<IssueEvent, E>`. `Old` is any type with serde's `Deserialize`; for an old event without arguments it is `()`. The log keeps the old name and text |
///
/// On the enum, `#[event(crate = path)]` says where `larder` is, if it has been renamed.
///
/// # The encoding
///
/// An event's arguments are the JSON of its variant alone: an object for named fields, the value for a single unnamed field, nothing at
/// all (not `null`) for a unit variant. This is the format on disk and on the wire. So `#[serde(..)]` on the enum or on a variant, which
/// would change it, does not compile, and several unnamed fields neither.
///
/// Fields have any type with serde's `Serialize` and `Deserialize` (both at [`larder::serde`](crate::serde)) and may have these
/// attributes of serde: `rename`, `alias`, `default`, `flatten`, `skip`, `skip_serializing`, `skip_deserializing`, `skip_serializing_if`,
/// `with`, `serialize_with`, `deserialize_with`; a single unnamed field only the last three. A new field needs `#[serde(default)]`, or old events no longer decode. A float that is
/// NaN or infinite is refused when the event is committed.
pub use larder_macros::Event;

/// Makes a type the schema of a store: implements [`StoreSchema`](trait@crate::StoreSchema), and [`HasTable`](crate::HasTable) for each
/// of its tables.
///
/// ```
/// use larder::prelude::*;
/// # #[derive(Table)]
/// # pub struct Issue {
/// #     #[table(primary_key)]
/// #     pub number: i64,
/// # }
/// # #[derive(Event)]
/// # pub enum IssueEvent {
/// #     #[event(name = "v1.IssueOpened")]
/// #     Opened { number: i64 },
/// # }
///
/// #[derive(StoreSchema)]
/// #[schema(events = IssueEvent, tables(Issue), version = 1)]
/// pub struct WorkspaceSchema;
///
/// #[larder::materializer]
/// impl Materializer for WorkspaceSchema {
///     fn materialize(event: &IssueEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
///         match event {
///             IssueEvent::Opened { number } => tables.insert(Issue { number: *number }),
///         }
///     }
/// }
/// ```
///
/// | key of `#[schema(..)]` | meaning |
/// |---|---|
/// | `events = IssueEvent` | an enum with `#[derive(Event)]`. Required |
/// | `tables(Issue, Comment)` | structs with `#[derive(Table)]`, in any order; a table that one of them references must be there |
/// | `version = 1` | raised when the tables must be rebuilt from the log for a reason that neither schema nor materializer shows, such as a changed function that the materializer calls; 0 if left out |
/// | `crate = path` | where `larder` is, if it has been renamed |
pub use larder_macros::StoreSchema;

/// Makes a struct a typed store id, by a pattern: implements [`StoreKey`](trait@crate::StoreKey).
///
/// ```
/// use larder::prelude::*;
///
/// #[derive(StoreKey, Clone, Debug, PartialEq)]
/// #[store_key("project:{project}:issue:{number}")]
/// pub struct IssueKey {
///     pub project: String,
///     pub number: i64,
/// }
///
/// let key = IssueKey { project: "rusqlite/rusqlite".to_owned(), number: 7 };
/// let id = key.store_id()?;
/// assert_eq!(id.as_str(), "project:rusqlite~2Frusqlite:issue:7");
/// assert_eq!(IssueKey::from_store_id(&id)?, key);
/// # Ok::<(), larder::StoreIdError>(())
/// ```
///
/// Every field stands in the pattern once, as `{field}`, or as `{0}` for an unnamed one; it has a type that prints and parses
/// (`Display`, `FromStr`). What a field holds is escaped as [`StoreId::from_parts`](crate::StoreId::from_parts) does it, so that two
/// keys never make the same id and every id reads back as its key. For that, the text after a field begins with `:`.
/// `#[store_key("..", crate = path)]` says where `larder` is, if it has been renamed.
pub use larder_macros::StoreKey;

/// Stands above `impl Materializer for ..`: notes what the implementation says, so that a changed one rebuilds the tables by itself.
///
/// Layout and comments do not count. What the implementation calls is not seen: when such a function changes, raise the schema's
/// `version`. See [`StoreSchema`](derive@crate::StoreSchema) for an example.
pub use larder_macros::materializer;

/// Defines a kind of store: makes a type with the name that is given and implements [`StoreDefinition`](crate::StoreDefinition) for it.
///
/// ```
/// use larder::prelude::*;
/// # #[derive(Table)]
/// # #[table(name = "issues")]
/// # pub struct Issue {
/// #     #[table(primary_key)]
/// #     pub number: i64,
/// #     pub assignee: Option<String>,
/// # }
/// # #[derive(Event)]
/// # pub enum IssueEvent {
/// #     #[event(name = "v1.IssueOpened")]
/// #     Opened { number: i64 },
/// # }
/// # #[derive(StoreSchema)]
/// # #[schema(events = IssueEvent, tables(Issue), version = 1)]
/// # pub struct WorkspaceSchema;
/// # #[larder::materializer]
/// # impl Materializer for WorkspaceSchema {
/// #     fn materialize(event: &IssueEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
/// #         let IssueEvent::Opened { number } = event;
/// #         tables.insert(Issue { number: *number, assignee: None })
/// #     }
/// # }
/// # #[derive(StoreKey)]
/// # #[store_key("workspace:{0}")]
/// # pub struct WorkspaceId(pub String);
///
/// #[derive(Row, Debug)]
/// pub struct Workload {
///     pub assignee: Option<String>,
///     pub open: i64,
/// }
///
/// async fn announce(store: &Store<WorkspaceStore>, _: LoadContext) -> Result<(), larder::QueryError> {
///     println!("{} has {} issues", store.name(), store.query(Issue::all().count())?);
///     Ok(())
/// }
///
/// define_store! {
///     /// The issues of one workspace.
///     pub WorkspaceStore {
///         name: "workspace",
///         id: WorkspaceId,
///         schema: WorkspaceSchema,
///         adapter: SqliteAdapter::persisted(),
///         gc_time: GcTime::NEVER,
///         on_load: announce,
///
///         queries {
///             /// Issues per assignee, busiest first.
///             pub fn workload(at_least: i64) -> Vec<Workload> =
///                 "SELECT assignee, count(*) AS open FROM issues
///                  GROUP BY assignee HAVING open >= :at_least ORDER BY open DESC";
///         }
///     }
/// }
///
/// fn busiest(store: &Store<WorkspaceStore>) -> Result<Vec<Workload>, larder::QueryError> {
///     store.query(WorkspaceStore::workload(3))
/// }
/// ```
///
/// Documentation, visibility and other attributes (`#[derive(Debug)]`) go to the type, which has no values.
///
/// | key | meaning |
/// |---|---|
/// | `name: "workspace"` | the name on disk and in messages: 1 to 64 of letters, digits and `._:~-`. Required; data is found by it, so it must stay |
/// | `schema: WorkspaceSchema` | a type with `#[derive(StoreSchema)]` and a materializer. Required |
/// | `adapter: SqliteAdapter::persisted()` | where data lives: any expression, evaluated once per load. Required |
/// | `id: WorkspaceId` | what opens a store: a type with `#[derive(StoreKey)]`; left out: any valid [`StoreId`](crate::StoreId) |
/// | `singleton: "app-root"` | instead of `id`: there is one store, with this id, opened by `get_singleton` |
/// | `on_load: function` | an `async fn(&Store<WorkspaceStore>, LoadContext) -> Result<(), E>` that runs once per load, before anybody gets the store |
/// | `gc_time: GcTime::seconds(60)` | how long the store stays loaded after its last handle is dropped |
/// | `durability: Durability::Power` | what a commit survives |
/// | `unknown_events: UnknownEvents::Warn` | what to do with events of a newer app |
/// | `max_event_bytes: 65_536` | largest event, in bytes of its arguments as JSON; a sync server has [a limit of its own](crate::Limits::max_event_bytes) |
/// | `max_commit_events: 100` | most events in one commit |
/// | `sync: backend()` | an `Arc<dyn SyncBackend>`: where events are sent to and come from. Evaluated once per load: give the same one each time |
/// | `sync_id: function` | a `fn(&StoreId) -> String` that gives the store's id on the wire |
/// | `sync_payload: payload()` | a [`Payload`](crate::Payload) that the backend is told, merged over the registry's |
/// | `initial_sync: InitialSync::Skip` | whether a load waits for the first sync, `InitialSync::Blocking { timeout }`, or not |
/// | `on_backend_change: OnBackendChange::Stop` | what to do when the backend has another log than before |
/// | `attributes: attributes()` | [`Attributes`](crate::Attributes) of the store's spans, merged over the registry's |
/// | `queries { .. }` | queries in SQL, see below |
/// | `crate: path` | where `larder` is, if it has been renamed |
///
/// A key that is left out has its value from the registry's defaults; a key given here can be overruled when a store is opened.
///
/// # Queries
///
/// A query is a function whose body is SQL. It becomes an associated function of the type that makes a [`SqlQuery`](crate::SqlQuery) to
/// ask a store of this definition with. Parameters are column types, `&str`, or references to column types; the SQL names them with a
/// colon. The result is `Vec<T>`, `Option<T>`, or `T` for exactly one row, where `T` is a [`Row`](trait@crate::Row).
///
/// The SQL is checked while the app is compiled, by SQLite, on the schema's own tables: one statement that reads, with names that are
/// there; every parameter declared and used, and of a type with that of the column it is compared with; every column that the row type
/// asks for, of a type that it takes, and in an `Option` where it can be `NULL`. `#[indexed]` above a query refuses one for which SQLite
/// reads a table from its first row to its last, also where it finds a single `min` or `max` so. Where the SQL says
/// `column IS NOT NULL`, that column needs no `Option`. All tables are seen without a `rowid`; name the key. Beside the schema's tables
/// a query may read `json_each(..)` and `json_tree(..)`, which take apart a column of [`Json`](crate::Json).
///
/// SQLite tells no types of expressions, so the query is tried on rows made up for it, with the numbers and texts that it compares with
/// among them; a type of the app is once text, once a whole number, once a float, once bytes. What no trial shows stays unknown, and
/// shows when the query runs, as a [`QueryError`](crate::QueryError):
///
/// - the type of an expression over a type of the app, where it depends on that type;
/// - a `NULL` behind a filter that the made-up rows do not pass: on a parameter, on a computed value, on several columns at once, or,
///   for an expression, on a column of a type of the app;
/// - whether a number fits an `i32`, a text an enum or a `Timestamp` its range.
///
/// For this the schema and its tables are named by paths, not through a `type` alias: each type brings a hidden macro of its own name.
pub use larder_macros::define_store;
