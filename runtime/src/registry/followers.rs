//! Who follows all stores of a definition, loaded or not: queries over many stores, and projections.

use std::sync::{Arc, PoisonError, Weak};

use crate::{
    id::StoreId,
    primitives::Mutex,
    seeded,
    store::{Engine, StoreName},
};

/// Somebody who follows stores of one definition. Called under no lock; every call is short.
pub(crate) trait Follower: Send + Sync {
    /// A store was loaded, and nobody has committed to it yet.
    fn loaded(&self, id: &StoreId, engine: &Arc<Engine>);

    /// A store is another one now: it was deleted, or is gone with its memory.
    fn changed(&self, id: &StoreId);

    /// The registry was shut down.
    fn over(&self);
}

/// The followers of a registry.
#[derive(Default)]
pub(crate) struct Followers(Mutex<Vec<(&'static str, Weak<dyn Follower>)>>);

impl Followers {
    /// One more, of the definition with this name.
    pub(crate) fn add(&self, definition: &'static str, follower: &Arc<dyn Follower>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(_, other)| other.strong_count() > 0);
        all.push((definition, Arc::downgrade(follower)));
    }

    pub(super) fn loaded(&self, name: &StoreName, engine: &Arc<Engine>) {
        if !seeded::bug("load-not-followed") {
            self.of(Some(name.definition())).iter().for_each(|follower| follower.loaded(name.id(), engine));
        }
    }

    pub(super) fn changed(&self, name: &StoreName) {
        self.of(Some(name.definition())).iter().for_each(|follower| follower.changed(name.id()));
    }

    pub(super) fn over(&self) {
        self.of(None).iter().for_each(|follower| follower.over());
    }

    /// Those of a definition, or all of them.
    fn of(&self, definition: Option<&str>) -> Vec<Arc<dyn Follower>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = all.iter().filter(|(of, _)| definition.is_none_or(|definition| definition == *of));
        wanted.filter_map(|(_, follower)| follower.upgrade()).collect()
    }
}
