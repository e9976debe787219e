//! Whether the registry may use the network.

use std::sync::Arc;

use tokio::sync::watch;

/// Whether a registry's stores sync, from [`StoreRegistry::network`](crate::StoreRegistry::network). Cheap to clone.
#[derive(Clone, Debug)]
pub struct NetworkStatus {
    offline: Arc<watch::Sender<bool>>,
}

impl Default for NetworkStatus {
    fn default() -> Self {
        Self { offline: Arc::new(watch::Sender::new(false)) }
    }
}

impl NetworkStatus {
    /// Takes all stores of the registry off the network, or lets them on it again. What is on its way is dropped, as by a connection that
    /// is cut; commits go on and stay pending.
    pub fn set_offline(&self, offline: bool) {
        self.offline.send_if_modified(|now| std::mem::replace(now, offline) != offline);
    }

    /// Whether [`set_offline`](Self::set_offline) has taken the stores off the network.
    pub fn is_offline(&self) -> bool {
        *self.offline.borrow()
    }

    /// Resolves when it changes after the call.
    pub(crate) fn changed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut offline = self.offline.subscribe();
        async move {
            let _ = offline.changed().await;
        }
    }
}
