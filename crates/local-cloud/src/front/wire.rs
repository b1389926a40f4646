//! Incoming connections, each with a way to cut it, which simulates a lost answer.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use tokio::net::TcpStream;

/// The connection of a request; `None` if its descriptor could not be duplicated.
#[derive(Clone)]
pub(super) struct Wire(Option<Arc<OwnedFd>>);

impl Wire {
    /// Prepares a new connection.
    pub(super) fn of(stream: &TcpStream) -> Self {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "nodelay not set");
        }
        Self(stream.as_fd().try_clone_to_owned().ok().map(Arc::new))
    }

    /// Closes the connection in both directions; later writes are lost.
    pub(super) fn cut(&self) {
        let copy = self.0.as_ref().and_then(|fd| fd.try_clone().ok());
        if let Some(Err(error)) = copy.map(|fd| std::net::TcpStream::from(fd).shutdown(std::net::Shutdown::Both)) {
            tracing::debug!(%error, "the connection was already closed");
        }
    }
}
