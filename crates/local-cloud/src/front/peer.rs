//! Whose a connection is. Other users of the machine could take all places of the front before they show that they may not
//! use it.

use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpStream;

/// How often the system's tables are read: one that changes meanwhile may lack a row.
const ATTEMPTS: usize = 5;

/// Whether a process of this user has connected, where the system says so; by both ends of the connection.
pub(super) fn is_ours(stream: &TcpStream) -> bool {
    let (Ok(client), Ok(server)) = (stream.peer_addr(), stream.local_addr()) else { return false };
    let user = rustix::process::geteuid().as_raw();
    let mut is_known = false;
    for _ in 0..ATTEMPTS {
        for (table, of_v6) in [("/proc/net/tcp", false), ("/proc/net/tcp6", true)] {
            let Ok(text) = std::fs::read_to_string(table) else { continue };
            is_known = true;
            if let Some(owner) = owner(&text, &end(client, of_v6), &end(server, of_v6)) {
                return owner == user;
            }
        }
    }
    !is_known
}

/// The owner of the connection between two ends, in a table of proc(5).
fn owner(table: &str, from: &str, to: &str) -> Option<u32> {
    table.lines().find_map(|line| {
        let row: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_it = row.get(1) == Some(&from) && row.get(2) == Some(&to);
        row.get(7).filter(|_| is_it)?.parse().ok()
    })
}

/// An end of a connection as the tables have it: words of four bytes in the order of the machine.
fn end(address: SocketAddr, of_v6: bool) -> String {
    let bytes = match address.ip() {
        IpAddr::V4(ip) if of_v6 => ip.to_ipv6_mapped().octets().to_vec(),
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let words = bytes.as_chunks::<4>().0.iter().map(|word| format!("{:08X}", u32::from_ne_bytes(*word)));
    format!("{}:{:04X}", words.collect::<String>(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
        0: 0100007F:11DA 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0 100 0 0 10 0\n   \
        1: 0100007F:D431 0100007F:11DA 01 00000000:00000000 00:00000000 00000000 65534        0 2 1 0 20 4 30 10 -1\n";

    #[test]
    fn connection_has_the_owner_of_its_other_end() {
        assert_eq!(owner(TABLE, "0100007F:D431", "0100007F:11DA"), Some(65534));
        assert_eq!(owner(TABLE, "0100007F:D432", "0100007F:11DA"), None);
        assert_eq!(owner(TABLE, "0100007F:11DA", "0100007F:D431"), None);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn ends_are_as_in_the_tables() {
        let address = "127.0.0.1:4570".parse().unwrap();
        assert_eq!(end(address, false), "0100007F:11DA");
        assert_eq!(end(address, true), "0000000000000000FFFF00000100007F:11DA");
    }

    #[tokio::test]
    async fn own_connection_is_ours() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        assert!(is_ours(&stream));
    }
}
