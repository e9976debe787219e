//! `evict` and `clear`: they take effect at the call; their futures wait until the files are closed.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::{cell::Place, slot::CloseCell};
use crate::error::StoreError;

/// An eviction, which took effect at the call. Await it to know that the file is closed, and how that went.
pub struct Evict {
    closing: Option<(Arc<CloseCell>, Place)>,
}

impl Evict {
    pub(super) fn new(closing: Option<Arc<CloseCell>>) -> Self {
        Self { closing: closing.map(|cell| (cell, Place::default())) }
    }
}

impl Future for Evict {
    /// The error of a store that could not be closed cleanly. Nothing that was committed is lost.
    type Output = Result<(), StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.closing {
            None => Poll::Ready(Ok(())),
            Some((cell, place)) => cell.poll(place, context).map(Clone::clone),
        }
    }
}

impl Drop for Evict {
    fn drop(&mut self) {
        if let Some((cell, place)) = &mut self.closing {
            cell.leave(place);
        }
    }
}

impl fmt::Debug for Evict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Evict").finish_non_exhaustive()
    }
}

/// The eviction of all stores, which took effect at the call. Await it to know that all files are closed, and how that went.
#[derive(Debug)]
pub struct Clear {
    pub(super) evictions: Vec<Evict>,
    pub(super) errors: Vec<StoreError>,
}

impl Future for Clear {
    /// The errors of stores that could not be closed cleanly. Nothing that was committed is lost.
    type Output = Result<(), Vec<StoreError>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { evictions, errors } = &mut *self;
        evictions.retain_mut(|eviction| match Pin::new(eviction).poll(context) {
            Poll::Pending => true,
            Poll::Ready(Ok(())) => false,
            Poll::Ready(Err(error)) => {
                errors.push(error);
                false
            }
        });
        match (self.evictions.is_empty(), self.errors.is_empty()) {
            (false, _) => Poll::Pending,
            (true, true) => Poll::Ready(Ok(())),
            (true, false) => Poll::Ready(Err(std::mem::take(&mut self.errors))),
        }
    }
}
