//! Address ranges from lists of patterns such as `from="192.0.2.0/24,!192.0.2.7"`. Pure.

use std::collections::BTreeSet;

use sftp_authorizer::account::parse_address;
use sftpctl_core::shown::visible;

/// Where an account, or a key, may be used from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ranges {
    Everywhere,
    /// In their normal form.
    Only(BTreeSet<String>),
    /// Restrictions that are not a set of ranges: why.
    Unknown(String),
}

impl Ranges {
    /// Reads a list of patterns of addresses (OpenSSH, `match_host_and_ip`): ranges, addresses, and addresses that end
    /// in `*` for whole parts.
    pub(crate) fn of(list: &str) -> Self {
        let mut found = BTreeSet::new();
        for pattern in list.split(',').map(str::trim) {
            match range(pattern) {
                Ok(Some(range)) => _ = found.insert(range),
                Ok(None) => return Self::Everywhere,
                Err(why) => return Self::Unknown(format!("`{}` {why}", visible(pattern))),
            }
        }
        Self::Only(found)
    }
}

/// The range of a pattern; none for every address.
fn range(pattern: &str) -> Result<Option<String>, &'static str> {
    if pattern.starts_with('!') {
        return Err("excludes addresses, which an account cannot: list the ranges that are left");
    }
    if let Some(net) = parse_address(pattern) {
        return if net == net.trunc() {
            Ok(Some(net.to_string()))
        } else {
            Err("has bits after its prefix, so that sshd takes it for a fault")
        };
    }
    if pattern == "*" {
        return Ok(None);
    }
    let wild = "is not an address or a range: accounts have no host names and patterns";
    let parts: Vec<&str> = pattern.split('.').collect();
    let fixed: Vec<&str> = parts.iter().take_while(|part| **part != "*").copied().collect();
    let is_number = |part: &&str| part.parse::<u8>().is_ok() && !part.starts_with('+');
    // `192.0.*` is as `192.0.*.*`, since a star also stands for dots.
    let stars = parts.len() - fixed.len();
    let ends_in_stars = stars > 0 && parts.iter().skip(fixed.len()).all(|part| *part == "*");
    if !ends_in_stars || parts.len() > 4 || fixed.is_empty() || !fixed.iter().all(is_number) {
        return Err(wild);
    }
    let address: Vec<&str> = fixed.iter().copied().chain(["0"; 4]).take(4).collect();
    let address = address.join(".");
    parse_address(&format!("{address}/{}", fixed.len() * 8)).map(|net| Some(net.to_string())).ok_or(wild)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_of_whole_parts_are_ranges() {
        for (list, expected) in [
            ("192.0.2.0/24,192.0.2.7", &["192.0.2.0/24", "192.0.2.7/32"][..]),
            ("192.0.2.*", &["192.0.2.0/24"]),
            ("192.0.*,10.*.*.*", &["10.0.0.0/8", "192.0.0.0/16"]),
            ("2001:DB8::/32, 2001:db8::1", &["2001:db8::/32", "2001:db8::1/128"]),
        ] {
            let expected = Ranges::Only(expected.iter().map(|range| (*range).to_owned()).collect());
            assert_eq!(Ranges::of(list), expected, "{list}");
        }
        assert_eq!(Ranges::of("192.0.2.1,*"), Ranges::Everywhere);
    }

    #[test]
    fn other_patterns_are_not_guessed() {
        for list in [
            "*.example.com",
            "host",
            "!192.0.2.1,*",
            "192.0.2*",
            "192.0.2.?",
            "192.*.2.*",
            "192.0.2.7/24",
            "1.2.3.4.*",
            "300.*",
            "",
            "10.0.0.0/8,",
            "*.*.*.*",
        ] {
            assert!(matches!(Ranges::of(list), Ranges::Unknown(_)), "{list}");
        }
    }

    proptest! {
        #[test]
        fn any_list_is_read(list in "[0-9.*/:!,a ]{0,30}") {
            let _ = Ranges::of(&list);
        }
    }
}
