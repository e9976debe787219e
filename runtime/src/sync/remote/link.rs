//! A WebSocket that is opened, and what is wanted of it.

mod outgoing;
pub(super) mod pages;
mod talk;
#[cfg(test)]
mod tests;
mod waits;

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::{Either, select};
use larder_wire::Transport;
use tokio::sync::{mpsc, oneshot, watch};

use self::{
    pages::{Filled, Told},
    talk::Talk,
};
use super::{
    asking::{say, shut_down, with_patience},
    connect::{OneStore, open},
    door::Door,
    frames::Writer,
    pace::{Allowance, Gate, Turn},
    seats::Seat,
};
use crate::{
    clock::Runtime,
    sync::{BackendError, PushAnswer},
};

/// How long a server may take to open a connection, or to take a message.
const PATIENCE: Duration = Duration::from_secs(20);

/// Requests that wait to be sent.
const COMMANDS: usize = 64;

/// What is wanted of a connection. A place is a store's until the server knows that its request has ended.
pub(super) enum Command {
    Pull { id: u64, text: String, after: u64, live: bool, pages: Filled, seat: Option<Seat> },
    Push { id: u64, text: String, backend_id: String, answer: Answer, turn: Turn, seat: Option<Seat> },
}

/// Where the answer to a push goes.
type Answer = oneshot::Sender<Result<PushAnswer, BackendError>>;

/// A connection that is open. It ends when nobody has this any more.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) commands: mpsc::Sender<Command>,
    /// What the stores say of their pulls' pages.
    pub(super) told: Arc<Told>,
    gate: Arc<Gate>,
    /// Whether the server has answered somebody what only who may ask is told.
    known: Arc<AtomicBool>,
}

impl Link {
    /// Opens a connection; resolves when it is open. `reachable` says from then on whether it could be, and, where it is not one store's own, is:
    /// others' go on when that ends, and the next try of its store says whether the server is there.
    ///
    /// # Errors
    /// Why it is not.
    pub(super) async fn open(
        runtime: &Runtime,
        door: Door,
        one_store: Option<OneStore>,
        allowance: Allowance,
        reachable: Option<watch::Sender<bool>>,
    ) -> Result<Self, BackendError> {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let (ready, opened) = oneshot::channel();
        let (told, known) = (Arc::<Told>::default(), Arc::<AtomicBool>::default());
        let (clock, heard, is_known) = (runtime.clone(), Arc::clone(&told), Arc::clone(&known));
        runtime.spawn(async move {
            let say = |now| reachable.iter().for_each(|reachable| say(reachable, now));
            let writer = Writer { peer: door.peer, transport: Transport::WebSocket };
            let is_shared = one_store.is_none();
            let socket = with_patience(&clock, PATIENCE, open(&door, one_store)).await;
            match socket {
                // A store that is kept waiting at the door says nothing of others: the server is looked for.
                Err(error @ BackendError::Offline { .. }) if !is_shared => {
                    drop(ready.send(Err(error)));
                    say(with_patience(&clock, PATIENCE, door.knock()).await.is_ok());
                }
                Err(error) => {
                    // Who refuses is there.
                    say(!matches!(error, BackendError::Offline { .. }));
                    drop(ready.send(Err(error)));
                }
                Ok((socket, arrived)) => {
                    say(true);
                    drop(ready.send(Ok(())));
                    let mut talk = Talk::new((socket, arrived), writer, (heard, is_known), clock);
                    let ended = talk.run(receiver).await;
                    tracing::debug!(address = door.endpoint.address(), reason = ended, "a connection has ended");
                    if talk.fail_all(&ended) && is_shared {
                        say(false);
                    }
                }
            }
        });
        opened.await.map_err(|_| shut_down())??;
        Ok(Self { commands, told, gate: Arc::new(Gate::new(allowance, runtime.clone())), known })
    }

    /// Looks whether somebody is there.
    ///
    /// # Errors
    /// Why not.
    pub(super) async fn probe(runtime: &Runtime, door: Door) -> Result<(), BackendError> {
        let (ready, known) = oneshot::channel();
        let clock = runtime.clone();
        runtime.spawn(async move {
            let there = with_patience(&clock, PATIENCE, door.knock()).await;
            // Whoever asked may be gone.
            let _ = ready.send(there);
        });
        known.await.map_err(|_| shut_down())?
    }

    /// Whether the connection has ended.
    pub(super) fn is_over(&self) -> bool {
        self.commands.is_closed()
    }

    /// Whether the server has answered somebody what only who may ask is told. A server closes a connection that is nobody's in a few seconds,
    /// which a large first message may take.
    pub(super) fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }

    /// What comes of waiting at the gate; nothing if the connection ends before.
    pub(super) async fn passed<R>(&self, wait: impl AsyncFnOnce(&Gate) -> R) -> Option<R> {
        match select(pin!(wait(&self.gate)), pin!(self.commands.closed())).await {
            Either::Left((passed, _)) => Some(passed),
            Either::Right(_) => None,
        }
    }
}
