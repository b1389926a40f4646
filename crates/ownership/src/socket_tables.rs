//! What the tables of proc(5) say of one end of a connection.

use std::net::{IpAddr, SocketAddr};

use crate::connection::Found;

/// How often the tables are read: one that changes meanwhile may lack a row.
const ATTEMPTS: usize = 5;

/// The first end of a connection between two.
pub(crate) fn find(of: SocketAddr, other: SocketAddr) -> Found {
    let mut is_known = false;
    for _ in 0..ATTEMPTS {
        for (table, of_v6) in [("/proc/net/tcp", false), ("/proc/net/tcp6", true)] {
            let Ok(text) = std::fs::read_to_string(table) else { continue };
            is_known = true;
            if let Some(found) = row(&text, &end(of, of_v6), &end(other, of_v6)) {
                return found;
            }
        }
    }
    if is_known { Found::Gone } else { Found::Unknown }
}

/// The connection between two ends, in a table of proc(5): the ends are columns 2 and 3, the owner is column 8, the
/// inode column 10.
fn row(table: &str, from: &str, to: &str) -> Option<Found> {
    table.lines().find_map(|line| {
        let row: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_it = row.get(1) == Some(&from) && row.get(2) == Some(&to);
        let user = row.get(7).filter(|_| is_it)?.parse().ok()?;
        Some(Found::Owner { user, is_accepted: row.get(9).is_some_and(|inode| *inode != "0") })
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
        1: 0100007F:D431 0100007F:11DA 01 00000000:00000000 00:00000000 00000000 65534        0 2 1 0 20 4 30 10 -1\n   \
        2: 0100007F:D432 0100007F:11DA 01 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20 4 30 10 -1\n";

    #[test]
    fn connection_has_the_owner_of_its_other_end() {
        let owner = |user, is_accepted| Some(Found::Owner { user, is_accepted });
        assert_eq!(row(TABLE, "0100007F:D431", "0100007F:11DA"), owner(65534, true));
        assert_eq!(row(TABLE, "0100007F:D432", "0100007F:11DA"), owner(0, false));
        assert_eq!(row(TABLE, "0100007F:D433", "0100007F:11DA"), None);
        assert_eq!(row(TABLE, "0100007F:11DA", "0100007F:D431"), None);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn ends_are_as_in_the_tables() {
        let address = "127.0.0.1:4570".parse().unwrap();
        assert_eq!(end(address, false), "0100007F:11DA");
        assert_eq!(end(address, true), "0000000000000000FFFF00000100007F:11DA");
    }

    #[test]
    fn connection_that_never_was_is_gone() {
        let (never, either) = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        assert_eq!(find(never, either), Found::Gone);
    }
}
