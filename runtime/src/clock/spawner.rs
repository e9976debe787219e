//! Where tasks run: the tokio runtime that is current when a registry is built, else one private thread.

use std::{panic::catch_unwind, sync::mpsc};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
    time::Instant,
};

use crate::definition::BoxFuture;

pub(super) struct Spawner {
    handle: Handle,
    /// Dropping it ends the private thread, if there is one.
    _stop: Option<oneshot::Sender<()>>,
}

impl Spawner {
    pub(super) fn current_or_private() -> Result<Self, String> {
        match Handle::try_current() {
            Ok(handle) => {
                has_timer(&handle)?;
                Ok(Self { handle, _stop: None })
            }
            Err(_) => Self::private(),
        }
    }

    /// As [`current_or_private`](Self::current_or_private), and a private thread waits for sockets, too. That opens files that stay open as long as the
    /// process lives, so it is for those alone who have sockets.
    #[cfg(any(feature = "http", feature = "ws"))]
    pub(super) fn for_sockets() -> Result<Self, String> {
        Handle::try_current().map_or_else(|_| Self::on_thread(true), |_| Self::current_or_private())
    }

    pub(super) fn private() -> Result<Self, String> {
        Self::on_thread(false)
    }

    fn on_thread(sockets: bool) -> Result<Self, String> {
        let (stop, stopped) = oneshot::channel::<()>();
        let (sender, receiver) = mpsc::channel();
        let build = move || {
            let mut builder = Builder::new_current_thread();
            if sockets { builder.enable_all() } else { builder.enable_time() }.build()
        };
        let body = move || match build() {
            Ok(runtime) => {
                let _ = sender.send(Ok(runtime.handle().clone()));
                // An error says that the sender is gone, which is what ends this thread.
                let _ = runtime.block_on(stopped);
            }
            Err(error) => {
                let _ = sender.send(Err(error));
            }
        };
        let refused = |error: std::io::Error| {
            format!(
                "the background thread cannot be started: {error}; end other threads, or raise the limit (`ulimit -u`)"
            )
        };
        std::thread::Builder::new().name("larder".into()).spawn(body).map_err(refused)?;
        match receiver.recv() {
            Ok(Ok(handle)) => Ok(Self { handle, _stop: Some(stop) }),
            Ok(Err(error)) => Err(refused(error)),
            Err(_) => Err("the background thread ended as it started; try again".into()),
        }
    }

    pub(super) fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.handle.spawn(task);
    }

    pub(super) fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        self.handle.spawn_blocking(work);
    }

    pub(super) fn sleep_until(&self, at: Instant) -> tokio::time::Sleep {
        let _entered = self.handle.enter();
        tokio::time::sleep_until(at)
    }
}

/// tokio offers no way to ask, and panics when a timer is made on a runtime without.
fn has_timer(handle: &Handle) -> Result<(), String> {
    let probe = || {
        let _entered = handle.enter();
        drop(tokio::time::sleep(std::time::Duration::ZERO));
    };
    catch_unwind(std::panic::AssertUnwindSafe(probe))
        .map_err(|_| "the current tokio runtime has no timer; build it with `enable_time()` or `enable_all()`".into())
}
