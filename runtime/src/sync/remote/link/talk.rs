//! What is said on an open WebSocket, and to whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, future::select};
use larder_wire::WireError;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{
    Error, Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{
    super::{
        asking::to_send,
        connect::Socket,
        frames::{Frames, Heard, Writer},
        metered::Arrived,
        pace::Turn,
        seats::Seat,
    },
    Answer, Command,
    outgoing::Outgoing,
    pages::{Filled, Next as End, Told},
    waits::Waits,
};
use crate::{
    clock::{Runtime, Tick},
    definition::BoxFuture,
    error::one_line,
    sync::{BackendError, PullPage, PushAnswer, Remaining},
};

/// How often a server is asked whether it is there, as TypeScript clients do. One that says nothing from one time to the next but one is not.
const BEAT: Duration = Duration::from_secs(10);
const SILENT_BEATS: u32 = 2;

/// So many bytes between two beats are more than pongs: part of an answer that is long on its way.
const PART: u64 = 1_024;

/// Nobody waits longer for what was sent to be there: as long as the pushes that may be on their way take on a slow network.
const LONGEST_ON_ITS_WAY: Duration = Duration::from_secs(135);

/// After so many beats without a request the connection is closed; the next request opens another one.
const IDLE_BEATS: u32 = 3;

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
    turn: Option<Turn>,
    _seat: Option<Seat>,
}

pub(super) struct Talk {
    socket: Socket,
    outgoing: Outgoing,
    writer: Writer,
    frames: Frames,
    clock: Runtime,
    told: Arc<Told>,
    known: Arc<AtomicBool>,
    arrived: Arrived,
    /// How much had arrived at the last beat.
    had: u64,
    /// Until when what was sent may be on its way: what is asked behind it is not there before.
    sending: Tick,
    pulls: BTreeMap<u64, Pulled>,
    pushes: BTreeMap<u64, Pushed>,
    waits: Waits,
    /// Beats since anything arrived, and since somebody wanted something.
    silent: u32,
    idle: u32,
}

/// What comes next.
enum Next {
    Command(Option<Command>),
    Told(BTreeSet<u64>),
    Message(Option<Result<Message, Error>>),
    /// What was to be sent cannot be.
    Unsent(Error),
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
    pub(super) fn new(
        (socket, arrived): (Socket, Arrived),
        writer: Writer,
        (told, known): (Arc<Told>, Arc<AtomicBool>),
        clock: Runtime,
    ) -> Self {
        let (outgoing, frames, pulls, pushes, waits) = Default::default();
        let (had, sending, silent, idle) = (0, clock.now(), 0, 0);
        Self {
            socket,
            outgoing,
            writer,
            frames,
            clock,
            told,
            known,
            arrived,
            had,
            sending,
            pulls,
            pushes,
            waits,
            silent,
            idle,
        }
    }

    /// Talks until the connection ends; why it did.
    pub(super) async fn run(&mut self, mut commands: mpsc::Receiver<Command>) -> String {
        let mut beat = self.clock.sleep(BEAT);
        loop {
            let went_on = match self.next(&mut commands, &mut beat).await {
                Next::Command(Some(command)) => {
                    self.command(command);
                    Ok(())
                }
                Next::Command(None) => Err("nobody needs the connection any more".to_owned().into()),
                Next::Told(ids) => {
                    self.told(ids);
                    Ok(())
                }
                Next::Message(message) => self.message(message),
                Next::Unsent(error) => Err(format!("the connection broke: {error}").into()),
                Next::Beat => {
                    beat = self.clock.sleep(BEAT);
                    self.beat()
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

    /// Takes what comes also while something is on its way out: over a slow network that may take minutes, and a server ends the connection of whoever
    /// takes nothing for so long. What else is asked for waits until it is out.
    async fn next(&mut self, commands: &mut mpsc::Receiver<Command>, beat: &mut BoxFuture<'static, ()>) -> Next {
        let all_told = Arc::clone(&self.told);
        let mut told = pin!(all_told.next());
        poll_fn(|context| {
            let is_out = match self.outgoing.poll(&mut self.socket, context) {
                Poll::Ready(Err(error)) => return Poll::Ready(Next::Unsent(error)),
                out => out.is_ready(),
            };
            if is_out && let Poll::Ready(command) = commands.poll_recv(context) {
                return Poll::Ready(Next::Command(command));
            }
            if let Poll::Ready(ids) = told.as_mut().poll(context) {
                return Poll::Ready(Next::Told(ids));
            }
            match self.socket.poll_next_unpin(context) {
                Poll::Ready(message) => Poll::Ready(Next::Message(message)),
                Poll::Pending => beat.poll_unpin(context).map(|()| Next::Beat),
            }
        })
        .await
    }

    fn command(&mut self, command: Command) {
        self.idle = 0;
        match command {
            // Nobody wants it any more, before it was asked for.
            Command::Pull { pages, .. } if pages.is_gone() => {}
            Command::Pull { id, text, after, live, pages, seat } => {
                self.pulls.insert(id, Pulled { pages, live, more: true, _seat: seat });
                self.frames.pull(id, after);
                self.waits.asked(id, self.clock.now());
                self.send(text);
            }
            Command::Push { answer, .. } if answer.is_closed() => {}
            Command::Push { id, text, backend_id, answer, turn, seat } => {
                self.pushes.insert(id, Pushed { answer, turn: Some(turn), _seat: seat });
                self.frames.push(id, backend_id);
                self.waits.asked(id, self.clock.now());
                self.send(text);
            }
        }
    }

    /// Pages were taken, or nobody wants a pull any more.
    fn told(&mut self, ids: BTreeSet<u64>) {
        for id in ids {
            let Some(pulled) = self.pulls.get(&id) else { continue };
            if pulled.pages.is_gone() {
                self.give_up(id, End::GivenUp);
                continue;
            }
            let taken = pulled.pages.taken();
            if pulled.more && taken > 0 {
                self.waits.asked(id, self.clock.now());
            }
            for _ in 0..taken {
                self.send(self.writer.ack(id));
            }
        }
    }

    /// The server is told that nobody waits for an answer any more, and then who waits for it why.
    fn give_up(&mut self, id: u64, end: End) {
        self.waits.answered(id);
        if self.frames.give_up(id) {
            self.send(self.writer.interrupt(id));
        }
        if let Some(Pulled { pages, .. }) = self.pulls.remove(&id) {
            pages.end(end);
        }
    }

    fn message(&mut self, message: Option<Result<Message, Error>>) -> Result<(), Ended> {
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
            self.heard(heard)?;
        }
        Ok(())
    }

    fn heard(&mut self, heard: Heard) -> Result<(), Ended> {
        let now = self.clock.now();
        match heard {
            Heard::Pong => {
                self.waits.ponged(now);
                self.arrived();
                return Ok(());
            }
            Heard::Page { id, page } => {
                self.waits.answered(id);
                self.known.store(true, Ordering::Relaxed);
                if !self.page(id, page) {
                    self.give_up(id, End::GivenUp);
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
                self.known.fetch_or(answer.is_ok(), Ordering::Relaxed);
                self.answer(id, answer);
            }
            Heard::Broken { reason } => return Err(reason.into()),
        }
        self.waits.heard(now);
        Ok(())
    }

    /// What the server has is in no other's way; and nobody's is what nobody waits for.
    fn arrived(&mut self) {
        for (_, push) in self.pushes.iter_mut().filter(|(id, _)| self.waits.has_arrived(**id)) {
            push.turn.iter_mut().for_each(Turn::arrived);
            push.turn.take_if(|_| push.answer.is_closed());
        }
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

    fn beat(&mut self) -> Result<(), Ended> {
        let has = self.arrived.load(Ordering::Relaxed);
        let arrived = has - std::mem::replace(&mut self.had, has);
        let now = self.clock.now();
        self.silent = if arrived > 0 || now < self.sending { 0 } else { self.silent + 1 };
        self.idle = if self.frames.is_idle() { self.idle + 1 } else { 0 };
        if arrived >= PART {
            self.waits.heard(now);
        }
        if self.silent > SILENT_BEATS {
            return Err(format!("the server has said nothing for {} s", (BEAT * SILENT_BEATS).as_secs()).into());
        }
        if let Some(bytes) = self.outgoing.overdue(now) {
            return Err(format!("the server has not taken {bytes} bytes in time").into());
        }
        if self.idle >= IDLE_BEATS {
            return Err("nothing was asked for a while".to_owned().into());
        }
        for id in self.waits.overdue(now) {
            let not_answered = || BackendError::Offline {
                reason: "the server is there, and does not answer what it was asked".to_owned(),
            };
            self.give_up(id, End::Ended(Some(not_answered())));
            self.answer(id, Err(not_answered()));
        }
        self.waits.pinged();
        self.send(self.writer.ping());
        Ok(())
    }

    fn send(&mut self, text: String) {
        let now = self.clock.now();
        self.sending = self.sending.max(now).after(to_send(text.len())).min(now.after(LONGEST_ON_ITS_WAY));
        self.outgoing.put(text, now);
    }

    /// Whoever waits hears why; whether somebody did.
    pub(super) fn fail_all(&mut self, reason: &str) -> bool {
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
