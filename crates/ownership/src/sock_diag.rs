//! What the kernel says of one end of a connection, asked by sock_diag(7).

use std::io;
use std::net::SocketAddr;

use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP, TCP_LISTEN};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use netlink_sys::{Socket, SocketAddr as KernelAddress};

use crate::connection::Found;

/// Bytes of the kernel's answer about one socket; it has some hundred.
const ANSWER: usize = 4096;

/// The first end of a connection between two.
///
/// # Errors
/// The end does not exist, or the kernel does not have these messages, as in some containers: it says the same of both.
pub(crate) fn find(of: SocketAddr, other: SocketAddr) -> io::Result<Found> {
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
        // In place of a connection that is gone, the kernel finds who listens at its address.
        NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(found)) if found.header.state == TCP_LISTEN => {
            Err(io::ErrorKind::NotFound.into())
        }
        NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(found)) => {
            Ok(Found::Owner { user: found.header.uid, is_accepted: found.header.inode != 0 })
        }
        NetlinkPayload::Error(error) => Err(error.to_io()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    /// A client that speaks IPv6 to an address of IPv4 has a socket of IPv6.
    #[test]
    fn kernel_names_the_owner_of_either_family() {
        for family in ["127.0.0.1", "[::ffff:127.0.0.1]"] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let to = format!("{family}:{}", listener.local_addr().unwrap().port());
            let client = TcpStream::connect(to).unwrap();
            let (stream, from) = listener.accept().unwrap();
            let to = stream.local_addr().unwrap();
            let user = rustix::process::geteuid().as_raw();
            assert_eq!(find(from, to).unwrap(), Found::Owner { user, is_accepted: true });
            assert_eq!(find(to, from).unwrap(), Found::Owner { user, is_accepted: true });
            drop((client, stream));
        }
    }

    #[test]
    fn listener_is_no_end_of_a_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let never = "127.0.0.1:1".parse().unwrap();
        assert_eq!(find(listener.local_addr().unwrap(), never).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
