//! A new event does not compile until the materializer handles it.

use larder::prelude::*;

#[larder::materializer]
impl Materializer for WorkspaceSchema {
    fn materialize(event: &IssueEvent, _: &EventContext, _: &mut Tables<'_, Self>) -> MaterializeResult {
        match event {
            IssueEvent::Opened { .. } => Ok(()),
        }
    }
}

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened { number: i64 },
    #[event(name = "v1.IssueClosed")]
    Closed { number: i64 },
}

#[derive(StoreSchema)]
#[schema(events = IssueEvent)]
struct WorkspaceSchema;

fn main() {}
