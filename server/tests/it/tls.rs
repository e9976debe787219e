//! TLS on the way to the server, as a proxy in front of it does it; and certificates that are not to be trusted.

use std::{net::SocketAddr, sync::Arc};

use larder::{
    BackendError, BackendUrlError, HttpBackend, Payload, PullRequest, PushAnswer, PushRequest, SyncBackend,
    UntrustedServer, WsBackend, testing::sync_backend_conforms,
};
use larder_server::{MemoryStorage, OpenToAll, Settings};
use rcgen::CertifiedKey;
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use crate::{apps::PATIENCE, lab::Lab};

/// Ends TLS in front of a server, for one name; its port, and its certificate in DER.
async fn proxy(server: SocketAddr, name: &str) -> (u16, Vec<u8>) {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a configuration");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("a port").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // Who does not trust the certificate goes away.
                let Ok(mut client) = acceptor.accept(stream).await else { return };
                let mut server = TcpStream::connect(server).await.expect("the server is there");
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (port, cert.der().to_vec())
}

/// A client over WebSockets and one over HTTP, that trust a certificate if they are given one.
fn clients(host: &str, port: u16, trusted: Option<&[u8]>) -> [Arc<dyn SyncBackend>; 2] {
    let (mut ws, mut http) =
        (WsBackend::builder(format!("wss://{host}:{port}")), HttpBackend::builder(format!("https://{host}:{port}")));
    if let Some(trusted) = trusted {
        (ws, http) = (ws.trusting(trusted), http.trusting(trusted));
    }
    [ws.build().expect("a URL"), http.build().expect("a URL")]
}

async fn lab() -> Lab {
    let settings = Settings { pushes_per_second: 10_000, ..Settings::default() };
    Lab::start(settings, Arc::new(MemoryStorage::new()), Arc::new(OpenToAll)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_both_backends_are_as_apps_expect_them() {
    let lab = lab().await;
    let (port, certificate) = proxy(lab.address, "localhost").await;
    let [ws, http] = clients("localhost", port, Some(&certificate));
    let [ws_too, http_too] = clients("localhost", port, Some(&certificate));
    timeout(PATIENCE, sync_backend_conforms([ws, ws_too])).await.expect("it answers");
    timeout(PATIENCE, sync_backend_conforms([http, http_too])).await.expect("it answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_certificate_that_nobody_trusts_gets_nothing_and_is_said_to_be_one() {
    let lab = lab().await;
    let (port, certificate) = proxy(lab.address, "localhost").await;
    let (other_port, other) = proxy(lab.address, "other.example").await;
    let cases = [
        ("an authority that nobody trusts", port, None),
        ("the certificate of somebody else", port, Some(other.as_slice())),
        ("another name", other_port, Some(other.as_slice())),
    ];
    for (why, port, trusted) in cases {
        for backend in clients("localhost", port, trusted) {
            let address = backend.identity().to_owned();
            let is_typed = |error: BackendError| match error {
                BackendError::Other(error) => {
                    let untrusted = error.downcast_ref::<UntrustedServer>().unwrap_or_else(|| panic!("{why}: {error}"));
                    assert_eq!(untrusted.address, address, "{why}");
                }
                other => panic!("{why}: {other:?}"),
            };
            is_typed(backend.connect().await.expect_err(why));
            let payload = Payload::new().with("authToken", "canary");
            let push = PushRequest::new("a", 0, &[], &payload).backend_id(Some("log"));
            is_typed(backend.push(push).await.expect_err(why));
            let mut pull = backend.pull(PullRequest::new("a", &payload));
            is_typed(futures_util::StreamExt::next(&mut pull).await.expect("an answer").expect_err(why));
        }
    }
    assert_eq!(lab.metric("pushes_total").await, 0, "nothing came to the server");
    for backend in clients("localhost", port, Some(&certificate)) {
        let payload = Payload::new();
        let answer = backend.push(PushRequest::new("a", 0, &[], &payload)).await;
        assert!(matches!(answer, Ok(PushAnswer::Accepted { .. })), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_no_tls_is_offline_and_a_certificate_that_is_none_is_refused_at_once() {
    let lab = lab().await;
    for backend in clients("localhost", lab.address.port(), None) {
        let error = backend.connect().await.expect_err("plain text");
        assert!(matches!(error, BackendError::Offline { .. }), "{error:?}");
    }
    let none = HttpBackend::builder("https://localhost").trusting(b"no certificate".as_slice()).build();
    assert!(matches!(none, Err(BackendUrlError::Invalid { .. })), "{none:?}");
}
