//! Opening a WebSocket.

use std::sync::Arc;

use larder_wire::{Limits, Payload, Peer, Query, SUBPROTOCOL, StoreId, Transport};
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config,
    tungstenite::{
        Error,
        client::IntoClientRequest,
        error::{ProtocolError, TlsError},
        handshake::client::Request,
        http::HeaderValue,
        protocol::WebSocketConfig,
    },
};

use super::endpoint::Endpoint;
use crate::{error::BoxError, sync::BackendError};

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Whom one expects to find, and how to be sure.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) endpoint: Endpoint,
    pub(super) peer: Peer,
    pub(super) tls: Arc<ClientConfig>,
}

/// What a TypeScript client's URL says: its one store, and its payload.
pub(super) struct OneStore {
    pub(super) sync_id: String,
    pub(super) payload: Option<Payload>,
}

/// Trusts the certificates that browsers trust, and these.
pub(super) fn tls(trusted: &[Vec<u8>]) -> Result<Arc<ClientConfig>, BoxError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for certificate in trusted {
        roots.add(CertificateDer::from(certificate.clone()))?;
    }
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

impl Door {
    /// Whether somebody listens there.
    ///
    /// # Errors
    /// Why not.
    pub(super) async fn knock(&self) -> Result<TcpStream, BackendError> {
        let Endpoint { host, port, .. } = &self.endpoint;
        TcpStream::connect((host.as_str(), *port)).await.map_err(|error| offline(&error))
    }

    /// # Errors
    /// Why there is no connection.
    pub(super) async fn open(&self, one_store: Option<OneStore>) -> Result<Socket, BackendError> {
        let request = self.request(one_store)?;
        let stream = self.knock().await?;
        // What is sent is one message each, and waited for.
        stream.set_nodelay(true).map_err(|error| offline(&error))?;
        let connector = if self.endpoint.tls { Connector::Rustls(Arc::clone(&self.tls)) } else { Connector::Plain };
        let config = WebSocketConfig::default()
            .max_message_size(Some(Limits::MESSAGE_BYTES))
            .max_frame_size(Some(Limits::MESSAGE_BYTES));
        match client_async_tls_with_config(request, stream, Some(config), Some(connector)).await {
            Ok((socket, _)) => Ok(socket),
            Err(error) => Err(self.refused(error)),
        }
    }

    fn request(&self, one_store: Option<OneStore>) -> Result<Request, BackendError> {
        let mut url = self.endpoint.address();
        if let Some(OneStore { sync_id, payload }) = one_store {
            let store_id = StoreId::new(&sync_id).map_err(|error| BackendError::Other(error.into()))?;
            let query = Query { store_id: Some(store_id), payload, transport: Some(Transport::WebSocket) };
            url = format!("{url}?{}", query.encode());
        }
        // The error may show the URL, and that has the payload in it.
        let no_url = |_: Error| BackendError::Other(format!("{} is no URL", self.endpoint.address()).into());
        let mut request = url.into_client_request().map_err(no_url)?;
        if self.peer == Peer::Larder {
            request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
        }
        Ok(request)
    }

    fn refused(&self, error: Error) -> BackendError {
        let address = self.endpoint.address();
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
                format!("{address} is no larder server; for a backend of LiveStore say `WsBackend::builder(..).of_livestore()`")
                    .into(),
            ),
            Error::Tls(TlsError::Rustls(error)) => BackendError::Offline { reason: format!("{address}: {error}") },
            error => offline(&error),
        }
    }
}

fn offline(error: &dyn std::error::Error) -> BackendError {
    BackendError::Offline { reason: error.to_string() }
}
