//! Whose the other end of a connection on this machine is. Another user could take the port of a server that has
//! stopped, or connect to one that is for its own user alone.

use std::net::SocketAddr;

use crate::owner::is_own;
use crate::socket_tables;

/// What the system says of an end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The system does not say.
    Unknown,
    Gone,
    /// Before a process has accepted the connection, some kernels name root as the owner.
    Owner {
        user: u32,
        is_accepted: bool,
    },
}

/// The first end of a connection between two: the kernel is asked for it alone, and what it does not know is looked for
/// in its tables, which take milliseconds on a busy machine.
pub fn find(of: SocketAddr, other: SocketAddr) -> Found {
    #[cfg(target_os = "linux")]
    if let Ok(found) = crate::sock_diag::find(of, other) {
        return found;
    }
    socket_tables::find(of, other)
}

/// Whether a process of this user has connected from `client` to `server`, where the system says so.
pub fn is_own_client(client: SocketAddr, server: SocketAddr) -> bool {
    match find(client, server) {
        Found::Owner { user, is_accepted } => is_accepted && is_own(user),
        Found::Gone => false,
        Found::Unknown => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn own_connection_is_ours_until_it_is_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (from, to) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
        assert!(matches!(find(to, from), Found::Owner { is_accepted: false, .. }));
        let (stream, _) = listener.accept().unwrap();
        assert!(is_own_client(from, to));
        let user = rustix::process::geteuid().as_raw();
        for ends in [(from, to), (to, from)] {
            assert_eq!(find(ends.0, ends.1), Found::Owner { user, is_accepted: true });
            assert_eq!(socket_tables::find(ends.0, ends.1), find(ends.0, ends.1));
        }
        drop((client, stream));
        assert!(!is_own_client(from, to));
    }

    #[test]
    fn connection_that_never_was_is_gone() {
        let (never, either) = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        assert_eq!(find(never, either), Found::Gone);
        assert!(!is_own_client(never, either));
    }
}
