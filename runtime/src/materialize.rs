//! Materializing: typed writes and reads for materializers.

use std::marker::PhantomData;

use crate::error::MaterializeError;

/// What a materializer returns.
pub type MaterializeResult = Result<(), MaterializeError>;

/// The tables of schema `S`, inside the transaction of one commit.
pub struct Tables<'a, S> {
    types: PhantomData<(&'a mut (), fn() -> S)>,
}
