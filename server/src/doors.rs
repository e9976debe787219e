//! The doors: what is asked over HTTP and WebSockets, led to connections.
//!
//! No URL is logged here or anywhere: TypeScript clients put tokens into the query.

mod driver;
mod http;
mod socket;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{FromRequestParts as _, Request, State, WebSocketUpgrade},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, AUTHORIZATION,
            CONNECTION, CONTENT_TYPE, ORIGIN, SEC_WEBSOCKET_PROTOCOL, UPGRADE, VARY,
        },
        request::Parts,
    },
    response::{IntoResponse as _, Response},
    routing::get,
};
use larder_wire::{HEADER, HEADER_VALUE, PAYLOAD_HEADER, Payload, Peer, Query, SUBPROTOCOL, Transport};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    auth::{self, Access, Authorize, Refused, Verb},
    connection::{Opening, payloads},
    hub::Hub,
    metrics::Count,
    server::Guest,
    settings::Settings,
};

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) hub: Arc<Hub>,
    pub(crate) authorize: Arc<dyn Authorize>,
    pub(crate) settings: Settings,
    pub(crate) stopping: CancellationToken,
    pub(crate) started: Instant,
}

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new().route("/healthz", get(healthz)).route("/metrics", get(metrics)).fallback(door).with_state(shared)
}

async fn healthz(State(shared): State<Arc<Shared>>) -> Response {
    let (status, said) = if shared.stopping.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    } else if shared.hub.storage().healthy() {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the storage failed; look at the disk and start the server again\n")
    };
    (status, said).into_response()
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let text = shared.hub.metrics.text(shared.hub.followed(), shared.hub.storage().healthy());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

async fn door(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let Some(origin) = allowed_origin(&parts.headers, &shared.settings) else {
        return (StatusCode::FORBIDDEN, "this origin may not connect").into_response();
    };
    let mut answer = if parts.method == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        match enter(&shared, &mut parts, body).await {
            Ok(response) => response,
            Err(refusal) => refusal.into_response(),
        }
    };
    if answer.status().is_client_error() {
        // Whoever was refused takes nobody's place for the next try; and what could not be read counts for nothing on the next connection.
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    with_cors(answer, &parts.headers, origin)
}

/// Why a connection is not opened; nothing of the request is repeated.
type NotOpened = (StatusCode, String);

async fn enter(shared: &Arc<Shared>, parts: &mut Parts, body: Body) -> Result<Response, NotOpened> {
    let refused = |status: StatusCode, why: &str| Err((status, why.to_owned()));
    let Some(guest) = parts.extensions.get::<Arc<Guest>>().cloned() else {
        return refused(StatusCode::INTERNAL_SERVER_ERROR, "no connection");
    };
    if shared.stopping.is_cancelled() {
        return refused(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping");
    }
    if parts.method == Method::GET && parts.headers.contains_key(UPGRADE) {
        let peer = match parts.headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().any(offers_larder) {
            true => Peer::Larder,
            false => Peer::TypeScript,
        };
        let opening = open(shared, &guest, parts, peer, Transport::WebSocket).await?;
        let upgrade = WebSocketUpgrade::from_request_parts(parts, &()).await;
        let upgrade = upgrade.map_err(|rejection| (rejection.status(), rejection.body_text()))?;
        return Ok(socket::accept(upgrade, shared.clone(), guest, opening, parts.headers.clone()));
    }
    if parts.method == Method::POST {
        let peer = match parts.headers.get(HEADER).is_some_and(|value| value == HEADER_VALUE) {
            true => Peer::Larder,
            false => Peer::TypeScript,
        };
        let opening = open(shared, &guest, parts, peer, Transport::Http).await?;
        return http::answer(shared.clone(), guest, opening, parts.headers.clone(), body).await;
    }
    refused(StatusCode::METHOD_NOT_ALLOWED, "POST a request, or open a WebSocket")
}

fn offers_larder(header: &HeaderValue) -> bool {
    header.to_str().is_ok_and(|offers| offers.split(',').any(|offer| offer.trim() == SUBPROTOCOL))
}

/// How a connection begins, if it may.
async fn open(
    shared: &Shared,
    guest: &Guest,
    parts: &Parts,
    peer: Peer,
    door: Transport,
) -> Result<Opening, NotOpened> {
    let bad = |why: String| (StatusCode::BAD_REQUEST, why);
    let query = Query::parse(parts.uri.query().unwrap_or_default()).map_err(|error| bad(error.to_string()))?;
    query.payload.as_ref().map(payloads::bounded).transpose().map_err(bad)?;
    let opening = match peer {
        Peer::Larder => open_larder(shared, parts, query, door).await?,
        Peer::TypeScript => open_typescript(shared, parts, query, door).await?,
    };
    if opening.authenticated {
        guest.let_stay();
    }
    Ok(opening)
}

/// A TypeScript client names its store and itself in the URL.
async fn open_typescript(shared: &Shared, parts: &Parts, query: Query, door: Transport) -> Result<Opening, NotOpened> {
    let bad = |why: &str| (StatusCode::BAD_REQUEST, why.to_owned());
    let Some(store) = query.store_id else { return Err(bad("`storeId` is missing in the URL")) };
    let access =
        Access { verb: Verb::Connect, store: Some(&store), payload: query.payload.as_ref(), headers: &parts.headers };
    auth::ask(&*shared.authorize, access).await.map_err(|refused| not_permitted(shared, refused))?;
    Ok(Opening {
        peer: Peer::TypeScript,
        door,
        store: Some(store),
        payload: query.payload.map(Arc::new),
        authenticated: true,
    })
}

/// A larder client names its stores and itself in its requests, or itself in a header, and never in the URL.
async fn open_larder(shared: &Shared, parts: &Parts, query: Query, door: Transport) -> Result<Opening, NotOpened> {
    let bad = |why: &str| (StatusCode::BAD_REQUEST, why.to_owned());
    if query.payload.is_some() {
        return Err(bad("a larder client has its payload in requests or a header, not in the URL"));
    }
    let header = parts.headers.get(PAYLOAD_HEADER).map(|header| header.to_str().unwrap_or_default());
    let payload = header.map(Payload::from_header).transpose();
    let payload = payload.map_err(|_| bad("the header `x-larder-payload` is no percent-encoded JSON"))?;
    let bounded = payload.as_ref().map(payloads::bounded).transpose();
    bounded.map_err(|said| (StatusCode::BAD_REQUEST, said))?;
    let access = Access { verb: Verb::Connect, store: None, payload: payload.as_ref(), headers: &parts.headers };
    let authenticated = match auth::ask(&*shared.authorize, access).await {
        Ok(_) => true,
        Err(refused)
            if door == Transport::WebSocket && (payload.is_some() || parts.headers.contains_key(AUTHORIZATION)) =>
        {
            return Err(not_permitted(shared, refused));
        }
        // Its requests may say who asks, and over HTTP there is one that says for which store; it has a few seconds for that.
        Err(_) => false,
    };
    Ok(Opening { peer: Peer::Larder, door, store: query.store_id, payload: payload.map(Arc::new), authenticated })
}

fn not_permitted(shared: &Shared, refused: Refused) -> NotOpened {
    let refusal: larder_wire::Refusal = refused.into();
    shared.hub.metrics.count(Count::Refused(refusal.kind));
    let status = match refusal.kind {
        larder_wire::RefusalKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        kind => status_of(kind),
    };
    (status, refusal.message)
}

fn status_of(kind: larder_wire::RefusalKind) -> StatusCode {
    match kind {
        larder_wire::RefusalKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        larder_wire::RefusalKind::Forbidden => StatusCode::FORBIDDEN,
        // As the original server: an error of the protocol is an answer.
        _ => StatusCode::OK,
    }
}

/// What a page may be told of its origin; nothing where it may not connect.
fn allowed_origin(headers: &HeaderMap, settings: &Settings) -> Option<HeaderValue> {
    if settings.origins.is_empty() {
        return Some(HeaderValue::from_static("*"));
    }
    match headers.get(ORIGIN) {
        // No browser.
        None => Some(HeaderValue::from_static("null")),
        Some(origin) => settings.origins.iter().any(|allowed| origin == allowed.as_str()).then(|| origin.clone()),
    }
}

fn with_cors(mut answer: Response, asked: &HeaderMap, origin: HeaderValue) -> Response {
    let wanted = asked.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(VARY, HeaderValue::from_static("origin"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(HEADER));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    if let Some(wanted) = wanted {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted);
    }
    headers.insert(HeaderName::from_static(HEADER), HeaderValue::from_static(HEADER_VALUE));
    answer
}
