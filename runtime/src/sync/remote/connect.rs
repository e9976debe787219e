//! Opening a WebSocket.

use larder_wire::{Limits, Payload, Peer, Query, SUBPROTOCOL, StoreId, Transport};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Error, client::IntoClientRequest, error::ProtocolError, handshake::client::Request, http::HeaderValue,
        protocol::WebSocketConfig,
    },
};

use super::{
    door::{Door, offline},
    metered::{Arrived, Metered},
};
use crate::sync::BackendError;

pub(super) type Socket = WebSocketStream<Metered>;

/// What a TypeScript client's URL says: its one store, and its payload.
pub(super) struct OneStore {
    pub(super) sync_id: String,
    pub(super) payload: Option<Payload>,
}

/// Opens a WebSocket behind a door; with it, how much has arrived on it.
///
/// # Errors
/// Why there is no connection.
pub(super) async fn open(door: &Door, one_store: Option<OneStore>) -> Result<(Socket, Arrived), BackendError> {
    let request = request(door, one_store)?;
    let (line, arrived) = Metered::new(door.connect().await?);
    let config = WebSocketConfig::default()
        .max_message_size(Some(Limits::MESSAGE_BYTES))
        .max_frame_size(Some(Limits::MESSAGE_BYTES));
    match client_async_with_config(request, line, Some(config)).await {
        Ok((socket, _)) => Ok((socket, arrived)),
        Err(error) => Err(refused(door, error)),
    }
}

fn request(door: &Door, one_store: Option<OneStore>) -> Result<Request, BackendError> {
    let mut url = door.endpoint.address();
    if let Some(OneStore { sync_id, payload }) = one_store {
        let store_id = StoreId::new(&sync_id).map_err(|error| BackendError::Other(error.into()))?;
        let query = Query { store_id: Some(store_id), payload, transport: Some(Transport::WebSocket) };
        url = format!("{url}?{}", query.encode());
    }
    // The error may show the URL, and that has the payload in it.
    let no_url = |_: Error| BackendError::Other(format!("{} is no URL", door.endpoint.address()).into());
    let mut request = url.into_client_request().map_err(no_url)?;
    if door.peer == Peer::Larder {
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
    }
    Ok(request)
}

fn refused(door: &Door, error: Error) -> BackendError {
    let address = door.endpoint.address();
    match error {
        Error::Http(response) => {
            let status = response.status();
            let reason = format!("{address} answers {status}");
            match status.as_u16() {
                401 | 403 => BackendError::Unauthorized { reason },
                _ => BackendError::Other(reason.into()),
            }
        }
        Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(_)) => BackendError::Other(
            format!(
                "{address} is no larder server; for a backend of LiveStore say `WsBackend::builder(..).of_livestore()`"
            )
            .into(),
        ),
        error => offline(&error),
    }
}
