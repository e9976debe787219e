//! A stream that does not wait for ever for somebody who takes nothing, and counts what goes over it.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// How long the other side may take nothing. The doors give up earlier, and say why where somebody listens.
const PATIENCE: Duration = Duration::from_secs(40);

/// Bytes that a connection of the network has read and written: a message that is long on its way is no silence.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    read: AtomicU64,
    written: AtomicU64,
}

impl Traffic {
    pub(crate) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }
}

pub(super) struct Impatient<S> {
    inner: S,
    traffic: Arc<Traffic>,
    /// Set while a write waits.
    over: Option<Pin<Box<Sleep>>>,
}

impl<S> Impatient<S> {
    pub(super) fn new(inner: S, traffic: Arc<Traffic>) -> Self {
        Self { inner, traffic, over: None }
    }

    fn count(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.traffic.written.fetch_add(*bytes as u64, Ordering::Relaxed);
        }
    }

    /// What became of a write, or an error when none has made progress for too long.
    fn or_over<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.over = None;
            return written;
        }
        ready!(self.over.get_or_insert_with(|| Box::pin(sleep(PATIENCE))).as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, into);
        let bytes = into.filled().len() - before;
        self.traffic.read.fetch_add(bytes as u64, Ordering::Relaxed);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.count(&written);
        self.or_over(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, parts);
        self.count(&written);
        self.or_over(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        if flushed.is_ready() { flushed } else { self.or_over(context, flushed) }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.inner).poll_shutdown(context);
        self.or_over(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
        time::{Instant, timeout},
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_write_that_nobody_takes_ends_and_one_that_is_taken_slowly_does_not() {
        let (ours, mut theirs) = duplex(10);
        let mut ours = Impatient::new(ours, Arc::default());
        let reading = tokio::spawn(async move {
            for _ in 0..10 {
                tokio::time::sleep(PATIENCE - Duration::from_secs(1)).await;
                theirs.read_exact(&mut [0; 10]).await.expect("ten bytes");
            }
            theirs
        });
        ours.write_all(&[0; 100]).await.expect("it takes its time, and is taken");
        let _theirs = reading.await.expect("no panic");
        let began = Instant::now();
        let stuck = timeout(PATIENCE * 2, ours.write_all(&[0; 11])).await.expect("it ends");
        assert_eq!(stuck.expect_err("nobody takes it").kind(), io::ErrorKind::TimedOut);
        assert!((PATIENCE..PATIENCE + Duration::from_secs(1)).contains(&began.elapsed()));
    }
}
