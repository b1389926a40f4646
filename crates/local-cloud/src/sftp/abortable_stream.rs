//! A connection's stream that another task can end: the SSH library's task keeps running after its future is dropped.
//! It also tells the [`Conversation`] of bytes in both directions, and [`Hello`] what the client says, and reads
//! nothing while [`Intake`] has enough.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

use super::conversation::Conversation;
use super::hello::Hello;
use super::intake::{Intake, PAUSE};

/// A stream that fails as soon as its [`AbortOnDrop`] is dropped.
pub(super) struct AbortableStream<S> {
    inner: S,
    end: End,
    conversation: Conversation,
    hello: Hello,
    intake: Intake,
    /// While nothing is read.
    pause: Option<Pin<Box<Sleep>>>,
}

/// Ends what has its [`End`] when dropped.
pub(super) struct AbortOnDrop(#[expect(dead_code, reason = "it only has to be dropped")] oneshot::Sender<()>);

/// Tells a stream that its [`AbortOnDrop`] was dropped.
pub(super) struct End {
    ended: oneshot::Receiver<()>,
    over: bool,
}

impl End {
    pub(super) fn new() -> (Self, AbortOnDrop) {
        let (end, ended) = oneshot::channel();
        (Self { ended, over: false }, AbortOnDrop(end))
    }

    /// Whether it has come. Wakes the task when it comes.
    pub(super) fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        self.over = self.over || Pin::new(&mut self.ended).poll(context).is_ready();
        self.over
    }
}

impl<S> AbortableStream<S> {
    /// Wraps a stream. Returns it with the guard that ends it.
    pub(super) fn new(inner: S, conversation: Conversation, hello: Hello, intake: Intake) -> (Self, AbortOnDrop) {
        let (end, guard) = End::new();
        (Self { inner, end, conversation, hello, intake, pause: None }, guard)
    }

    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.end.is_over(context) { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }

    /// Whether nothing is to be read now. The task is woken when that changes, or the pause is over.
    fn pauses(&mut self, context: &mut Context<'_>) -> bool {
        let waits = self.intake.is_full(context)
            && self.pause.get_or_insert_with(|| Box::pin(sleep(PAUSE))).as_mut().poll(context).is_pending();
        if !waits {
            self.pause = None;
        }
        waits
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for AbortableStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        if self.pauses(context) {
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.conversation.heard();
            self.hello.hear(&buffer.filled()[before..]);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for AbortableStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(context)?;
        let written = ready!(Pin::new(&mut self.inner).poll_write(context, bytes))?;
        self.conversation.answered();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test(start_paused = true)]
    async fn little_is_read_while_a_write_waits() {
        let (mut client, server) = tokio::io::duplex(64);
        let intake = Intake::default();
        let (mut stream, _guard) =
            AbortableStream::new(server, Conversation::default(), Hello::default(), intake.clone());
        client.write_all(b"ab").await.unwrap();
        let write = intake.write();
        intake.count(1 << 30);
        let begun = tokio::time::Instant::now();
        assert_eq!(stream.read_u8().await.unwrap(), b'a');
        assert_eq!(begun.elapsed(), PAUSE);
        drop(write);
        assert_eq!(stream.read_u8().await.unwrap(), b'b');
        assert_eq!(begun.elapsed(), PAUSE);
    }

    #[tokio::test]
    async fn stream_breaks_when_its_guard_is_dropped() {
        let (mut client, server) = tokio::io::duplex(64);
        let (mut stream, guard) =
            AbortableStream::new(server, Conversation::default(), Hello::default(), Intake::default());
        client.write_all(b"ab").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'a');
        let reading = tokio::spawn(async move {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await
        });
        drop(guard);
        assert_eq!(reading.await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    }
}
