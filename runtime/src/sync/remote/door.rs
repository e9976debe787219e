//! The way to a server: a TCP connection, with TLS where its URL says so.

use std::{io, sync::Arc};

use larder_wire::Peer;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{
    endpoint::{BackendUrlError, Endpoint, Scheme},
    pace::Allowance,
};
use crate::{clock::Runtime, error::BoxError, sync::BackendError};

/// Whom one expects to find, and how to be sure.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) endpoint: Endpoint,
    pub(super) peer: Peer,
    pub(super) tls: TlsConnector,
}

/// An open connection, in plain text or not.
pub(super) type Line = Box<dyn Io>;

/// What is read and written.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A server's certificate is not one that it may be known by: of an authority that nobody trusts, of another name, or out of date. It is inside
/// [`BackendError::Other`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{address} has a certificate that is not trusted: {reason}; give it another one, or trust its authority with `.trusting(certificate)`"
)]
#[non_exhaustive]
pub struct UntrustedServer {
    /// Where the server is.
    pub address: String,
    /// What is wrong with the certificate.
    pub reason: String,
}

/// How a server is to be reached: what the builders of both backends are told.
#[derive(Clone, Debug)]
pub(super) struct Directions {
    url: String,
    pub(super) livestore: bool,
    pub(super) plain_text: bool,
    pub(super) trusted: Vec<Vec<u8>>,
    pub(super) allowance: Allowance,
}

impl Directions {
    pub(super) fn to(url: String) -> Self {
        Self { url, livestore: false, plain_text: false, trusted: Vec::new(), allowance: Allowance::default() }
    }

    /// The door, and what its sockets run on. Nothing is connected yet.
    ///
    /// # Errors
    /// What of it cannot be followed.
    pub(super) fn follow(self, scheme: Scheme) -> Result<(Door, Runtime), BackendUrlError> {
        let endpoint = Endpoint::parse(&self.url, scheme, self.plain_text)?;
        let invalid = |reason: String| BackendUrlError::Invalid { reason };
        let tls = tls(&self.trusted).map_err(|error| invalid(format!("TLS cannot be set up: {error}")))?;
        let peer = if self.livestore { Peer::TypeScript } else { Peer::Larder };
        Ok((Door { endpoint, peer, tls }, Runtime::for_sockets().map_err(invalid)?))
    }
}

/// Trusts the certificates that browsers trust, and these.
fn tls(trusted: &[Vec<u8>]) -> Result<TlsConnector, BoxError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for certificate in trusted {
        roots.add(CertificateDer::from(certificate.clone()))?;
    }
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}

impl Door {
    /// Connects, and looks whether it is the right one who answers.
    ///
    /// # Errors
    /// Why there is no connection.
    pub(super) async fn connect(&self) -> Result<Line, BackendError> {
        let Endpoint { host, port, tls, .. } = &self.endpoint;
        let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(|error| offline(&error))?;
        // What is sent is one message each, and waited for.
        stream.set_nodelay(true).map_err(|error| offline(&error))?;
        if !tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(host.clone()).map_err(|error| BackendError::Other(error.into()))?;
        match self.tls.connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(self.not_trusted(&error)),
        }
    }

    /// Whether a server answers there, whatever it says: a connection alone says nothing, as what stands in front of a server takes it, too.
    ///
    /// # Errors
    /// Why none does.
    pub(super) async fn knock(&self) -> Result<(), BackendError> {
        let mut line = self.connect().await?;
        let (path, authority) = (self.endpoint.path(), self.endpoint.authority());
        let asked = format!("GET {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
        line.write_all(asked.as_bytes()).await.map_err(|error| offline(&error))?;
        let mut begin = [0; "HTTP/1.1 200".len()];
        line.read_exact(&mut begin).await.map_err(|error| offline(&error))?;
        match &begin {
            // A gateway that has nobody behind it.
            [b'H', b'T', b'T', b'P', .., b'5', b'0', b'2'..=b'4'] => {
                let status = String::from_utf8_lossy(&begin[9..]).into_owned();
                Err(BackendError::Offline { reason: format!("{} answers {status}", self.endpoint.address()) })
            }
            [b'H', b'T', b'T', b'P', ..] => Ok(()),
            _ => Err(BackendError::Other(format!("{} speaks no HTTP", self.endpoint.address()).into())),
        }
    }

    fn not_trusted(&self, error: &io::Error) -> BackendError {
        let address = self.endpoint.address();
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(rustls::Error::InvalidCertificate(why)) => {
                let reason = rustls::Error::InvalidCertificate(why.clone()).to_string();
                BackendError::Other(UntrustedServer { address, reason }.into())
            }
            _ => BackendError::Offline { reason: format!("{address}: {error}") },
        }
    }
}

pub(super) fn offline(error: &dyn std::error::Error) -> BackendError {
    BackendError::Offline { reason: error.to_string() }
}
