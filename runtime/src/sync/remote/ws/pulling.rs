//! A pull over WebSockets.

use std::sync::Arc;

use super::{
    super::{
        asking::{ended, pull_of},
        link::{
            Command, Link,
            pages::{Next, Pages, pages},
        },
        seats::CONNECTIONS,
    },
    WsBackend,
};
use crate::sync::{BackendError, PullPage, PullRequest};

/// One pull, on one connection after the other where it has to be.
pub(super) struct Pulling<'a> {
    backend: &'a WsBackend,
    request: PullRequest<'a>,
    /// Behind which number to go on, of which log.
    after: u64,
    backend_id: Option<String>,
    open: Option<Open>,
    /// Connections before this one are full.
    from: usize,
    over: bool,
}

/// A pull that is asked on a connection.
struct Open {
    pages: Pages,
    row: Option<usize>,
    /// It stays open as long as somebody wants this.
    _link: Link,
}

impl<'a> Pulling<'a> {
    pub(super) fn new(backend: &'a WsBackend, request: PullRequest<'a>) -> Self {
        let (after, backend_id) = (request.after, request.backend_id.map(str::to_owned));
        Self { backend, request, after, backend_id, open: None, from: 0, over: false }
    }

    pub(super) async fn next(&mut self) -> Option<Result<PullPage, BackendError>> {
        while !self.over {
            let open = match self.open.take() {
                Some(open) => Ok(open),
                None => self.begin().await,
            };
            let mut open = match open {
                Ok(open) => open,
                Err(error) => {
                    self.over = true;
                    return Some(Err(error));
                }
            };
            match open.pages.next().await {
                Next::Page(page) => {
                    self.after = page.events.last().map_or(self.after, |event| event.number.global());
                    self.backend_id = Some(page.backend_id.clone());
                    self.open = Some(open);
                    return Some(Ok(page));
                }
                Next::GivenUp => {}
                Next::Ended(Some(error)) if self.backend.is_full(&error) => {
                    self.from = open.row.map_or(CONNECTIONS, |row| row + 1);
                }
                Next::Ended(error) => {
                    self.over = true;
                    return error.map(Err);
                }
            }
        }
        None
    }

    async fn begin(&self) -> Result<Open, BackendError> {
        let backend = self.backend;
        let pull = pull_of(self.request.after(self.after, self.backend_id.as_deref())).await?;
        let (link, seat) = backend.place(&pull.sync_id, pull.payload.as_ref(), self.from).await?;
        let (row, id, live) = (seat.as_ref().map(|seat| seat.row), backend.next_request(), pull.live);
        let text = backend.writer().pull(id, pull);
        link.passed(async |gate| gate.pull(text.len()).await).await.ok_or_else(ended)?;
        let (filled, pages) = pages(id, Arc::clone(&link.told));
        let command = Command::Pull { id, text, after: self.after, live, pages: filled, seat };
        link.commands.send(command).await.map_err(|_| ended())?;
        Ok(Open { pages, row, _link: link })
    }
}
