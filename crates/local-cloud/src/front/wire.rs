//! Incoming connections, each with a way to cut it, which simulates a lost answer.

use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};

pub(super) struct FrontListener(pub(super) TcpListener);

impl Listener for FrontListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "nodelay not set");
        }
        (stream, address)
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// The connection of a request; `None` if its descriptor could not be duplicated.
#[derive(Clone)]
pub(super) struct Wire(Option<Arc<OwnedFd>>);

impl Connected<IncomingStream<'_, FrontListener>> for Wire {
    fn connect_info(stream: IncomingStream<'_, FrontListener>) -> Self {
        Self(stream.io().as_fd().try_clone_to_owned().ok().map(Arc::new))
    }
}

impl Wire {
    /// Closes the connection in both directions; later writes are lost.
    pub(super) fn cut(&self) {
        let copy = self.0.as_ref().and_then(|fd| fd.try_clone().ok());
        if let Some(Err(error)) = copy.map(|fd| std::net::TcpStream::from(fd).shutdown(std::net::Shutdown::Both)) {
            tracing::debug!(%error, "the connection was already closed");
        }
    }
}
