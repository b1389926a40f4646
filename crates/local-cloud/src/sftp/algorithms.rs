//! The algorithms of a server's security policy, as far as this endpoint supports them.

use std::borrow::Cow;

use russh::keys::{Algorithm, HashAlg};
use russh::{Preferred, cipher, kex, mac};

use crate::transfer::SecurityPolicy;

/// The algorithms to offer. Those that the SSH library lacks (SHA-1 signatures, some post-quantum hybrids) are left
/// out. If none is left, none is offered, because the library's defaults would be wrong.
pub(super) fn preferred(policy: &SecurityPolicy) -> Preferred {
    let mut exchanges: Vec<kex::Name> =
        policy.kexs.iter().filter_map(|name| kex::Name::try_from(name.as_str()).ok()).collect();
    // Not algorithms: these enable extension negotiation and protect the handshake.
    exchanges.push(kex::EXTENSION_SUPPORT_AS_SERVER);
    exchanges.push(kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER);
    Preferred {
        kex: Cow::Owned(exchanges),
        key: Cow::Owned(vec![
            Algorithm::Ed25519,
            Algorithm::Ecdsa { curve: russh::keys::EcdsaCurve::NistP256 },
            Algorithm::Ecdsa { curve: russh::keys::EcdsaCurve::NistP384 },
            Algorithm::Ecdsa { curve: russh::keys::EcdsaCurve::NistP521 },
            Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
            Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
        ]),
        cipher: Cow::Owned(
            policy.ciphers.iter().filter_map(|name| cipher::Name::try_from(name.as_str()).ok()).collect(),
        ),
        mac: Cow::Owned(policy.macs.iter().filter_map(|name| mac::Name::try_from(name.as_str()).ok()).collect()),
        compression: Cow::Owned(vec![russh::compression::NONE]),
        ..Preferred::default()
    }
}
