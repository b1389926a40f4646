//! Countries of addresses. The real table is AWS's; here a few ranges that nobody owns have one each, so that rules on
//! countries can be tried: the ranges for documentation (RFC 5737, RFC 3849), and, for SFTP clients on this machine,
//! addresses of the loopback by their second number, `127.N.0.0/16`. `docs/local-cloud.md` has the same table.

use std::net::IpAddr;

/// The country of an address; AWS WAF calls it `XX` if it does not know one.
pub(super) fn country(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(address) => match address.octets() {
            [192, 0, 2, _] | [127, 101, ..] => "US",
            [198, 51, 100, _] | [127, 149, ..] => "DE",
            [203, 0, 113, _] | [127, 186, ..] => "CN",
            _ => "XX",
        },
        IpAddr::V6(address) => match address.segments() {
            [0x2001, 0xdb8, 0x49, ..] => "DE",
            [0x2001, 0xdb8, ..] => "US",
            _ => "XX",
        },
    }
}
