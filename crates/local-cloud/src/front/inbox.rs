//! Bodies of requests whose signature has not been verified: anybody on this machine may send them, and a signature can be
//! verified only with the whole body.
//!
//! They have a time to arrive in, and a budget for all of them together. Beyond it the oldest request ends, so that
//! requests that hold their last byte back make room for whole ones at once.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use bytes::BytesMut;
use hyper::body::Body as _;
use hyper::{Response, StatusCode};
use tokio::sync::Notify;

use super::upstream::{MAX_REQUEST, plain};

/// From the head of a request to the end of its body.
const TIME: Duration = Duration::from_secs(30);
/// Bytes of all such bodies together. One request alone always fits.
const TOTAL: usize = 2 * MAX_REQUEST;

#[derive(Default)]
pub(super) struct Inbox(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    last: u64,
    held: usize,
    /// In the order of their arrival.
    bodies: BTreeMap<u64, Arriving>,
}

/// What has arrived of a body.
struct Arriving {
    bytes: usize,
    ended: Arc<Notify>,
}

/// The place of a body, which is free again when this is dropped.
struct Seat<'a> {
    inbox: &'a Inbox,
    number: u64,
    ended: Arc<Notify>,
}

impl Inbox {
    /// Reads a body of at most `limit` bytes.
    ///
    /// # Errors
    /// The refusal of one that is larger, that takes too long, or that has ended to make room.
    pub(super) async fn read(&self, body: Body, limit: usize) -> Result<Bytes, Response<Body>> {
        let seat = self.seat();
        let all = async {
            tokio::select! {
                read = seat.read(body, limit) => read,
                () = seat.ended.notified() => {
                    Err(plain(StatusCode::SERVICE_UNAVAILABLE, "too many requests without a verified signature"))
                }
            }
        };
        let slow = |_| plain(StatusCode::REQUEST_TIMEOUT, "the request took too long");
        tokio::time::timeout(TIME, all).await.map_err(slow).flatten()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seat(&self) -> Seat<'_> {
        let mut inner = self.inner();
        inner.last += 1;
        let (number, ended) = (inner.last, Arc::new(Notify::new()));
        inner.bodies.insert(number, Arriving { bytes: 0, ended: Arc::clone(&ended) });
        Seat { inbox: self, number, ended }
    }
}

impl Inner {
    fn remove(&mut self, number: u64) {
        if let Some(gone) = self.bodies.remove(&number) {
            self.held -= gone.bytes;
            gone.ended.notify_one();
        }
    }
}

impl Seat<'_> {
    async fn read(&self, mut body: Body, limit: usize) -> Result<Bytes, Response<Body>> {
        let mut all = BytesMut::new();
        while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            let frame = frame.map_err(|_| plain(StatusCode::BAD_REQUEST, "the request was cut off"))?;
            let Ok(data) = frame.into_data() else { continue };
            if all.len() + data.len() > limit {
                return Err(plain(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large"));
            }
            self.grow(data.len());
            all.extend_from_slice(&data);
        }
        Ok(all.freeze())
    }

    /// Counts bytes, and ends the oldest requests if there are too many.
    fn grow(&self, bytes: usize) {
        let mut inner = self.inbox.inner();
        let inner = &mut *inner;
        if let Some(own) = inner.bodies.get_mut(&self.number) {
            own.bytes += bytes;
            inner.held += bytes;
        }
        while inner.held > TOTAL {
            let oldest = inner.bodies.iter().find(|(number, body)| **number != self.number && body.bytes > 0);
            let Some((&oldest, _)) = oldest else { return };
            inner.remove(oldest);
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.inbox.inner().remove(self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::task::{Context, Poll};

    use hyper::body::Frame;

    use super::*;

    /// A body of some chunks, which ends or hangs after them.
    struct Chunks {
        left: usize,
        size: usize,
        hangs: bool,
    }

    impl hyper::body::Body for Chunks {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if self.left == 0 {
                return if self.hangs { Poll::Pending } else { Poll::Ready(None) };
            }
            self.left -= 1;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![0; self.size])))))
        }
    }

    const CHUNK: usize = 1 << 20;

    fn body(left: usize, hangs: bool) -> Body {
        Body::new(Chunks { left, size: CHUNK, hangs })
    }

    #[tokio::test(start_paused = true)]
    async fn flood_of_bodies_ends_and_a_whole_one_is_read() {
        let inbox = Arc::new(Inbox::default());
        let flood = |_| {
            let inbox = Arc::clone(&inbox);
            tokio::spawn(async move { inbox.read(body(8, true), MAX_REQUEST).await.unwrap_err().status() })
        };
        let flood: Vec<_> = (0..120).map(flood).collect();
        tokio::task::yield_now().await;
        let held = inbox.inner().held;
        assert!(held <= TOTAL, "{held} bytes are held");
        // The largest that there is, at once.
        let started = tokio::time::Instant::now();
        assert_eq!(inbox.read(body(70, false), MAX_REQUEST).await.unwrap().len(), MAX_REQUEST);
        assert_eq!(started.elapsed(), Duration::ZERO);
        let mut ends = Vec::new();
        for one in flood {
            ends.push(one.await.unwrap());
        }
        // The oldest made room, the rest waited for nothing.
        assert_eq!(ends.first(), Some(&StatusCode::SERVICE_UNAVAILABLE));
        assert_eq!(ends.last(), Some(&StatusCode::REQUEST_TIMEOUT));
        let inner = inbox.inner();
        assert_eq!((started.elapsed(), inner.held, inner.bodies.len()), (TIME, 0, 0));
    }

    #[tokio::test]
    async fn larger_bodies_are_refused() {
        let inbox = Inbox::default();
        assert_eq!(inbox.read(body(9, false), 8 * CHUNK).await.unwrap_err().status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(inbox.read(body(8, false), 8 * CHUNK).await.unwrap().len(), 8 * CHUNK);
        assert_eq!(inbox.inner().held, 0);
    }
}
