//! Where a backend is, as its URL says.

use std::net::IpAddr;

use http::Uri;

/// Why a URL is none that a backend is reached by. What may be a secret in it is not shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackendUrlError {
    /// It is no URL, or one of something else.
    #[error("this is no URL of a sync server: {reason}")]
    Invalid {
        /// What is wrong with it.
        reason: String,
    },
    /// It names a user, or has a query.
    #[error(
        "the URL of {host} has a user or a query in it, and URLs end in logs; put what the server is told into `sync_payload`"
    )]
    Secrets {
        /// The host.
        host: String,
    },
    /// What is sent there could be read on the way.
    #[error(
        "`{address}` is reached in plain text, which anybody on the way can read; use `wss://` or `https://`, or `.in_plain_text()` where you trust the network"
    )]
    PlainText {
        /// The address.
        address: String,
    },
}

/// The protocol that a URL names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    #[cfg(any(test, feature = "ws"))]
    WebSocket,
    #[cfg(any(test, feature = "http"))]
    Http,
}

impl Scheme {
    /// Its name with TLS, and in plain text.
    fn names(self) -> [&'static str; 2] {
        match self {
            #[cfg(any(test, feature = "ws"))]
            Self::WebSocket => ["wss", "ws"],
            #[cfg(any(test, feature = "http"))]
            Self::Http => ["https", "http"],
        }
    }
}

/// A host, a port and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    scheme: Scheme,
    pub(super) tls: bool,
    /// A name or an IP address, without the brackets of IPv6.
    pub(super) host: String,
    pub(super) port: u16,
    path: String,
}

impl Endpoint {
    /// Of a URL that begins with one of a scheme's names.
    pub(super) fn parse(url: &str, scheme: Scheme, plain_text: bool) -> Result<Self, BackendUrlError> {
        let [secure, plain] = scheme.names();
        let invalid = |reason: &str| BackendUrlError::Invalid {
            reason: format!("{reason}; write it as `{secure}://sync.example.com`"),
        };
        let uri: Uri = url.parse().map_err(|_| invalid("it does not parse"))?;
        let tls = match uri.scheme_str() {
            Some(name) if name == secure => true,
            Some(name) if name == plain => false,
            _ => return Err(invalid(&format!("it begins neither with `{secure}://` nor with `{plain}://`"))),
        };
        let authority = uri.authority().ok_or_else(|| invalid("it names no host"))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(invalid("it names no host"));
        }
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(BackendUrlError::Secrets { host });
        }
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let endpoint = Self { scheme, tls, host, port, path: uri.path().to_owned() };
        if !tls && !plain_text && !endpoint.is_loopback() {
            return Err(BackendUrlError::PlainText { address: endpoint.address() });
        }
        Ok(endpoint)
    }

    /// Whether what is sent there stays on this machine.
    fn is_loopback(&self) -> bool {
        let is_name =
            self.host.eq_ignore_ascii_case("localhost") || self.host.to_ascii_lowercase().ends_with(".localhost");
        is_name || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// The URL without anything that could be left out: what names the backend in the catalog, too.
    pub(super) fn address(&self) -> String {
        let [secure, plain] = self.scheme.names();
        let scheme = if self.tls { secure } else { plain };
        format!("{scheme}://{}{}", self.authority(), self.path)
    }

    /// The host and the port.
    pub(super) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::{BackendUrlError, Endpoint, Scheme};

    #[test]
    fn plain_text_is_for_this_machine_or_where_it_is_asked_for() {
        for url in
            ["ws://localhost:7000", "ws://127.0.0.1:7000/a", "ws://[::1]:7000", "ws://a.localhost", "wss://example.com"]
        {
            assert!(Endpoint::parse(url, Scheme::WebSocket, false).is_ok(), "{url}");
        }
        for url in ["ws://example.com", "ws://10.0.0.1:80", "ws://localhost.example.com"] {
            assert!(
                matches!(Endpoint::parse(url, Scheme::WebSocket, false), Err(BackendUrlError::PlainText { .. })),
                "{url}"
            );
            assert!(Endpoint::parse(url, Scheme::WebSocket, true).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_url_with_a_secret_is_refused_and_the_secret_is_not_shown() {
        for url in ["wss://user:canary@example.com", "wss://example.com/a?token=canary"] {
            let error = Endpoint::parse(url, Scheme::WebSocket, false).unwrap_err();
            assert!(matches!(&error, BackendUrlError::Secrets { host } if host == "example.com"), "{error}");
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
        for url in ["", "example.com", "https://example.com", "wss://", "wss:///path", "canary\u{0}"] {
            let error = Endpoint::parse(url, Scheme::WebSocket, true).unwrap_err();
            assert!(matches!(error, BackendUrlError::Invalid { .. }), "{url}: {error}");
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
    }

    #[test]
    fn an_address_is_the_same_however_its_url_is_written() {
        let address = |url| Endpoint::parse(url, Scheme::WebSocket, false).unwrap().address();
        assert_eq!(address("wss://example.com"), address("wss://example.com:443/"));
        assert_eq!(address("ws://[::1]:7"), "ws://[::1]:7/");
        let of_http = |url| Endpoint::parse(url, Scheme::Http, false);
        assert_eq!(of_http("https://example.com/a").unwrap().address(), "https://example.com:443/a");
        assert!(matches!(of_http("http://example.com"), Err(BackendUrlError::PlainText { .. })));
        assert!(matches!(of_http("wss://example.com"), Err(BackendUrlError::Invalid { .. })));
    }
}
