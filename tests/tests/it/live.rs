//! Live queries: dirtiness is pushed, results are pulled.

mod graph;
mod oracle;
mod shapes;
mod subscribe;

use futures_util::FutureExt as _;
use larder::{Live, QueryError, Subscription};
use std::sync::Arc;

/// What the subscription has for whoever polls now.
pub(crate) fn polled<T>(subscription: &mut Subscription<T>) -> Option<Result<Live<Arc<T>>, QueryError>> {
    subscription.next().now_or_never().map(|item| item.expect("it has not ended"))
}

/// The different result that is there.
pub(crate) fn news<T>(subscription: &mut Subscription<T>) -> Live<Arc<T>> {
    polled(subscription).expect("a different result").expect("the query runs")
}
