//! One request over HTTP and its answer, on a connection that the next one may use again.

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::{Either, select};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::{
    body::{Body, Bytes, Frame, Incoming},
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use larder_wire::{HEADER, HEADER_VALUE, PAYLOAD_HEADER, Payload, Peer, Query, StoreId, Transport};
use tokio::sync::{Semaphore, mpsc, watch};

use super::{
    answer::Answer,
    asking::{say, shut_down, to_send, with_patience},
    door::{Door, offline},
    frames::{Frames, Heard, Pull, Push, Writer},
    pace::{Allowance, Gate},
};
use crate::{
    clock::{Runtime, Tick},
    sync::{BackendError, Refusal},
};

/// How long a server may take to open a connection, to begin an answer, or to go on with one, once it has what it was asked.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes of a body that are there at once, and of a header that servers take.
const SMALL: usize = 4 * 1024;

/// Pulls at once, and as many pushes beside them.
const LINES: usize = 8;

/// How long a free connection is used again: servers close those that nobody uses, larder's after 30 s.
const FRESH: Duration = Duration::from_secs(20);

/// A server, with the connections to it.
pub(super) struct Exchanges {
    pub(super) door: Door,
    pub(super) runtime: Runtime,
    /// Whether the server was there when it was last asked.
    pub(super) reachable: watch::Sender<bool>,
    free: Mutex<Vec<(Line, Tick)>>,
    /// Whoever takes the pages of a pull may wait for a push meanwhile: so no pull is in the way of one.
    pulls: Semaphore,
    pushes: Semaphore,
    gate: Gate,
}

type Line = SendRequest<Text>;

/// What is asked.
pub(super) enum Ask {
    Pull(Pull),
    /// Of which the first page is all that is wanted, for a push.
    First(Pull),
    Push(Push<'static>),
}

/// A body that is there already.
pub(super) struct Text(Option<Bytes>);

impl Body for Text {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Poll::Ready(self.0.take().map(|text| Ok(Frame::data(text))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        hyper::body::SizeHint::with_exact(self.0.as_ref().map_or(0, |text| text.len() as u64))
    }
}

/// One request, without its body.
struct Asked {
    target: String,
    store: Option<StoreId>,
    /// Who asks, before the body.
    payload: Option<String>,
    text: Bytes,
}

impl Exchanges {
    pub(super) fn new(door: Door, runtime: Runtime, allowance: Allowance) -> Self {
        let (pulls, pushes) = (Semaphore::new(LINES), Semaphore::new(LINES));
        // What stands before a server may lead all that is asked to it on one connection.
        let gate = Gate::new(allowance, runtime.clone());
        Self { door, runtime, reachable: watch::Sender::new(true), free: Mutex::default(), pulls, pushes, gate }
    }

    /// Asks; what is heard goes to the channel, an error last. It ends when nobody listens any more. Whoever has no answer
    /// says nothing of the server, which is looked for then.
    pub(super) async fn ask(&self, ask: Ask, heard: mpsc::Sender<Result<Heard, BackendError>>) {
        let asked = match select(pin!(self.exchange(ask, &heard)), pin!(heard.closed())).await {
            Either::Left((asked, _)) => asked,
            Either::Right(_) => return,
        };
        let mut is_there = !matches!(asked, Err(BackendError::Offline { .. }));
        if let Err(error) = asked {
            // Whoever asked may be gone.
            let _ = heard.send(Err(error)).await;
        }
        drop(heard);
        let was_there = *self.reachable.borrow();
        if !is_there && was_there {
            // One request without an answer says nothing of others.
            is_there = self.knock().await.is_ok();
        }
        say(&self.reachable, is_there);
    }

    /// Looks whether somebody is there.
    ///
    /// # Errors
    /// Why nobody is.
    pub(super) async fn knock(&self) -> Result<(), BackendError> {
        with_patience(&self.runtime, PATIENCE, self.door.knock()).await
    }

    async fn exchange(&self, ask: Ask, heard: &mpsc::Sender<Result<Heard, BackendError>>) -> Result<(), BackendError> {
        let mut frames = Frames::default();
        let writer = Writer { peer: self.door.peer, transport: Transport::Http };
        let (sync_id, payload) = match &ask {
            Ask::Pull(pull) | Ask::First(pull) => (pull.sync_id.clone(), pull.payload.clone()),
            Ask::Push(push) => (push.sync_id.to_string(), push.payload.clone()),
        };
        let turns = if matches!(ask, Ask::Pull(_)) { &self.pulls } else { &self.pushes };
        let _turn = turns.acquire().await.map_err(|_| shut_down())?;
        let (text, _until_it_is_answered) = match ask {
            Ask::Pull(pull) | Ask::First(pull) => {
                frames.pull(0, pull.after);
                let text = writer.pull(0, pull);
                self.gate.pull(text.len()).await;
                (text, None)
            }
            Ask::Push(push) => {
                frames.push(0, push.backend_id.clone());
                let (text, turn) = self.gate.push(|| writer.push(0, push)).await?;
                (text, Some(turn))
            }
        };
        let asked = self.asked(&sync_id, payload, text)?;
        let (response, line) = self.send(&asked).await?;
        self.check(&response)?;
        if self.hear(response.into_body(), &mut frames, heard).await? {
            self.keep(line);
        }
        Ok(())
    }

    fn asked(&self, sync_id: &str, payload: Option<Payload>, text: String) -> Result<Asked, BackendError> {
        let (path, text) = (self.door.endpoint.path().to_owned(), Bytes::from(text));
        if self.door.peer == Peer::Larder {
            // A server waits a few seconds for the body of somebody unknown; a large one may be longer on its way.
            let payload = payload.filter(|_| text.len() > SMALL).map(|payload| payload.to_header());
            return Ok(Asked { target: path, store: None, payload: payload.filter(|text| text.len() <= SMALL), text });
        }
        let store = StoreId::new(sync_id).map_err(|error| BackendError::Other(error.into()))?;
        let query = Query { store_id: Some(store.clone()), payload, transport: Some(Transport::Http) };
        Ok(Asked { target: format!("{path}?{}", query.encode()), store: Some(store), payload: None, text })
    }

    /// Sends a request on a connection that is free, or on a new one.
    async fn send(&self, asked: &Asked) -> Result<(Response<Incoming>, Line), BackendError> {
        if let Some(mut line) = self.free_line() {
            let answered = self.on(&mut line, asked).await;
            if let Ok(response) = answered {
                return Ok((response, line));
            }
            // Servers close what is not used, now and then just when it is. Asked twice does no harm.
        }
        let mut line = self.open().await?;
        let response = self.on(&mut line, asked).await?;
        Ok((response, line))
    }

    async fn on(&self, line: &mut Line, asked: &Asked) -> Result<Response<Incoming>, BackendError> {
        let request = self.request(asked)?;
        let answered = async {
            line.ready().await.map_err(|error| offline(&error))?;
            line.send_request(request).await.map_err(|error| offline(&error))
        };
        with_patience(&self.runtime, PATIENCE + to_send(asked.text.len()), answered).await
    }

    fn request(&self, asked: &Asked) -> Result<Request<Text>, BackendError> {
        let endpoint = &self.door.endpoint;
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&asked.target)
            .header(header::HOST, endpoint.authority())
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request = match &asked.store {
            Some(store) => request.header("x-livestore-store-id", store.as_str()),
            None => request.header(HEADER, HEADER_VALUE),
        };
        if let Some(payload) = &asked.payload {
            request = request.header(PAYLOAD_HEADER, payload);
        }
        // The error may show the URL, and that may have a payload in it.
        let no_url = |_| BackendError::Other(format!("{} is no URL", endpoint.address()).into());
        request.body(Text(Some(asked.text.clone()))).map_err(no_url)
    }

    async fn open(&self) -> Result<Line, BackendError> {
        let opening = async {
            let line = self.door.connect().await?;
            http1::handshake(TokioIo::new(line)).await.map_err(|error| offline(&error))
        };
        let opened = with_patience(&self.runtime, PATIENCE, opening).await;
        if matches!(opened, Err(BackendError::Offline { .. })) {
            say(&self.reachable, false);
        }
        let (line, connection) = opened?;
        self.runtime.spawn(async move {
            // How it ended is told to whoever asks on it.
            let _ = connection.await;
        });
        Ok(line)
    }

    /// Whether the answer is one of a server like that.
    fn check(&self, response: &Response<Incoming>) -> Result<(), BackendError> {
        let (address, status) = (self.door.endpoint.address(), response.status());
        let is_json = response
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.starts_with("application/json"));
        let is_larder = response.headers().get(HEADER).is_some_and(|value| value == HEADER_VALUE);
        if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
            return Err(BackendError::Unauthorized { reason: format!("{address} answers {status}") });
        }
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            let reason = format!("{address} answers {status}");
            return Err(BackendError::Refused { refusal: Refusal::TooLarge, reason });
        }
        if !status.is_success() || !is_json {
            return Err(BackendError::Other(format!("{address} answers {status}, and no frames").into()));
        }
        if self.door.peer == Peer::Larder && !is_larder {
            let what = "is no larder server; for a backend of LiveStore say `HttpBackend::builder(..).of_livestore()`";
            return Err(BackendError::Other(format!("{address} {what}").into()));
        }
        Ok(())
    }

    /// Hands on what the answer says, frame by frame. Whether it was read to its end.
    async fn hear(
        &self,
        mut body: Incoming,
        frames: &mut Frames,
        heard: &mpsc::Sender<Result<Heard, BackendError>>,
    ) -> Result<bool, BackendError> {
        let no_frames = |error: &dyn std::error::Error| {
            BackendError::Other(format!("{} answers what is no frames: {error}", self.door.endpoint.address()).into())
        };
        let mut answer = Answer::default();
        let mut ended = false;
        loop {
            let next = poll_fn(|context| Pin::new(&mut body).poll_frame(context));
            let part = with_patience(&self.runtime, PATIENCE, async { Ok(next.await) }).await?;
            let Some(part) = part else { break };
            let Ok(bytes) = part.map_err(|error| offline(&error))?.into_data() else { continue };
            for text in answer.take(&bytes).map_err(|error| no_frames(&error))? {
                for said in frames.hear(&text).map_err(|error| no_frames(&error))? {
                    ended |= matches!(said, Heard::PullEnded { .. } | Heard::Pushed { .. });
                    if heard.send(Ok(said)).await.is_err() {
                        return Ok(false);
                    }
                }
            }
        }
        answer.end().map_err(|error| no_frames(&error))?;
        if ended { Ok(true) } else { Err(no_frames(&std::io::Error::other("the request has no end"))) }
    }

    fn free_line(&self) -> Option<Line> {
        let now = self.runtime.now();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.retain(|(line, since)| !line.is_closed() && now.since(*since) < FRESH);
        free.pop().map(|(line, _)| line)
    }

    fn keep(&self, line: Line) {
        let now = self.runtime.now();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < LINES && !line.is_closed() {
            free.push((line, now));
        }
    }
}
