//! `#[derive(Document)]`, documented where users find it.

/// Makes a struct with named fields a document: state of a user interface that a store keeps on this client, one value for each id.
///
/// ```
/// use larder::{Document, OpenOptions, prelude::*};
///
/// #[derive(Document, Clone, Debug, Default, PartialEq)]
/// #[document(name = "view")]
/// pub struct View {
///     pub filter: String,
///     pub selected: Option<i64>,
///     pub columns: Vec<String>,
/// }
/// # #[derive(Table)]
/// # pub struct Issue { #[table(primary_key)] number: i64 }
/// # #[derive(Event)]
/// # pub enum IssueEvent { #[event(name = "v1.Opened")] Opened { number: i64 } }
///
/// #[derive(StoreSchema)]
/// #[schema(events = IssueEvent, tables(Issue), documents(View), version = 1)]
/// pub struct WorkspaceSchema;
/// # #[larder::materializer]
/// # impl Materializer for WorkspaceSchema {
/// #     fn materialize(event: &IssueEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
/// #         let IssueEvent::Opened { number } = event;
/// #         tables.insert(Issue { number: *number })
/// #     }
/// # }
/// # define_store! {
/// #     WorkspaceStore { name: "workspace", schema: WorkspaceSchema, adapter: SqliteAdapter::persisted() }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = Store::<WorkspaceStore>::open("one", OpenOptions::in_memory()).await?;
///
/// assert_eq!(store.query(View::get("main"))?, View::default());
/// store.update_document("main", |view: &mut View| view.selected = Some(7))?;
/// let mut view = store.subscribe(View::get("main"));
/// assert_eq!(view.next().await.transpose()?.map(|view| view.selected), Some(Some(7)));
/// # Ok(())
/// # }
/// ```
///
/// The fields are of any types that serde knows, with serde's attributes for fields (`#[serde(rename = "..")]`); `Default` says what a
/// document is that was never changed. Reading never writes. A change
/// ([`Store::update_document`](crate::Store::update_document)) is an event that never leaves this client, with the fields that are others
/// now; all other fields keep following `Default`. A field that is new has its default, one that is gone is passed over, and one whose type
/// is another has its default where the stored value does not fit.
///
/// | key | meaning |
/// |---|---|
/// | `name = "view"` | the name on disk; left out: the type's name in snake case. Documents are found by it, and tables have other names |
/// | `crate = path` | where `larder` is, if it has been renamed |
pub use larder_macros::Document;
