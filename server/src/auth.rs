//! Who may do what.

mod jwt;
mod rules;

use std::{fmt, panic::AssertUnwindSafe, time::Duration};

use axum::http::HeaderMap;
use futures_util::FutureExt as _;
use larder_wire::{Payload, StoreId};

use crate::storage::BoxFuture;

pub use jwt::JwtConfig;
pub use rules::{RuleConfig, Rules, RulesConfig, RulesError, Secret};

/// Decides who may do what: for each connection, and again for each push and pull. A live pull is decided again while it lasts, before
/// anything more is sent: when the permit has run out, when [`Settings::permit`](crate::Settings::permit) is over, and when
/// [`revision`](Self::revision) is another.
pub trait Authorize: Send + Sync + 'static {
    /// Whether it may be done. After 10 s without an answer it may not: the request is refused as [unavailable](Refused::Unavailable).
    ///
    /// # Errors
    /// [`Refused`]; the client is told the reason, so it repeats no secret.
    fn authorize<'a>(&'a self, access: Access<'a>) -> BoxFuture<'a, Result<Permit, Refused>>;

    /// A number that changes whenever earlier permits may no longer hold.
    fn revision(&self) -> u64 {
        0
    }
}

/// What somebody wants to do. Its `Debug` shows the names of headers alone, for their values may be secrets.
#[derive(Clone, Copy)]
pub struct Access<'a> {
    /// What.
    pub verb: Verb,
    /// With which store. None when a larder client opens a connection, which has many.
    pub store: Option<&'a StoreId>,
    /// What the app says of who asks. Its `Debug` shows nothing of it.
    pub payload: Option<&'a Payload>,
    /// The headers of the request that opened the connection. They may hold secrets.
    pub headers: &'a HeaderMap,
}

impl fmt::Debug for Access<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("verb", &self.verb)
            .field("store", &self.store)
            .field("payload", &self.payload)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// What somebody may want.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Open a connection.
    Connect,
    /// Read a store's events.
    Pull,
    /// Add to a store's events.
    Push,
}

/// It may be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permit {
    /// For how long this holds, at most: until a token expires.
    pub valid_for: Option<Duration>,
}

/// It may not be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody knows who asks: no token, a wrong one, or one that has expired. The client may ask its app for another one.
    #[error("{0}")]
    Unauthenticated(String),
    /// It is known who asks, and they may not.
    #[error("{0}")]
    Forbidden(String),
    /// That cannot be said now, because what knows it cannot be asked. The client tries again later.
    #[error("{0}")]
    Unavailable(String),
}

/// How long the rules may take for one answer. larder's clients give a request up after 20 s without one and ask again: a question that goes on
/// for longer would stand in the way of others.
const LONGEST_ANSWER: Duration = Duration::from_secs(10);

/// Asks the rules, which are the app's code: if they panic or take long nothing is permitted, and nobody else is worse off.
pub(crate) async fn ask(rules: &dyn Authorize, access: Access<'_>) -> Result<Permit, Refused> {
    let asking = AssertUnwindSafe(async { rules.authorize(access).await }).catch_unwind();
    let failed = match tokio::time::timeout(LONGEST_ANSWER, asking).await {
        Ok(Ok(answer)) => return answer,
        Ok(Err(_)) => "panicked",
        Err(_) => "took too long",
    };
    tracing::error!(verb = ?access.verb, store = ?access.store, "the access rules {failed}");
    Err(Refused::Unavailable("the server's access rules failed; try again later".to_owned()))
}

/// Permits everything to everybody.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenToAll;

impl Authorize for OpenToAll {
    fn authorize<'a>(&'a self, _access: Access<'a>) -> BoxFuture<'a, Result<Permit, Refused>> {
        Box::pin(std::future::ready(Ok(Permit::default())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Silent;

    impl Authorize for Silent {
        fn authorize<'a>(&'a self, _: Access<'a>) -> BoxFuture<'a, Result<Permit, Refused>> {
            Box::pin(std::future::pending())
        }
    }

    /// Else whoever asks again and again has all the questions at once that a connection may have, and the stores of all others wait.
    #[tokio::test(start_paused = true)]
    async fn a_rule_that_never_answers_is_given_up_before_a_client_asks_again() {
        let begun = tokio::time::Instant::now();
        let headers = HeaderMap::new();
        let answer = ask(&Silent, Access { verb: Verb::Pull, store: None, payload: None, headers: &headers }).await;
        assert!(matches!(answer, Err(Refused::Unavailable(_))), "{answer:?}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }
}
