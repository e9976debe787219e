//! The HTTP door: one request, one array of frames.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE},
    },
    response::Response,
};
use futures_util::stream;
use tokio::{
    sync::mpsc,
    time::{interval, timeout},
};
use tracing::Instrument as _;

use super::{
    NotOpened, Shared,
    driver::{Driver, beat},
    status_of,
};
use crate::{
    connection::{Connection, Done, Opening, Rates},
    server::Guest,
};

/// How long the request of somebody known may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);

/// Parts of an answer that wait for a client.
const PARTS: usize = 2;

/// How long a client may read nothing while a part waits for it.
const STALLED: Duration = Duration::from_secs(30);

/// Answers one request. A long answer is sent page by page: memory has one page of it.
pub(super) async fn answer(
    shared: Arc<Shared>,
    guest: Arc<Guest>,
    opening: Opening,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, NotOpened> {
    let (longest, unauthenticated) = (shared.settings.wire.message_bytes, shared.settings.unauthenticated);
    let too_long = format!("a message has at most {longest} bytes; send fewer or smaller events at once");
    // Somebody unknown has the time that the connection has.
    let time = if guest.is_known() {
        unauthenticated.max(ARRIVAL).saturating_add(on_its_way(&headers, longest))
    } else {
        unauthenticated
    };
    let read = timeout(time.saturating_sub(guest.since().elapsed()), to_bytes(body, longest)).await;
    let read = read.map_err(|_| (StatusCode::REQUEST_TIMEOUT, "the request did not arrive in time".to_owned()))?;
    let body = read.map_err(|_| (StatusCode::PAYLOAD_TOO_LARGE, too_long))?;
    let text = String::from_utf8(body.into());
    let text = text.map_err(|_| (StatusCode::BAD_REQUEST, "the body is no UTF-8; send JSON".to_owned()))?;
    let (parts, mut answered) = mpsc::channel(PARTS);
    let span = tracing::info_span!("request", connection = guest.number, peer = ?opening.peer);
    let exchange = Exchange::new(shared, guest, opening, headers, parts);
    tokio::spawn(exchange.run(text).instrument(span));
    // The first part decides the status.
    let Some(Part { status, bytes }) = answered.recv().await else {
        return Err((StatusCode::INTERNAL_SERVER_ERROR, "the request was not answered".to_owned()));
    };
    let rest = stream::unfold((Some(bytes), answered), |(first, mut answered)| async move {
        let bytes = match first {
            Some(bytes) => bytes,
            None => answered.recv().await?.bytes,
        };
        Some((Ok::<_, Infallible>(bytes), (None, answered)))
    });
    let mut response = Response::new(Body::from_stream(rest));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// How long a body of that length may be on its way: 8 kB a second is slower than any network that is of use.
fn on_its_way(headers: &HeaderMap, longest: usize) -> Duration {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    Duration::from_millis(length.unwrap_or(longest).min(longest) as u64 / 8)
}

struct Part {
    status: StatusCode,
    bytes: Bytes,
}

struct Exchange {
    connection: Connection,
    driver: Driver,
    shared: Arc<Shared>,
    guest: Arc<Guest>,
    parts: mpsc::Sender<Part>,
    begun: bool,
}

impl Exchange {
    fn new(
        shared: Arc<Shared>,
        guest: Arc<Guest>,
        opening: Opening,
        headers: HeaderMap,
        parts: mpsc::Sender<Part>,
    ) -> Self {
        let driver = Driver::new(shared.clone(), headers, guest.opened);
        let rates = guest.rates().take().unwrap_or_else(|| Rates::new(&shared.settings));
        // One request is all there is: it is permitted or refused, and the time for that is the body's.
        let opening = Opening { authenticated: true, ..opening };
        let connection = Connection::new(opening, shared.settings.clone()).with_rates(rates);
        Self { connection, driver, shared, guest, parts, begun: false }
    }

    async fn run(mut self, text: String) {
        self.connection.frame(&text, self.driver.now());
        drop(text);
        let mut beat = interval(beat(&self.shared));
        loop {
            self.driver.carry_out(&mut self.connection);
            let closing = self.connection.closing().is_some();
            while let Some(frame) = self.connection.pop(self.driver.now()) {
                if self.send(frame).await.is_err() {
                    return;
                }
                self.driver.carry_out(&mut self.connection);
            }
            if closing || (self.connection.is_idle() && !self.driver.is_busy()) {
                break;
            }
            tokio::select! {
                done = self.driver.next() => {
                    if matches!(done, Done::Authorized { answer: Ok(_), .. }) {
                        self.guest.let_stay();
                    }
                    self.connection.done(done, self.driver.now());
                }
                _ = beat.tick() => self.connection.tick(self.driver.now()),
                // Whoever asked is gone; a push that has begun goes on without.
                () = self.parts.closed() => return,
            }
        }
        self.finish().await;
    }

    async fn send(&mut self, frame: String) -> Result<(), ()> {
        let lead = if std::mem::replace(&mut self.begun, true) { "," } else { "[" };
        let status = self.driver.refused.map_or(StatusCode::OK, status_of);
        let part = Part { status, bytes: Bytes::from(format!("{lead}{frame}")) };
        hand_on(&self.guest, &self.parts, part).await
    }

    async fn finish(self) {
        let part = match (self.begun, self.connection.closing()) {
            (true, _) => Part { status: StatusCode::OK, bytes: Bytes::from_static(b"]") },
            (false, None) => Part { status: StatusCode::OK, bytes: Bytes::from_static(b"[]") },
            (false, Some(close)) => {
                Part { status: StatusCode::TOO_MANY_REQUESTS, bytes: Bytes::from_static(close.reason.as_bytes()) }
            }
        };
        *self.guest.rates() = Some(self.connection.into_rates());
        let _ = hand_on(&self.guest, &self.parts, part).await;
    }
}

/// Hands a part on when there is room, to a client that reads: on a slow network a part may be long on its way.
async fn hand_on(guest: &Guest, parts: &mpsc::Sender<Part>, part: Part) -> Result<(), ()> {
    let sending = parts.send(part);
    tokio::pin!(sending);
    loop {
        let written = guest.traffic.written();
        match timeout(STALLED, sending.as_mut()).await {
            Ok(sent) => return sent.map_err(|_| ()),
            Err(_) if guest.traffic.written() > written => {}
            Err(_) => return Err(()),
        }
    }
}
