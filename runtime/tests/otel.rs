//! With the feature `otel`, a load is a child of a context of OpenTelemetry, and its attributes arrive as they are.

use larder::{Attributes, prelude::*};
use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, TracerProvider as _},
};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use tracing_subscriber::layer::SubscriberExt as _;

#[derive(Table)]
#[table(name = "notes")]
struct Note {
    #[table(primary_key)]
    id: i64,
}

#[derive(Event)]
enum NoteEvent {
    #[event(name = "v1.NoteAdded")]
    Added { id: i64 },
}

#[derive(StoreSchema)]
#[schema(events = NoteEvent, tables(Note))]
struct NoteSchema;

#[larder::materializer]
impl Materializer for NoteSchema {
    fn materialize(event: &NoteEvent, _about: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        let NoteEvent::Added { id } = event;
        tables.insert(Note { id: *id })
    }
}

define_store! {
    NoteStore { name: "note", schema: NoteSchema, adapter: SqliteAdapter::in_memory() }
}

#[tokio::test]
async fn a_load_is_a_child_of_the_opentelemetry_context_and_carries_the_attributes() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let _subscriber = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));

    let (trace, parent) = (TraceId::from(7_u128), SpanId::from(11_u64));
    let remote = SpanContext::new(trace, parent, TraceFlags::SAMPLED, true, TraceState::default());
    let registry = StoreRegistry::builder().in_memory().build().expect("a registry in memory");
    let store = registry
        .get::<NoteStore>("note:1")
        .attributes(Attributes::new().with("tenant", "acme"))
        .parent_context(Context::new().with_remote_span_context(remote))
        .await
        .expect("the store loads");
    store.commit(NoteEvent::Added { id: 1 }).expect("the commit");
    drop(store);
    provider.force_flush().expect("the spans are exported");

    let spans = exporter.get_finished_spans().expect("the spans");
    let load = spans.iter().find(|span| span.name == "larder.load").expect("a span of the load");
    assert_eq!((load.span_context.trace_id(), load.parent_span_id), (trace, parent));
    let attribute = |key: &str| {
        load.attributes.iter().find(|found| found.key.as_str() == key).map(|found| found.value.as_str().into_owned())
    };
    assert_eq!(attribute("tenant").as_deref(), Some("acme"));
    assert_eq!(attribute("store").as_deref(), Some("note"));
    assert_eq!(attribute("id").as_deref(), Some("note:1"));
}
