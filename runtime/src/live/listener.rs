//! Who listens to a node: hears each different result once.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use super::slot::{AnyNode, Refreshed, subscriber};
use crate::error::{QueryError, QueryErrorKind};

/// A place among those whom a node wakes. It ends with one error when a store is gone; other errors are results like others.
pub(super) struct Listener<V> {
    node: AnyNode<V>,
    who: u64,
    seen: Option<u64>,
    ended: bool,
}

impl<V> Listener<V> {
    pub(super) fn new(node: AnyNode<V>) -> Self {
        Self { node, who: subscriber(), seen: None, ended: false }
    }

    pub(super) fn node(&self) -> AnyNode<V> {
        Arc::clone(&self.node)
    }

    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// The next result; `None` after the end.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<V, QueryError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.node.watch(self.who, context.waker());
        let Refreshed::Is(now) = self.node.refresh() else { return Poll::Pending };
        if self.seen == Some(now.version) {
            return Poll::Pending;
        }
        self.seen = Some(now.version);
        if matches!(&now.result, Err(error) if matches!(error.kind(), QueryErrorKind::Store(_))) {
            self.ended = true;
            self.node.leave(self.who);
        }
        Poll::Ready(Some(now.result))
    }
}

impl<V> Drop for Listener<V> {
    fn drop(&mut self) {
        self.node.leave(self.who);
    }
}
