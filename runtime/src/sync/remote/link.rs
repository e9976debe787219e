//! One open WebSocket, and the requests on it.

pub(super) mod pages;
mod waits;

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures_util::{
    SinkExt, StreamExt,
    future::{Either, select},
};
use larder_wire::{Transport, WireError};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_tungstenite::tungstenite::{
    Error, Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use self::{
    pages::{Filled, Next as End, Told},
    waits::Waits,
};
use super::{
    asking::{say, shut_down, to_send, with_patience},
    connect::{OneStore, Socket, open},
    door::Door,
    frames::{Frames, Heard, Writer},
    pace::{Allowance, Gate, Turn},
    seats::Seat,
};
use crate::{
    clock::Runtime,
    definition::BoxFuture,
    error::one_line,
    sync::{BackendError, PullPage, PushAnswer, Remaining},
};

/// How often a server is asked whether it is there, as TypeScript clients do. One that says nothing from one time to the next but one is not.
const BEAT: Duration = Duration::from_secs(10);
const SILENT_BEATS: u32 = 2;

/// After so many beats without a request the connection is closed; the next request opens another one.
const IDLE_BEATS: u32 = 3;

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
        allowance: Allowance,
        reachable: Option<watch::Sender<bool>>,
    ) -> Result<Self, BackendError> {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let (ready, opened) = oneshot::channel();
        let told = Arc::<Told>::default();
        let (clock, heard) = (runtime.clone(), Arc::clone(&told));
        runtime.spawn(async move {
            let say = |now| reachable.iter().for_each(|reachable| say(reachable, now));
            let writer = Writer { peer: door.peer, transport: Transport::WebSocket };
            let socket = with_patience(&clock, PATIENCE, open(&door, one_store)).await;
            // Who refuses is there.
            say(!matches!(socket, Err(BackendError::Offline { .. })));
            match socket {
                Err(error) => drop(ready.send(Err(error))),
                Ok(socket) => {
                    drop(ready.send(Ok(())));
                    let mut talk = Talk::new(socket, writer, heard, clock);
                    let ended = talk.run(receiver).await;
                    if talk.fail_all(&ended) {
                        say(false);
                    }
                }
            }
        });
        opened.await.map_err(|_| shut_down())??;
        Ok(Self { commands, told, gate: Arc::new(Gate::new(allowance, runtime.clone())) })
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

    /// What comes of waiting at the gate; nothing if the connection ends before.
    pub(super) async fn passed<R>(&self, wait: impl AsyncFnOnce(&Gate) -> R) -> Option<R> {
        match select(pin!(wait(&self.gate)), pin!(self.commands.closed())).await {
            Either::Left((passed, _)) => Some(passed),
            Either::Right(_) => None,
        }
    }
}

/// A pull that has not ended.
struct Pulled {
    pages: Filled,
    live: bool,
    /// Whether the server owes another page when this one is taken.
    more: bool,
    _seat: Option<Seat>,
}

/// A push that has no answer.
struct Pushed {
    answer: Answer,
    _turn: Turn,
    _seat: Option<Seat>,
}

struct Talk {
    socket: Socket,
    writer: Writer,
    frames: Frames,
    clock: Runtime,
    told: Arc<Told>,
    pulls: BTreeMap<u64, Pulled>,
    pushes: BTreeMap<u64, Pushed>,
    waits: Waits,
    /// Beats since the server was heard, and since somebody wanted something.
    silent: u32,
    idle: u32,
}

/// What comes next.
enum Next {
    Command(Option<Command>),
    Told(BTreeSet<u64>),
    Message(Option<Result<Message, Error>>),
    Beat,
}

/// Why a connection has ended, and what the server is told of it.
struct Ended {
    reason: String,
    close: Option<CloseFrame>,
}

impl From<String> for Ended {
    fn from(reason: String) -> Self {
        Self { reason, close: None }
    }
}

impl From<WireError> for Ended {
    fn from(error: WireError) -> Self {
        let no_text = || CloseFrame { code: CloseCode::Invalid, reason: "the message is no UTF-8".into() };
        let close = matches!(error, WireError::NoText).then(no_text);
        Self { reason: format!("the server sent what is no frame: {error}"), close }
    }
}

impl Talk {
    fn new(socket: Socket, writer: Writer, told: Arc<Told>, clock: Runtime) -> Self {
        let (frames, pulls, pushes, waits) = Default::default();
        Self { socket, writer, frames, clock, told, pulls, pushes, waits, silent: 0, idle: 0 }
    }

    /// Talks until the connection ends; why it did.
    async fn run(&mut self, mut commands: mpsc::Receiver<Command>) -> String {
        let mut beat = self.clock.sleep(BEAT);
        loop {
            let went_on = match self.next(&mut commands, &mut beat).await {
                Next::Command(Some(command)) => self.command(command).await,
                Next::Command(None) => Err("nobody needs the connection any more".to_owned().into()),
                Next::Told(ids) => self.told(ids).await,
                Next::Message(message) => self.message(message).await,
                Next::Beat => {
                    beat = self.clock.sleep(BEAT);
                    self.beat().await
                }
            };
            if let Err(Ended { reason, close }) = went_on {
                // Who asks now opens another one.
                commands.close();
                // Who is gone hears no goodbye.
                let goodbye = pin!(self.socket.close(close));
                select(goodbye, self.clock.sleep(Duration::from_secs(1))).await;
                return reason;
            }
        }
    }

    async fn next(&mut self, commands: &mut mpsc::Receiver<Command>, beat: &mut BoxFuture<'static, ()>) -> Next {
        let (command, told, message) = (pin!(commands.recv()), pin!(self.told.next()), self.socket.next());
        match select(select(command, told), select(message, beat)).await {
            Either::Left((Either::Left((command, _)), _)) => Next::Command(command),
            Either::Left((Either::Right((ids, _)), _)) => Next::Told(ids),
            Either::Right((Either::Left((message, _)), _)) => Next::Message(message),
            Either::Right((Either::Right(_), _)) => Next::Beat,
        }
    }

    async fn command(&mut self, command: Command) -> Result<(), Ended> {
        self.idle = 0;
        match command {
            // Nobody wants it any more, before it was asked for.
            Command::Pull { pages, .. } if pages.is_gone() => Ok(()),
            Command::Pull { id, text, after, live, pages, seat } => {
                self.pulls.insert(id, Pulled { pages, live, more: true, _seat: seat });
                self.frames.pull(id, after);
                self.waits.asked(id, self.clock.now());
                self.send(text).await
            }
            Command::Push { id, text, backend_id, answer, turn, seat } => {
                self.pushes.insert(id, Pushed { answer, _turn: turn, _seat: seat });
                self.frames.push(id, backend_id);
                self.waits.asked(id, self.clock.now());
                self.send(text).await
            }
        }
    }

    /// Pages were taken, or nobody wants a pull any more.
    async fn told(&mut self, ids: BTreeSet<u64>) -> Result<(), Ended> {
        for id in ids {
            let Some(pulled) = self.pulls.get(&id) else { continue };
            if pulled.pages.is_gone() {
                self.give_up(id, End::GivenUp).await?;
                continue;
            }
            let taken = pulled.pages.taken();
            if pulled.more && taken > 0 {
                self.waits.asked(id, self.clock.now());
            }
            for _ in 0..taken {
                self.send(self.writer.ack(id)).await?;
            }
        }
        Ok(())
    }

    /// The server is told that nobody waits for an answer any more, and then who waits for it why.
    async fn give_up(&mut self, id: u64, end: End) -> Result<(), Ended> {
        self.waits.answered(id);
        if self.frames.give_up(id) {
            self.send(self.writer.interrupt(id)).await?;
        }
        if let Some(Pulled { pages, .. }) = self.pulls.remove(&id) {
            pages.end(end);
        }
        Ok(())
    }

    async fn message(&mut self, message: Option<Result<Message, Error>>) -> Result<(), Ended> {
        self.silent = 0;
        let heard = match message {
            Some(Ok(Message::Text(text))) => self.frames.hear(&text)?,
            // Put right by a guess it would be other arguments than its author's.
            Some(Ok(Message::Binary(bytes))) => {
                self.frames.hear(str::from_utf8(&bytes).map_err(|_| WireError::NoText)?)?
            }
            Some(Ok(Message::Close(frame))) => {
                let said =
                    frame.map(|frame| format!(": {} ({})", one_line(&frame.reason), frame.code)).unwrap_or_default();
                return Err(format!("the server closed the connection{said}").into());
            }
            Some(Ok(_)) => return Ok(()),
            Some(Err(error)) => return Err(format!("the connection broke: {error}").into()),
            None => return Err("the server ended the connection".to_owned().into()),
        };
        for heard in heard {
            self.heard(heard).await?;
        }
        Ok(())
    }

    async fn heard(&mut self, heard: Heard) -> Result<(), Ended> {
        let now = self.clock.now();
        match heard {
            Heard::Pong => {
                self.waits.ponged(now);
                return Ok(());
            }
            Heard::Page { id, page } => {
                self.waits.answered(id);
                if !self.page(id, page) {
                    self.give_up(id, End::GivenUp).await?;
                }
            }
            Heard::PullEnded { id, error } => {
                self.waits.answered(id);
                if let Some(Pulled { pages, .. }) = self.pulls.remove(&id) {
                    pages.end(End::Ended(error));
                }
            }
            Heard::Pushed { id, answer } => {
                self.waits.answered(id);
                self.answer(id, answer);
            }
            Heard::Broken { reason } => return Err(reason.into()),
        }
        self.waits.heard(now);
        Ok(())
    }

    /// Hands a page on; whether its store takes it.
    fn page(&mut self, id: u64, page: PullPage) -> bool {
        self.pulls.get_mut(&id).is_some_and(|pulled| {
            pulled.more = !pulled.live || page.remaining != Remaining::Nothing;
            pulled.pages.put(page)
        })
    }

    fn answer(&mut self, id: u64, answer: Result<PushAnswer, BackendError>) {
        if let Some(Pushed { answer: waits, .. }) = self.pushes.remove(&id) {
            // Whoever asked may be gone.
            let _ = waits.send(answer);
        }
    }

    async fn beat(&mut self) -> Result<(), Ended> {
        (self.silent, self.idle) = (self.silent + 1, if self.frames.is_idle() { self.idle + 1 } else { 0 });
        if self.silent > SILENT_BEATS {
            return Err(format!("the server has said nothing for {} s", (BEAT * SILENT_BEATS).as_secs()).into());
        }
        if self.idle >= IDLE_BEATS {
            return Err("nothing was asked for a while".to_owned().into());
        }
        for id in self.waits.overdue(self.clock.now()) {
            let not_answered = || BackendError::Offline {
                reason: "the server is there, and does not answer what it was asked".to_owned(),
            };
            self.give_up(id, End::Ended(Some(not_answered()))).await?;
            self.answer(id, Err(not_answered()));
        }
        self.waits.pinged();
        self.send(self.writer.ping()).await
    }

    async fn send(&mut self, text: String) -> Result<(), Ended> {
        let patience = PATIENCE + to_send(text.len());
        let sending = self.socket.send(Message::Text(text.into()));
        match select(sending, self.clock.sleep(patience)).await {
            Either::Left((sent, _)) => sent.map_err(|error| format!("the connection broke: {error}").into()),
            Either::Right(_) => Err(format!("the server did not take a message in {} s", patience.as_secs()).into()),
        }
    }

    /// Whoever waits hears why; whether somebody did.
    fn fail_all(&mut self, reason: &str) -> bool {
        let was_used = !self.frames.is_idle();
        let offline = || BackendError::Offline { reason: reason.to_owned() };
        for Pulled { pages, .. } in std::mem::take(&mut self.pulls).into_values() {
            pages.end(End::Ended(Some(offline())));
        }
        for Pushed { answer, .. } in std::mem::take(&mut self.pushes).into_values() {
            let _ = answer.send(Err(offline()));
        }
        was_used
    }
}
