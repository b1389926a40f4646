//! Ends a session whose client sends an oversized packet, after which packet boundaries are lost, and one whose connection
//! has ended. Also counts the session, its activity and its backlog for the connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::abortable_stream::End;
use super::backlog::Backlog;
use super::clock::Clock;

/// Maximum packet length, as in OpenSSH.
pub(super) const MAX_PACKET: u32 = 256 * 1024;

/// A stream of SFTP packets, each a length of four bytes and its content.
pub(super) struct Guard<S> {
    inner: S,
    /// Bytes of the length received so far.
    head: [u8; 4],
    have: usize,
    /// Bytes of the content still to come.
    left: u32,
    ended: bool,
    clock: Clock,
    _seat: Arc<()>,
    backlog: Backlog,
    end: End,
}

impl<S> Guard<S> {
    /// Wraps the stream of a session. `seat` is dropped with the stream, which ends with `end`.
    pub(super) fn new(inner: S, clock: Clock, seat: Arc<()>, backlog: Backlog, end: End) -> Self {
        Self { inner, head: [0; 4], have: 0, left: 0, ended: false, clock, _seat: seat, backlog, end }
    }

    /// Tracks the packet boundaries; `false` if a packet is too large.
    fn follow(&mut self, mut bytes: &[u8]) -> bool {
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.left > 0 {
                let skip = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left -= u32::try_from(skip).unwrap_or(self.left);
                bytes = &bytes[skip..];
                continue;
            }
            self.head[self.have] = byte;
            self.have += 1;
            bytes = rest;
            if self.have == 4 {
                self.have = 0;
                self.left = u32::from_be_bytes(self.head);
                if self.left > MAX_PACKET {
                    return false;
                }
            }
        }
        true
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ended || self.end.is_over(context) {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        self.clock.touch();
        let fresh = buffer.filled()[before..].to_vec();
        self.backlog.handled(fresh.len());
        if !self.follow(&fresh) {
            self.ended = true;
            buffer.set_filled(before);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // The library's end of the channel would wait for a window that nobody opens any more.
        if self.end.is_over(context) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let written = ready!(Pin::new(&mut self.inner).poll_write(context, bytes))?;
        self.clock.touch();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::SftpLimits as Limits;
    use tokio::io::AsyncReadExt as _;

    #[tokio::test]
    async fn packets_pass_until_one_is_too_large() {
        let good = [&3_u32.to_be_bytes()[..], b"abc", &0_u32.to_be_bytes()[..]].concat();
        let bad = [&good[..], &(MAX_PACKET + 1).to_be_bytes()[..], b"xyz"].concat();
        for (bytes, expected) in [(&good, good.len()), (&bad, good.len())] {
            // In pieces of several sizes, so that lengths are split anywhere.
            for size in 1..8 {
                let (end, _open) = End::new();
                let (clock, backlog) = (Clock::new(Limits::default()), Backlog::default());
                let mut guard = Guard::new(tokio_test_reader(bytes, size), clock, Arc::default(), backlog, end);
                let mut out = Vec::new();
                guard.read_to_end(&mut out).await.unwrap();
                assert!(out.starts_with(&good[..expected.min(out.len())]));
                assert!(out.len() >= good.len() - 4 && !out.ends_with(b"xyz"), "{size}: {out:?}");
            }
        }
    }

    /// Also one that waits for a client that reads nothing.
    #[tokio::test]
    async fn session_ends_with_its_connection() {
        use tokio::io::AsyncWriteExt as _;
        let (end, connection) = End::new();
        let (_client, server) = tokio::io::duplex(1);
        let (clock, backlog) = (Clock::new(Limits::default()), Backlog::default());
        let mut guard = Guard::new(server, clock, Arc::default(), backlog, end);
        let writing = tokio::spawn(async move { (guard.write_all(b"answer").await, guard) });
        tokio::task::yield_now().await;
        drop(connection);
        let (written, mut guard) = writing.await.unwrap();
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        assert_eq!(guard.read(&mut [0; 8]).await.unwrap(), 0);
    }

    fn tokio_test_reader(bytes: &[u8], size: usize) -> impl AsyncRead + Unpin + use<> {
        let (client, mut server) = tokio::io::duplex(size);
        let bytes = bytes.to_vec();
        tokio::spawn(async move {
            use tokio::io::AsyncWriteExt as _;
            let _ = server.write_all(&bytes).await;
        });
        client
    }
}
