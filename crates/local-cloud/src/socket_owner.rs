//! Whose a connection on this machine is. Other users could take all places of the front before they show that they may
//! not use it, and answer in the place of a front that has stopped.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use netlink_sys::{Socket, SocketAddr as KernelAddress};
use rustix::io::Errno;
use sftpctl_aws::owner::is_own;
use sftpctl_aws::socket_tables::{Found, find};
use tokio::net::TcpStream;

/// When it is asked again who serves a connection that is not accepted yet.
const PAUSE: Duration = Duration::from_millis(10);
/// Bytes of the kernel's answer about one socket; it has some hundred.
const ANSWER: usize = 4096;

/// Whether a process of this user has connected, where the system says so; by both ends of the connection.
pub(super) fn has_our_client(stream: &TcpStream) -> bool {
    let (Ok(client), Ok(server)) = (stream.peer_addr(), stream.local_addr()) else { return false };
    // A kernel without these messages, as of some containers, may still have the tables. They take milliseconds each.
    match asked(client, server) {
        Ok(end) => end.is_some_and(|end| end.is_open && is_own(end.owner)),
        Err(_) => is_in_tables(client, server, is_own),
    }
}

/// Whether a process of this user serves the connection, where the system says so. Waits until one has accepted it; the
/// caller has a time limit.
pub(super) async fn has_our_server(stream: &TcpStream) -> bool {
    let (Ok(client), Ok(server)) = (stream.local_addr(), stream.peer_addr()) else { return false };
    loop {
        match asked(server, client) {
            Ok(Some(End { is_open: false, .. })) => tokio::time::sleep(PAUSE).await,
            Ok(end) => return end.is_some_and(|end| is_own(end.owner)),
            Err(_) => return is_in_tables(server, client, is_own),
        }
    }
}

/// What the kernel says of an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct End {
    owner: u32,
    /// A process has it. Otherwise it has not been accepted yet, or was closed, and some kernels name root as its owner.
    is_open: bool,
}

/// The first end of a connection, from the kernel; `None` if it is gone. See sock_diag(7).
fn asked(of: SocketAddr, other: SocketAddr) -> io::Result<Option<End>> {
    let socket_id = SocketId {
        source_port: of.port(),
        destination_port: other.port(),
        source_address: of.ip(),
        destination_address: other.ip(),
        interface_id: 0,
        cookie: [0xff; 8],
    };
    let request = InetRequest {
        family: if of.is_ipv4() { AF_INET } else { AF_INET6 },
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::empty(),
        states: StateFlags::all(),
        socket_id,
    };
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);

    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.connect(&KernelAddress::new(0, 0))?;
    // The kernel answers before `send` returns.
    socket.set_non_blocking(true)?;
    socket.send(&bytes, 0)?;
    let mut answer = Vec::with_capacity(ANSWER);
    socket.recv(&mut answer, 0)?;
    let answer = NetlinkMessage::<SockDiagMessage>::deserialize(&answer).map_err(io::Error::other)?;
    match answer.payload {
        NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(found)) => {
            Ok(Some(End { owner: found.header.uid, is_open: found.header.inode != 0 }))
        }
        NetlinkPayload::Error(error) if error.raw_code() == -Errno::NOENT.raw_os_error() => Ok(None),
        NetlinkPayload::Error(error) => Err(error.to_io()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn is_in_tables(of: SocketAddr, other: SocketAddr, is_user: impl Fn(u32) -> bool) -> bool {
    match find(of, other) {
        Found::Owner { user, .. } => is_user(user),
        Found::Gone => false,
        Found::Unknown => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn own_connection_is_ours_until_it_is_gone() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        assert!(has_our_client(&stream) && has_our_server(&client).await);
        let (from, to) = (stream.peer_addr().unwrap(), stream.local_addr().unwrap());
        let user = rustix::process::geteuid().as_raw();
        assert_eq!(asked(from, to).unwrap(), Some(End { owner: user, is_open: true }));
        assert!(is_in_tables(from, to, |owner| owner == user) && !is_in_tables(from, to, |owner| owner != user));
        drop((client, stream));
        let never = "127.0.0.1:1".parse().unwrap();
        assert_eq!(asked(never, to).unwrap(), None);
    }

    /// A client that speaks IPv6 to an address of IPv4 has a socket of IPv6.
    #[tokio::test]
    async fn mapped_connection_is_ours() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mapped = format!("[::ffff:127.0.0.1]:{}", listener.local_addr().unwrap().port());
        let _client = TcpStream::connect(mapped).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let (from, to) = (stream.peer_addr().unwrap(), stream.local_addr().unwrap());
        let owner = rustix::process::geteuid().as_raw();
        assert_eq!(asked(from, to).unwrap(), Some(End { owner, is_open: true }));
    }
}
