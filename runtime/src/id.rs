//! Store ids: which data; chosen by the app, stable, namespaced (`issue:123`).

mod escape;
mod key;
mod store_id;

pub use key::{IntoStoreId, Only, StoreKey};
pub use store_id::{StoreId, StoreIdError};

#[doc(hidden)]
pub use key::{KeyPart, KeyPattern, KeySegment, key_field, same_id};
