//! Which public keys admit a customer: those that Transfer Family takes (user guide, "Managing SSH and PGP keys in Transfer
//! Family": RSA, ECDSA on the three curves of NIST, and ED25519).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::curve::{self, Curve};

/// Smallest and largest size of an RSA key in bits. AWS documents none; NIST SP 800-131A allows no smaller one, and the
/// work of a verification needs an upper limit.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Bits of the exponent of an RSA key: 1 would leave a signature as it is, and common programs know no longer ones.
const EXPONENT_BITS: std::ops::RangeInclusive<usize> = 2..=64;

/// Why a key admits nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// Not a type and a blob of that type.
    #[error("it is not a public key in OpenSSH's format (`ssh-ed25519 AAAA…`, nothing before it)")]
    Format,
    #[error("Transfer Family takes keys of the types RSA, ECDSA (P-256, P-384, P-521) and ED25519 only")]
    Kind,
    #[error("an RSA key must have 2,048 to 8,192 bits")]
    Size,
    #[error("its modulus and exponent are not those of an RSA key, so others may sign for it")]
    Rsa,
    #[error("it is not a point of the curve that it names")]
    Curve,
    /// Anybody can sign for such a key.
    #[error("it is a point of small order, for which anybody can sign")]
    SmallOrder,
}

impl KeyProblem {
    /// The problem of an attribute that has such a key, as the rest of a sentence.
    pub(super) fn of_attribute(self) -> &'static str {
        match self {
            Self::Format => "contains a line that is not a public key (`ssh-ed25519 AAAA…`, nothing before it)",
            Self::Kind => "contains a key of a type that Transfer Family does not take",
            Self::Size => "contains an RSA key without 2,048 to 8,192 bits",
            Self::Rsa => "contains an RSA key whose modulus and exponent are not those of one",
            Self::Curve => "contains an ECDSA key that is not a point of its curve",
            Self::SmallOrder => "contains an ED25519 key of small order, for which anybody can sign",
        }
    }
}

/// Whether a line begins with the type of a key, and not with options or another text (sshd(8), "AUTHORIZED_KEYS FILE
/// FORMAT").
pub fn begins_with_type(line: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"].iter().any(|prefix| line.starts_with(prefix))
}

/// What is wrong with a line as in `authorized_keys`. A line that begins with options, or whose blob was cut off, is not
/// a key.
pub fn problem(line: &str) -> Option<KeyProblem> {
    let mut words = line.split_whitespace();
    let (Some(kind), Some(blob)) = (words.next(), words.next()) else { return Some(KeyProblem::Format) };
    let Some(blob) = BASE64.decode(blob).ok() else { return Some(KeyProblem::Format) };
    let Some(fields) = fields(&blob) else { return Some(KeyProblem::Format) };
    match fields[..] {
        [first, ..] if first != kind.as_bytes() => Some(KeyProblem::Format),
        [] | [_] => Some(KeyProblem::Format),
        [b"ssh-rsa", exponent, modulus] => rsa(exponent, modulus),
        [b"ssh-ed25519", point] => match <[u8; 32]>::try_from(point) {
            Err(_) => Some(KeyProblem::Format),
            Ok(point) => is_of_small_order(point).then_some(KeyProblem::SmallOrder),
        },
        [b"ecdsa-sha2-nistp256", b"nistp256", point] => uncompressed(point, &curve::P256),
        [b"ecdsa-sha2-nistp384", b"nistp384", point] => uncompressed(point, &curve::P384),
        [b"ecdsa-sha2-nistp521", b"nistp521", point] => uncompressed(point, &curve::P521),
        [b"ssh-rsa" | b"ssh-ed25519", ..] => Some(KeyProblem::Format),
        _ => Some(KeyProblem::Kind),
    }
}

/// The strings of a blob, each with its length before it (RFC 4253, section 6.6).
fn fields(blob: &[u8]) -> Option<Vec<&[u8]>> {
    let (mut rest, mut fields) = (blob, Vec::new());
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (field, after) = after.split_at_checked(length)?;
        fields.push(field);
        rest = after;
    }
    rest.is_empty().then_some(fields)
}

/// An RSA key has an odd modulus and an odd exponent from 3 on. Whether the modulus has two large secret factors cannot
/// be seen.
fn rsa(exponent: &[u8], modulus: &[u8]) -> Option<KeyProblem> {
    let is_odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
    if !RSA_BITS.contains(&bits(modulus)) {
        return Some(KeyProblem::Size);
    }
    let is_fit = is_odd(modulus) && is_odd(exponent) && EXPONENT_BITS.contains(&bits(exponent));
    (!is_fit).then_some(KeyProblem::Rsa)
}

/// The size of a positive number; 0 for a negative one.
fn bits(number: &[u8]) -> usize {
    if number.first().is_some_and(|first| *first >= 0x80) {
        return 0;
    }
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    let zeros = number.get(start).map_or(0, |first| first.leading_zeros() as usize);
    (number.len() - start) * 8 - zeros
}

/// A point with both coordinates (SEC 1, section 2.3.3), the only form in SSH that is common.
fn uncompressed(point: &[u8], curve: &Curve) -> Option<KeyProblem> {
    match point.split_first() {
        Some((4, both)) if both.len() == 2 * curve.size => {
            let (x, y) = both.split_at(curve.size);
            (!curve.has(x, y)).then_some(KeyProblem::Curve)
        }
        _ => Some(KeyProblem::Format),
    }
}

/// Whether a point of edwards25519 has an order of at most 8. Their y coordinates are 0, 1, p-1 and two others; p and p+1
/// are other forms of 0 and 1 (libsodium, `ge25519_has_small_order`).
fn is_of_small_order(mut point: [u8; 32]) -> bool {
    const EIGHT: [[u8; 32]; 2] = [
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
            0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
            0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    // The sign of the x coordinate.
    point[31] &= 0x7f;
    let small = |first: &[u8], others: u8, last: u8| {
        first.contains(&point[0]) && point[1..31].iter().all(|byte| *byte == others) && point[31] == last
    };
    EIGHT.contains(&point) || small(&[0, 1], 0, 0) || small(&[0xec, 0xed, 0xee], 0xff, 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys of `ssh-keygen`.
    const ECDSA: [&str; 3] = [
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBJqZVjPTvkbHrwS/VLrs12395em6UJ+58Hb+fKGcwI9K84glwZc+WgVXTbDBgeLG6QZ+BnaqvnVCmCn8g/nm1q4=",
        "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBBgdhy99UYpOR3ejEbp8MJLZ8gb71z0I+in2QGcM/R55june+e1LAToPExu6QPylz5lf7vHAEk8lPSaV9jADQnCtDQ0CarGH3l5yS+YEDhnkz6AJH1khUbawU6ju3EyFFw==",
        "ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAAeB4jGuvXZWGkMxTjfGgAv3viRe053fGp3LcV4Gk4rCKGPLbvokYHNArXCKg+tzN8erpe9mgaFb8fRVX7GHbMvQAAjG7fUK+RYxn+mAyDjlxediCBVaEGoLmNs6/UdsC/ruYLxYn97MXbG4d3ZYbX6x9Ci572pTSKlg/+gHZsKwQYDZw==",
    ];

    fn line(fields: &[&[u8]]) -> String {
        let mut blob = Vec::new();
        for field in fields {
            blob.extend(u32::try_from(field.len()).unwrap().to_be_bytes());
            blob.extend_from_slice(field);
        }
        format!("{} {} me@here", String::from_utf8_lossy(fields[0]), BASE64.encode(blob))
    }

    #[test]
    fn rsa_keys_have_transfers_sizes() {
        for (bits, expected) in [
            (1024, Some(KeyProblem::Size)),
            (2047, Some(KeyProblem::Size)),
            (2048, None),
            (3072, None),
            (8192, None),
            (8193, Some(KeyProblem::Size)),
        ] {
            let mut modulus = vec![0xff_u8; usize::div_ceil(bits, 8)];
            modulus[0] >>= modulus.len() * 8 - bits;
            modulus.insert(0, 0);
            assert_eq!(problem(&line(&[b"ssh-rsa", &[1, 0, 1], &modulus])), expected, "{bits}");
        }
        assert_eq!(problem(&line(&[b"ssh-rsa", &[1, 0, 1], &[0xff; 256]])), Some(KeyProblem::Size), "negative");
        assert_eq!(problem(&line(&[b"ssh-rsa", &[1, 0, 1]])), Some(KeyProblem::Format));
    }

    #[test]
    fn only_transfers_kinds_are_taken() {
        for key in ECDSA {
            assert_eq!(problem(key), None, "{key}");
        }
        for kind in ["ssh-dss", "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", "ssh-ed448"] {
            assert_eq!(problem(&line(&[kind.as_bytes(), &[7; 32], b"ssh:"])), Some(KeyProblem::Kind), "{kind}");
        }
        let certificate = "ssh-ed25519-cert-v01@openssh.com";
        assert_eq!(problem(&line(&[certificate.as_bytes(), &[7; 32], &[7; 32]])), Some(KeyProblem::Kind));
    }

    #[test]
    fn numbers_that_are_no_rsa_key_are_refused() {
        let modulus = |last: u8| [&[0][..], &[0xff; 255], &[last]].concat();
        for (exponent, last, expected) in [
            (&[3][..], 0xff, None),
            (&[1, 0, 1], 0xff, None),
            (&[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 0xff, None),
            (&[1, 0, 0, 0, 0, 0, 0, 0, 1], 0xff, Some(KeyProblem::Rsa)),
            (&[], 0xff, Some(KeyProblem::Rsa)),
            (&[0], 0xff, Some(KeyProblem::Rsa)),
            (&[1], 0xff, Some(KeyProblem::Rsa)),
            (&[0, 0, 1], 0xff, Some(KeyProblem::Rsa)),
            (&[2], 0xff, Some(KeyProblem::Rsa)),
            (&[1, 0, 0], 0xff, Some(KeyProblem::Rsa)),
            (&[0xff], 0xff, Some(KeyProblem::Rsa)),
            (&[1, 0, 1], 0xfe, Some(KeyProblem::Rsa)),
        ] {
            let key = line(&[b"ssh-rsa", exponent, &modulus(last)]);
            assert_eq!(problem(&key), expected, "{exponent:02x?} {last:x}");
        }
    }

    #[test]
    fn points_beside_their_curve_are_refused() {
        for (key, (curve, size)) in ECDSA.into_iter().zip([("nistp256", 32), ("nistp384", 48), ("nistp521", 66)]) {
            let kind = format!("ecdsa-sha2-{curve}");
            let of = |point: &[u8]| problem(&line(&[kind.as_bytes(), curve.as_bytes(), point]));
            let blob = BASE64.decode(key.split(' ').nth(1).unwrap()).unwrap();
            let point = fields(&blob).unwrap()[2].to_vec();
            assert_eq!(of(&point), None, "{curve}");
            for place in [1, size, size + 1, 2 * size] {
                let mut beside = point.clone();
                beside[place] ^= 1;
                assert_eq!(of(&beside), Some(KeyProblem::Curve), "{curve} {place}");
            }
            // Both coordinates zero, or larger than any; the other forms of a point.
            for coordinates in [0, 7, 0xff] {
                let odd = [&[4][..], &vec![coordinates; 2 * size]].concat();
                assert_eq!(of(&odd), Some(KeyProblem::Curve), "{curve} {coordinates}");
            }
            for odd in [&point[1..], &[&[2], &point[1..=size]].concat(), &[0], &[]] {
                assert_eq!(of(odd), Some(KeyProblem::Format), "{curve} {odd:02x?}");
            }
            // The same point, with a coordinate that is larger by the modulus.
            if curve == "nistp521" {
                let mut larger = point.clone();
                larger[1] |= 2;
                assert_eq!(of(&larger), Some(KeyProblem::Curve));
            }
        }
    }

    #[test]
    fn points_of_small_order_are_refused() {
        let end = |first: u8| [vec![first], vec![0xff; 30], vec![0x7f]].concat();
        let start = |first: u8| [vec![first], vec![0; 31]].concat();
        for mut point in [start(0), start(1), end(0xec), end(0xed), end(0xee)] {
            for sign in [0, 0x80] {
                point[31] |= sign;
                assert_eq!(problem(&line(&[b"ssh-ed25519", &point])), Some(KeyProblem::SmallOrder), "{point:02x?}");
            }
        }
        // Neighbors of those, which are not.
        for point in [start(2), end(0xeb)] {
            assert_eq!(problem(&line(&[b"ssh-ed25519", &point])), None, "{point:02x?}");
        }
        for order_8 in ["JuiVj8KyJ7BFw/SJ8u+Y8NXfrAXTxjM5sTgCiG1T/AU=", "xxdqcD1N2E+6PAt2DRBnDyogU/osOczGTsf9d5KsA3o="]
        {
            let point = BASE64.decode(order_8).unwrap();
            assert_eq!(problem(&line(&[b"ssh-ed25519", &point])), Some(KeyProblem::SmallOrder), "{order_8}");
        }
    }
}
