//! The WebSocket door.

use std::{future::poll_fn, sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::{
        WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket},
    },
    http::HeaderMap,
    response::Response,
};
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use larder_wire::SUBPROTOCOL;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tracing::Instrument as _;

use super::{
    Shared,
    driver::{Driver, beat},
};
use crate::{
    connection::{Close, Connection, Opening},
    metrics::Gauge,
    server::{Guest, impatient::Traffic},
};

/// After so long without a word the other side is asked whether it is there; after twice as long it is gone.
const SILENCE: Duration = Duration::from_secs(30);

/// How long the other side may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

const NO_TEXT: Close = Close { code: 1007, reason: "the message is no UTF-8" };

/// Takes a WebSocket; what is said on it is led to a connection.
pub(super) fn accept(
    upgrade: WebSocketUpgrade,
    shared: Arc<Shared>,
    guest: Arc<Guest>,
    opening: Opening,
    headers: HeaderMap,
) -> Response {
    let longest = shared.settings.wire.message_bytes;
    let upgrade = upgrade.max_message_size(longest).max_frame_size(longest).protocols([SUBPROTOCOL]);
    let span = tracing::info_span!("socket", connection = guest.number, peer = ?opening.peer);
    upgrade.on_failed_upgrade(|_| tracing::debug!("an upgrade failed")).on_upgrade(move |socket| {
        async move {
            let metrics = shared.hub.metrics.clone();
            let _open = metrics.lasting(Gauge::Sockets);
            tracing::debug!(store = ?opening.store, "open");
            Socket::new(socket, shared, &guest, opening, headers).run().await;
        }
        .instrument(span)
    })
}

struct Socket {
    sink: SplitSink<WebSocket, Message>,
    stream: SplitStream<WebSocket>,
    connection: Connection,
    driver: Driver,
    shared: Arc<Shared>,
    traffic: Arc<Traffic>,
    /// How much of it there was at the last beat: read, and written.
    had: (u64, u64),
    heard_at: Instant,
    asked: bool,
    /// Whether something was handed to the socket that may not be on its way yet.
    unflushed: bool,
}

/// How a connection ended.
enum End {
    /// We say so.
    Ours(Close),
    /// The other side said so.
    Theirs,
    /// It broke.
    Gone,
}

impl Socket {
    fn new(socket: WebSocket, shared: Arc<Shared>, guest: &Guest, opening: Opening, headers: HeaderMap) -> Self {
        let (sink, stream) = socket.split();
        let driver = Driver::new(shared.clone(), headers, guest.since());
        let connection = Connection::new(opening, shared.settings.clone());
        let (traffic, heard_at) = (guest.traffic.clone(), Instant::now());
        let had = (traffic.read(), traffic.written());
        Self { sink, stream, connection, driver, shared, traffic, had, heard_at, asked: false, unflushed: false }
    }

    async fn run(mut self) {
        match self.talk().await {
            End::Ours(close) => {
                tracing::debug!(code = close.code, reason = close.reason, "closing");
                // What was answered before goes out before, if the other side reads at all.
                let _ = timeout(GOODBYE, self.say_goodbye(close)).await;
            }
            End::Theirs => {
                // The answer to a close frame goes out with the next flush.
                let _ = timeout(GOODBYE, async { while let Some(Ok(_)) = self.stream.next().await {} }).await;
                tracing::debug!("closed");
            }
            End::Gone => tracing::debug!("gone"),
        }
    }

    async fn talk(&mut self) -> End {
        let mut beat = interval(beat(&self.shared));
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mailbox = self.driver.mailbox();
        let stopping = self.shared.stopping.clone();
        let mut told_to_stop = false;
        loop {
            self.driver.carry_out(&mut self.connection);
            if let Some(close) = self.connection.closing() {
                return End::Ours(close.clone());
            }
            let has_outgoing = self.connection.has_outgoing();
            tokio::select! {
                message = self.stream.next() => {
                    if let Some(end) = self.heard(message) {
                        return end;
                    }
                }
                done = self.driver.next() => self.connection.done(done, self.driver.now()),
                news = mailbox.take() => self.connection.news(news, self.driver.now()),
                progress = write_on(&mut self.sink, has_outgoing), if has_outgoing || self.unflushed => {
                    self.unflushed = has_outgoing;
                    if progress.is_err() || (has_outgoing && self.send_one().is_err()) {
                        return End::Gone;
                    }
                }
                _ = beat.tick() => {
                    self.look_at_traffic();
                    self.connection.tick(self.driver.now());
                    if self.listen_for_life().await.is_err() {
                        return End::Gone;
                    }
                }
                () = stopping.cancelled(), if !told_to_stop => {
                    told_to_stop = true;
                    self.connection.stop(self.driver.now());
                }
            }
        }
    }

    fn heard(&mut self, message: Option<Result<Message, axum::Error>>) -> Option<End> {
        let now = self.driver.now();
        match message {
            Some(Ok(Message::Text(text))) => self.connection.frame(&text, now),
            Some(Ok(Message::Binary(bytes))) => match str::from_utf8(&bytes) {
                Ok(text) => self.connection.frame(text, now),
                // Put right by a guess it would be other arguments than its author's.
                Err(_) => return Some(End::Ours(NO_TEXT)),
            },
            Some(Ok(Message::Ping(bytes) | Message::Pong(bytes))) => {
                self.unflushed = true;
                self.connection.control(bytes.len(), now);
            }
            Some(Ok(Message::Close(_))) => return Some(End::Theirs),
            Some(Err(error)) => return Some(broken(&error)),
            None => return Some(End::Gone),
        }
        None
    }

    /// A long message on a slow network is on its way for longer than anybody is waited for.
    fn look_at_traffic(&mut self) {
        let now = (self.traffic.read(), self.traffic.written());
        let (read, written) = std::mem::replace(&mut self.had, now);
        if now.0 > read {
            (self.heard_at, self.asked) = (Instant::now(), false);
        }
        if now.1 > written {
            self.connection.takes(self.driver.now());
        }
    }

    /// A machine that has lost its power says nothing, not even goodbye.
    async fn listen_for_life(&mut self) -> Result<(), ()> {
        let silent = self.heard_at.elapsed();
        if silent >= SILENCE * 2 {
            return Err(());
        }
        // While something waits for it the queue tells whether it is there.
        if silent >= SILENCE && !self.asked && !self.connection.has_outgoing() && !self.unflushed {
            self.asked = true;
            self.unflushed = true;
            self.sink.feed(Message::Ping(Bytes::new())).await.map_err(|_| ())?;
        }
        Ok(())
    }

    fn send_one(&mut self) -> Result<(), axum::Error> {
        let text = self.connection.pop(self.driver.now());
        text.map_or(Ok(()), |text| self.sink.start_send_unpin(Message::Text(text.into())))
    }

    async fn say_goodbye(&mut self, close: Close) {
        while let Some(text) = self.connection.pop(self.driver.now()) {
            if self.sink.feed(Message::Text(text.into())).await.is_err() {
                return;
            }
        }
        let frame = CloseFrame { code: close.code, reason: close.reason.into() };
        if self.sink.send(Message::Close(Some(frame))).await.is_ok() {
            while let Some(Ok(_)) = self.stream.next().await {}
        }
    }
}

/// Waits until the socket takes another message, or, where there is none, until all that it took is on its way.
async fn write_on(sink: &mut SplitSink<WebSocket, Message>, has_outgoing: bool) -> Result<(), axum::Error> {
    if has_outgoing { poll_fn(|context| sink.poll_ready_unpin(context)).await } else { sink.flush().await }
}

/// Why nothing more can be read. A message that is too long is said to be.
fn broken(error: &axum::Error) -> End {
    let said = error.to_string();
    if said.contains("too long") {
        return End::Ours(Close {
            code: 1009,
            reason: "the message is longer than this server takes; send less at once",
        });
    }
    if said.contains("utf-8") || said.contains("UTF-8") {
        return End::Ours(NO_TEXT);
    }
    End::Gone
}
