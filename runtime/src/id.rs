//! Store ids: which data; chosen by the app, stable, namespaced (`issue:123`).

mod escape;
mod key;
mod near;
mod store_id;

pub use key::{IntoStoreId, Only, StoreKey};
pub(crate) use near::nearest;
pub(crate) use store_id::check_sync_id;
pub use store_id::{StoreId, StoreIdError};

#[doc(hidden)]
pub use key::{KeyPart, KeyPattern, KeySegment, key_field, same_id};
