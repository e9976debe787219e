//! The options of a load, all layers resolved.

use std::sync::Arc;

use crate::options::{GcTime, Payload, ResolvedOptions, StoreOptions};

/// The options of a load.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) resolved: Arc<ResolvedOptions>,
    /// Of the definition: later calls bring their own on top.
    pub(super) gc_time: Option<GcTime>,
    pub(super) payloads: Payloads,
    pub(super) in_memory: bool,
    /// False for a store that is opened only to send what it has not sent.
    pub(super) runs_on_load: bool,
    /// The load makes no new store.
    pub(super) existing: bool,
}

/// What goes on top of the registry's payload. Apart, because the registry's may be replaced, and a later call's replaces an earlier one's.
#[derive(Clone, Default)]
pub(super) struct Payloads {
    pub(super) definition: Payload,
    /// Of all calls so far.
    pub(super) calls: Payload,
}

impl Plan {
    /// Whether both say the same. What one of them holds of the app's, the other holds too.
    pub(super) fn same(&self, other: &Self) -> bool {
        let Self { resolved, gc_time, payloads, in_memory, runs_on_load, existing } = self;
        resolved.same(&other.resolved)
            && *gc_time == other.gc_time
            && payloads.definition.same(&other.payloads.definition)
            && payloads.calls.same(&other.payloads.calls)
            && (*in_memory, *runs_on_load, *existing) == (other.in_memory, other.runs_on_load, other.existing)
    }

    /// The payload of all layers, on top of these defaults.
    pub(super) fn payload(&self, defaults: &StoreOptions) -> Payload {
        let registry = defaults.sync_payload.clone().unwrap_or_default();
        registry.merge(self.payloads.definition.clone()).merge(self.payloads.calls.clone())
    }

    /// The same with another payload.
    pub(super) fn with_payload(&self, payload: Payload) -> Self {
        let mut plan = self.clone();
        Arc::make_mut(&mut plan.resolved).sync_payload = payload;
        plan
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        id::StoreId,
        options::{Attributes, Durability, InitialSync, Layers, UnknownEvents},
        sync::{LocalBackend, OnBackendChange},
    };

    fn plan(definition: StoreOptions, call: StoreOptions) -> Plan {
        let registry = StoreOptions::new().attributes(Attributes::new().with("tenant", 7));
        Plan {
            resolved: Arc::new(Layers { registry: &registry, definition: &definition, call: &call }.resolve()),
            gc_time: definition.gc_time,
            payloads: Payloads {
                definition: definition.sync_payload.unwrap_or_default(),
                calls: call.sync_payload.unwrap_or_default(),
            },
            in_memory: false,
            runs_on_load: true,
            existing: false,
        }
    }

    /// One option each, every option there is but the gc time.
    fn options() -> Vec<StoreOptions> {
        let new = StoreOptions::new;
        let token = |token: &'static str| Payload::new().with("authToken", json!(token));
        vec![
            new(),
            new().durability(Durability::Power),
            new().unknown_events(UnknownEvents::Fail),
            new().max_event_bytes(1_000),
            new().max_commit_events(10),
            new().sync(LocalBackend::new("one")),
            new().sync(LocalBackend::new("one")),
            new().sync_id(|id: &StoreId| format!("one-{id}")),
            new().sync_id(|id: &StoreId| format!("two-{id}")),
            new().initial_sync(InitialSync::Blocking { timeout: std::time::Duration::from_secs(1) }),
            new().on_backend_change(OnBackendChange::Reset { resend_own: true }),
            new().sync_payload(token("one")),
            new().sync_payload(token("two")),
            new().sync_payload(Payload::provider(|| async { Ok(Payload::new()) })),
            new().attributes(Attributes::new().with("tenant", 8)),
        ]
    }

    #[test]
    fn plans_are_the_same_exactly_when_every_option_is() {
        let all = options();
        for (at, one) in all.iter().enumerate() {
            for (other_at, other) in all.iter().enumerate() {
                let of_calls = plan(StoreOptions::new(), one.clone()).same(&plan(StoreOptions::new(), other.clone()));
                assert_eq!(of_calls, at == other_at, "{one:?} and {other:?} as calls");
                let of_definitions =
                    plan(one.clone(), StoreOptions::new()).same(&plan(other.clone(), StoreOptions::new()));
                assert_eq!(of_definitions, at == other_at, "{one:?} and {other:?} as definitions");
            }
        }
    }

    #[test]
    fn a_plan_that_differs_in_what_is_no_option_is_another() {
        let plain = || plan(StoreOptions::new(), StoreOptions::new());
        assert!(plain().same(&plain()));
        let gc_time = plan(StoreOptions::new().gc_time(GcTime::minutes(5)), StoreOptions::new());
        let others = [
            gc_time,
            Plan { in_memory: true, ..plain() },
            Plan { runs_on_load: false, ..plain() },
            Plan { existing: true, ..plain() },
        ];
        assert!(others.iter().all(|other| !plain().same(other)));
    }
}
