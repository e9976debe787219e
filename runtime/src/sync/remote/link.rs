//! One open WebSocket, and the requests on it.

use std::{collections::BTreeMap, pin::pin, time::Duration};

use futures_util::{
    SinkExt, StreamExt,
    future::{Either, select},
};
use larder_wire::{Peer, Transport};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{
    asking::{say, shut_down, with_patience},
    connect::{OneStore, Socket, open},
    door::Door,
    frames::{Frames, Heard, Pull, Push},
};
use crate::{
    clock::Runtime,
    definition::BoxFuture,
    error::one_line,
    sync::{BackendError, PullPage, PushAnswer},
};

/// How often a server is asked whether it is there, as TypeScript clients do. One that says nothing from one time to the next but one is not.
const BEAT: Duration = Duration::from_secs(10);
const SILENT_BEATS: u32 = 2;

/// After so many beats without a request the connection is closed; the next request opens another one.
const IDLE_BEATS: u32 = 3;

/// How long a server may take to open a connection, or to take a message.
const PATIENCE: Duration = Duration::from_secs(20);

/// Pages of a pull that wait to be taken. larder's server sends fewer before it hears that some were taken; a pull of which more wait is
/// given up, and is to be asked again.
pub(super) const PAGES: usize = 64;

/// What is wanted of a connection.
pub(super) enum Command {
    Pull {
        id: u64,
        pull: Pull,
        pages: mpsc::Sender<Result<PullPage, BackendError>>,
    },
    Push {
        id: u64,
        push: Push,
        answer: oneshot::Sender<Result<PushAnswer, BackendError>>,
    },
    /// A page was taken.
    Taken(u64),
    /// Nobody wants a pull any more.
    GiveUp(u64),
}

/// A connection that is being opened, or is open. It ends when nobody has this any more.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) commands: mpsc::Sender<Command>,
}

impl Link {
    /// Opens a connection; resolves when it is open. `reachable` says from then on whether it could be, and is.
    ///
    /// # Errors
    /// Why it is not.
    pub(super) async fn open(
        runtime: &Runtime,
        door: Door,
        one_store: Option<OneStore>,
        reachable: watch::Sender<bool>,
    ) -> Result<Self, BackendError> {
        let (commands, receiver) = mpsc::channel(PAGES);
        let (ready, opened) = oneshot::channel();
        let (peer, clock) = (door.peer, runtime.clone());
        runtime.spawn(async move {
            let socket = with_patience(&clock, PATIENCE, open(&door, one_store)).await;
            // Who refuses is there.
            say(&reachable, !matches!(socket, Err(BackendError::Offline { .. })));
            match socket {
                Err(error) => drop(ready.send(Err(error))),
                Ok(socket) => {
                    drop(ready.send(Ok(())));
                    let mut talk = Talk::new(socket, peer, clock);
                    let ended = talk.run(receiver).await;
                    if talk.fail_all(&ended) {
                        say(&reachable, false);
                    }
                }
            }
        });
        opened.await.map_err(|_| shut_down())??;
        Ok(Self { commands })
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
}

struct Talk {
    socket: Socket,
    frames: Frames,
    runtime: Runtime,
    pulls: BTreeMap<u64, mpsc::Sender<Result<PullPage, BackendError>>>,
    pushes: BTreeMap<u64, oneshot::Sender<Result<PushAnswer, BackendError>>>,
    /// Beats since the server was heard, and since somebody wanted something.
    silent: u32,
    idle: u32,
}

/// What comes next.
enum Next {
    Command(Option<Command>),
    Message(Option<Result<Message, Error>>),
    Beat,
}

impl Talk {
    fn new(socket: Socket, peer: Peer, runtime: Runtime) -> Self {
        let (pulls, pushes) = Default::default();
        Self { socket, frames: Frames::new(peer, Transport::WebSocket), runtime, pulls, pushes, silent: 0, idle: 0 }
    }

    /// Talks until the connection ends; why it did.
    async fn run(&mut self, mut commands: mpsc::Receiver<Command>) -> String {
        let mut beat = self.runtime.sleep(BEAT);
        loop {
            let went_on = match self.next(&mut commands, &mut beat).await {
                Next::Command(Some(command)) => self.command(command).await,
                Next::Command(None) => Err("nobody needs the connection any more".to_owned()),
                Next::Message(message) => self.message(message).await,
                Next::Beat => {
                    beat = self.runtime.sleep(BEAT);
                    self.beat().await
                }
            };
            if let Err(reason) = went_on {
                // Who is gone hears no goodbye.
                let goodbye = pin!(self.socket.close(None));
                select(goodbye, self.runtime.sleep(Duration::from_secs(1))).await;
                return reason;
            }
        }
    }

    async fn next(&mut self, commands: &mut mpsc::Receiver<Command>, beat: &mut BoxFuture<'static, ()>) -> Next {
        let (command, message) = (pin!(commands.recv()), self.socket.next());
        match select(select(command, message), beat).await {
            Either::Left((Either::Left((command, _)), _)) => Next::Command(command),
            Either::Left((Either::Right((message, _)), _)) => Next::Message(message),
            Either::Right(_) => Next::Beat,
        }
    }

    async fn command(&mut self, command: Command) -> Result<(), String> {
        self.idle = 0;
        match command {
            Command::Pull { id, pull, pages } => {
                self.pulls.insert(id, pages);
                let text = self.frames.pull(id, pull);
                self.send(text).await
            }
            Command::Push { id, push, answer } => match self.frames.push(id, push) {
                Ok(text) => {
                    self.pushes.insert(id, answer);
                    self.send(text).await
                }
                Err(error) => {
                    // Whoever asked may be gone.
                    let _ = answer.send(Err(error));
                    Ok(())
                }
            },
            Command::Taken(id) => {
                let text = self.frames.ack(id);
                self.send(text).await
            }
            Command::GiveUp(id) => self.give_up(id).await,
        }
    }

    async fn give_up(&mut self, id: u64) -> Result<(), String> {
        self.pulls.remove(&id);
        match self.frames.interrupt(id) {
            Some(text) => self.send(text).await,
            None => Ok(()),
        }
    }

    async fn message(&mut self, message: Option<Result<Message, Error>>) -> Result<(), String> {
        self.silent = 0;
        let heard = match message {
            Some(Ok(Message::Text(text))) => self.frames.hear(&text),
            Some(Ok(Message::Binary(bytes))) => self.frames.hear(&String::from_utf8_lossy(&bytes)),
            Some(Ok(Message::Close(frame))) => {
                let said =
                    frame.map(|frame| format!(": {} ({})", one_line(&frame.reason), frame.code)).unwrap_or_default();
                return Err(format!("the server closed the connection{said}"));
            }
            Some(Ok(_)) => return Ok(()),
            Some(Err(error)) => return Err(format!("the connection broke: {error}")),
            None => return Err("the server ended the connection".to_owned()),
        };
        for heard in heard.map_err(|error| format!("the server sent what is no frame: {error}"))? {
            self.heard(heard).await?;
        }
        Ok(())
    }

    async fn heard(&mut self, heard: Heard) -> Result<(), String> {
        match heard {
            Heard::Page { id, page } => {
                let taken = self.pulls.get(&id).is_some_and(|pages| pages.try_send(Ok(page)).is_ok());
                // Nobody takes it, or too slowly.
                if taken { Ok(()) } else { self.give_up(id).await }
            }
            Heard::PullEnded { id, error } => {
                if let (Some(pages), Some(error)) = (self.pulls.remove(&id), error) {
                    let _ = pages.try_send(Err(error));
                }
                Ok(())
            }
            Heard::Pushed { id, answer } => {
                if let Some(waits) = self.pushes.remove(&id) {
                    let _ = waits.send(answer);
                }
                Ok(())
            }
            Heard::Broken { reason } => Err(reason),
        }
    }

    async fn beat(&mut self) -> Result<(), String> {
        (self.silent, self.idle) = (self.silent + 1, if self.frames.is_idle() { self.idle + 1 } else { 0 });
        if self.silent > SILENT_BEATS {
            return Err(format!("the server has said nothing for {} s", (BEAT * SILENT_BEATS).as_secs()));
        }
        if self.idle >= IDLE_BEATS {
            return Err("nothing was asked for a while".to_owned());
        }
        let text = self.frames.ping();
        self.send(text).await
    }

    async fn send(&mut self, text: String) -> Result<(), String> {
        let sending = self.socket.send(Message::Text(text.into()));
        match select(sending, self.runtime.sleep(PATIENCE)).await {
            Either::Left((sent, _)) => sent.map_err(|error| format!("the connection broke: {error}")),
            Either::Right(_) => Err(format!("the server took nothing for {} s", PATIENCE.as_secs())),
        }
    }

    /// Whoever waits hears why; whether somebody did.
    fn fail_all(&mut self, reason: &str) -> bool {
        let was_used = !self.frames.is_idle();
        let offline = || BackendError::Offline { reason: reason.to_owned() };
        for pages in std::mem::take(&mut self.pulls).into_values() {
            let _ = pages.try_send(Err(offline()));
        }
        for answer in std::mem::take(&mut self.pushes).into_values() {
            let _ = answer.send(Err(offline()));
        }
        was_used
    }
}
