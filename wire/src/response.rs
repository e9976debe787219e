//! What a pull is answered with.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Event, EventId, Peer, option};

/// One page of a pull.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PullResponse {
    /// The events, in order. A pull without events has one page with none.
    pub batch: Vec<Arc<PulledEvent>>,
    /// Whether more pages follow.
    pub page_info: PageInfo,
    /// The backend's identity.
    pub backend_id: String,
    /// The log's last number when the page was read. Only larder peers are told: a head below what a client has is a log that went back.
    #[serde(default)]
    pub head: Option<u64>,
}

/// An event with what the backend says of it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PulledEvent {
    /// The event.
    #[serde(rename = "eventEncoded")]
    pub event: Event,
    /// What the backend says of it, if anything.
    #[serde(with = "option")]
    pub metadata: Option<Metadata>,
}

/// What the backend says of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "_tag", rename = "SyncMessage.SyncMetadata", rename_all = "camelCase")]
pub struct Metadata {
    /// When the backend took it, such as `2026-11-22T15:09:30.231Z`.
    pub created_at: String,
}

/// Whether more pages follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "_tag")]
pub enum PageInfo {
    /// This was the last page.
    NoMore,
    /// So many events follow.
    MoreKnown {
        /// How many.
        remaining: u64,
    },
    /// More follow.
    MoreUnknown,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PullResponseOut<'a> {
    batch: Vec<PulledEventOut<'a>>,
    page_info: PageInfo,
    backend_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PulledEventOut<'a> {
    event_encoded: EventOut<'a>,
    #[serde(serialize_with = "option::serialize")]
    metadata: Option<&'a Metadata>,
}

/// An event as one peer gets it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventOut<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<&'a RawValue>,
    seq_num: u64,
    parent_seq_num: u64,
    client_id: &'a str,
    session_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<EventId>,
}

impl<'a> EventOut<'a> {
    pub(crate) fn new(event: &'a Event, peer: Peer) -> Self {
        Self {
            name: &event.name,
            args: event.args.as_deref(),
            seq_num: event.seq_num,
            parent_seq_num: event.parent_seq_num,
            client_id: &event.client_id,
            session_id: &event.session_id,
            id: event.id.filter(|_| peer == Peer::Larder),
        }
    }
}

impl PullResponse {
    pub(crate) fn out(&self, peer: Peer) -> PullResponseOut<'_> {
        PullResponseOut {
            batch: self
                .batch
                .iter()
                .map(|pulled| PulledEventOut {
                    event_encoded: EventOut::new(&pulled.event, peer),
                    metadata: pulled.metadata.as_ref(),
                })
                .collect(),
            page_info: self.page_info,
            backend_id: &self.backend_id,
            head: self.head.filter(|_| peer == Peer::Larder),
        }
    }
}
