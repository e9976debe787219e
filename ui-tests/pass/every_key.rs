//! Every key of `define_store!` is taken, with conversions that need an expected type.

use std::sync::Arc;

use larder::{Attributes, Durability, InitialSync, OnBackendChange, Payload, SyncBackend, UnknownEvents, prelude::*};

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened,
}

#[derive(StoreSchema)]
#[schema(events = IssueEvent)]
struct WorkspaceSchema;

#[larder::materializer]
impl Materializer for WorkspaceSchema {
    fn materialize(event: &IssueEvent, _: &EventContext, _: &mut Tables<'_, Self>) -> MaterializeResult {
        match event {
            IssueEvent::Opened => Ok(()),
        }
    }
}

fn backend() -> Arc<dyn SyncBackend> {
    unimplemented!("never called")
}

fn wire_id(id: &StoreId) -> String {
    id.as_str().replace(':', "_")
}

#[derive(Debug)]
struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("refused")
    }
}

impl std::error::Error for Refused {}

define_store! {
    WorkspaceStore {
        crate: larder,
        name: "workspace",
        id: StoreId,
        schema: WorkspaceSchema,
        adapter: if cfg!(test) { SqliteAdapter::in_memory() } else { SqliteAdapter::persisted() },
        gc_time: std::time::Duration::from_secs(5),
        on_load: |store: &Store<WorkspaceStore>, _: LoadContext| {
            let refused = store.id().as_str() == "refused";
            async move { if refused { Err(Refused) } else { Ok(()) } }
        },
        durability: Durability::Power,
        unknown_events: UnknownEvents::Fail,
        max_event_bytes: 65_536,
        max_commit_events: 100,
        sync: backend(),
        sync_id: wire_id,
        sync_payload: Payload::new().with("token", "secret"),
        initial_sync: InitialSync::Skip,
        on_backend_change: OnBackendChange::Reset { resend_own: true },
        attributes: Attributes::new().with("team", "issues"),
        queries {},
    }
}

fn main() {
    let _ = |registry: &StoreRegistry| drop(registry.get::<WorkspaceStore>("workspace:7"));
}
