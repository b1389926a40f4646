//! Which public keys Transfer Family takes from a customer (user guide, "Managing SSH and PGP keys in Transfer Family":
//! RSA, ECDSA on the three curves of NIST, ED25519).

use russh::keys::PublicKey;
use russh::keys::ssh_key::public::{KeyData, RsaPublicKey};

/// Smallest and largest size of an RSA key in bits. AWS documents none; this is the smallest that NIST SP 800-131A
/// allows, and a limit for the work of a verification.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The points of small order on edwards25519 by their y coordinate, without the sign: 0, 1, two of order 8, p-1, and p and
/// p+1, which stand for 0 and 1. Signatures of such a key can be forged.
const SMALL_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    little(0x01, 0x00, 0x00),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    little(0xec, 0xff, 0x7f),
    little(0xed, 0xff, 0x7f),
    little(0xee, 0xff, 0x7f),
];

const fn little(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

/// Why a key admits nobody.
pub(super) fn problem(key: &PublicKey) -> Option<&'static str> {
    match key.key_data() {
        KeyData::Ecdsa(_) => None,
        KeyData::Rsa(key) if RSA_BITS.contains(&bits(key)) => None,
        KeyData::Rsa(_) => Some("the RSA key has fewer than 2,048 or more than 8,192 bits"),
        KeyData::Ed25519(key) if is_of_small_order(&key.0) => Some("the key is a point of small order"),
        KeyData::Ed25519(_) => None,
        _ => Some("Transfer Family takes RSA, ECDSA and ED25519 keys"),
    }
}

fn bits(key: &RsaPublicKey) -> usize {
    let modulus = key.n().as_positive_bytes().unwrap_or_default();
    let zeros = modulus.first().map_or(0, |first| first.leading_zeros() as usize);
    (modulus.len() * 8).saturating_sub(zeros)
}

fn is_of_small_order(point: &[u8; 32]) -> bool {
    let mut point = *point;
    point[31] &= 0x7f;
    SMALL_ORDER.contains(&point)
}

#[cfg(test)]
mod tests {
    use super::*;
    use russh::keys::ssh_key::public::Ed25519PublicKey;
    use russh::keys::ssh_key::{Mpint, public};

    fn rsa(bits: usize) -> PublicKey {
        let mut modulus = vec![0xff; bits.div_ceil(8)];
        modulus[0] >>= modulus.len() * 8 - bits;
        let number = |bytes: &[u8]| Mpint::from_positive_bytes(bytes);
        KeyData::Rsa(public::RsaPublicKey::new(number(&[1, 0, 1]), number(&modulus)).unwrap()).into()
    }

    #[test]
    fn only_transfers_kinds_and_sizes_are_taken() {
        for (bits, good) in [(1024, false), (2047, false), (2048, true), (4096, true), (8192, true), (8193, false)] {
            assert_eq!(problem(&rsa(bits)).is_none(), good, "{bits}");
        }
        let sk = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIHVpfQzMHtR5cGcAiQUyOaWFgCLTSsvCCYi\
                  YpTZpJ9KFAAAABHNzaDo=";
        assert!(problem(&PublicKey::from_openssh(sk).unwrap()).is_some());
        let good = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
        assert_eq!(problem(&PublicKey::from_openssh(good).unwrap()), None);
        for sign in [0, 0x80] {
            for mut point in SMALL_ORDER {
                point[31] |= sign;
                assert!(problem(&KeyData::Ed25519(Ed25519PublicKey(point)).into()).is_some(), "{point:02x?}");
            }
        }
    }
}
