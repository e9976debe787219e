//! What is on its way out on a WebSocket: put there at once, and taken by the socket bit by bit.

use std::{
    collections::VecDeque,
    task::{Context, Poll, ready},
};

use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{
    super::{asking::to_send, connect::Socket},
    PATIENCE,
};
use crate::clock::Tick;

#[derive(Default)]
pub(super) struct Outgoing {
    texts: VecDeque<String>,
    /// Bytes that the socket has not sent, and when they are to be sent at the latest.
    left: Option<(usize, Tick)>,
}

impl Outgoing {
    pub(super) fn put(&mut self, text: String, now: Tick) {
        let takes = to_send(text.len());
        let (bytes, until) = self.left.unwrap_or((0, now.after(PATIENCE)));
        self.left = Some((bytes + text.len(), until.after(takes)));
        self.texts.push_back(text);
    }

    /// Gives the socket what it takes; ready when all is sent.
    pub(super) fn poll(&mut self, socket: &mut Socket, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.left.is_none() {
            return Poll::Ready(Ok(()));
        }
        while !self.texts.is_empty() {
            ready!(socket.poll_ready_unpin(context))?;
            let text = self.texts.pop_front().unwrap_or_default();
            socket.start_send_unpin(Message::Text(text.into()))?;
        }
        ready!(socket.poll_flush_unpin(context))?;
        self.left = None;
        Poll::Ready(Ok(()))
    }

    /// How many bytes are late, if they are.
    pub(super) fn overdue(&self, now: Tick) -> Option<usize> {
        self.left.filter(|(_, until)| now >= *until).map(|(bytes, _)| bytes)
    }
}
