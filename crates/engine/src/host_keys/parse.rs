//! Reads the kind and the public half of a private key.
//!
//! Host keys of old servers are PEM files, and the documentation of `ImportHostKey` creates PEM files too
//! (`ssh-keygen -m PEM`), so PKCS#1, SEC1 and PKCS#8 are read as well as OpenSSH's own form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pkcs1::RsaPrivateKey;
use pkcs8::der::asn1::OctetStringRef;
use pkcs8::der::{Decode as _, SliceReader};
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use sec1::EcPrivateKey;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use ssh_key::public::{EcdsaPublicKey, Ed25519PublicKey, KeyData, RsaPublicKey};
use ssh_key::{Algorithm, EcdsaCurve, HashAlg, Mpint, PrivateKey};

use super::{HostKey, HostKeyError};
use sftpctl_core::openssh;

/// RFC 8410, section 3.
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// RFC 5480, section 2.1.1.1.
const CURVES: [(ObjectIdentifier, EcdsaCurve); 3] = [
    (ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"), EcdsaCurve::NistP256),
    (ObjectIdentifier::new_unwrap("1.3.132.0.34"), EcdsaCurve::NistP384),
    (ObjectIdentifier::new_unwrap("1.3.132.0.35"), EcdsaCurve::NistP521),
];

/// Why a text is not a host key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    NotAKey,
    Passphrase,
    NoPublicHalf,
}

impl Fault {
    fn reason(self) -> &'static str {
        match self {
            Self::NotAKey => "it is not a private key in a form that `ssh-keygen` writes",
            Self::Passphrase => "it has a passphrase; remove it with `ssh-keygen -p -N '' -f FILE`",
            Self::NoPublicHalf => "it lacks its public half; rewrite it with `ssh-keygen -p -N '' -f FILE`",
        }
    }
}

/// Accepts the keys in the documentation of `ImportHostKey`: RSA of 2048, 3072 or 4096 bits, ECDSA and Ed25519, without
/// a passphrase.
pub(super) fn parse(source_name: &str, text: SecretString) -> Result<HostKey, HostKeyError> {
    let unfit = |reason: &str| HostKeyError::Unfit { source_name: source_name.to_owned(), reason: reason.to_owned() };
    let public = public_half(text.expose_secret().trim()).map_err(|fault| unfit(fault.reason()))?;
    let kind = match public.algorithm() {
        kind @ (Algorithm::Rsa { .. } | Algorithm::Ed25519 | Algorithm::Ecdsa { .. }) => kind.as_str().to_owned(),
        other => return Err(unfit(&format!("Transfer Family does not accept keys of kind {}", other.as_str()))),
    };
    let fingerprint = public.fingerprint(HashAlg::Sha256).to_string();
    Ok(HostKey { source: source_name.to_owned(), kind, fingerprint, private: text })
}

fn public_half(text: &str) -> Result<KeyData, Fault> {
    let (label, bytes) = block(text)?;
    match label {
        "OPENSSH" => {
            let full = openssh::with_full_scalar(&bytes).map(Zeroizing::new);
            let key = PrivateKey::from_bytes(full.as_ref().unwrap_or(&bytes)).map_err(|_| Fault::NotAKey)?;
            if key.is_encrypted() { Err(Fault::Passphrase) } else { Ok(key.public_key().key_data().clone()) }
        }
        "RSA" => rsa(&bytes),
        "EC" => {
            let key = EcPrivateKey::from_der(&bytes).map_err(|_| Fault::NotAKey)?;
            ecdsa(key.parameters.and_then(sec1::EcParameters::named_curve), &key)
        }
        _ => pkcs8(&bytes),
    }
}

/// The first private key in the text, after the word before "PRIVATE KEY". Lines around it, headers in it and its line
/// length do not matter, since a secret store may have wrapped the lines again.
fn block(text: &str) -> Result<(&'static str, Zeroizing<Vec<u8>>), Fault> {
    let mut lines = text.lines();
    let label = lines
        .find_map(|line| match line {
            "-----BEGIN OPENSSH PRIVATE KEY-----" => Some(Ok("OPENSSH")),
            "-----BEGIN RSA PRIVATE KEY-----" => Some(Ok("RSA")),
            "-----BEGIN EC PRIVATE KEY-----" => Some(Ok("EC")),
            "-----BEGIN PRIVATE KEY-----" => Some(Ok("")),
            "-----BEGIN ENCRYPTED PRIVATE KEY-----" => Some(Err(Fault::Passphrase)),
            _ => None,
        })
        .unwrap_or(Err(Fault::NotAKey))?;
    let mut encoded = Zeroizing::new(String::with_capacity(text.len()));
    for line in lines.take_while(|line| !line.starts_with("-----END ")) {
        // RFC 1421, section 4.6.1.1.
        if line.starts_with("Proc-Type:") && line.contains("ENCRYPTED") {
            return Err(Fault::Passphrase);
        }
        if !line.contains(':') {
            encoded.push_str(line.trim());
        }
    }
    let bytes = STANDARD.decode(encoded.as_bytes()).map_err(|_| Fault::NotAKey)?;
    Ok((label, Zeroizing::new(bytes)))
}

fn rsa(der: &[u8]) -> Result<KeyData, Fault> {
    let key = RsaPrivateKey::from_der(der).map_err(|_| Fault::NotAKey)?;
    let number = |digits: pkcs1::UintRef<'_>| Mpint::from_positive_bytes(digits.as_bytes());
    let public = RsaPublicKey::new(number(key.public_exponent), number(key.modulus)).map_err(|_| Fault::NotAKey)?;
    Ok(KeyData::Rsa(public))
}

fn ecdsa(curve: Option<ObjectIdentifier>, key: &EcPrivateKey<'_>) -> Result<KeyData, Fault> {
    let curve = CURVES.iter().find(|(oid, _)| Some(*oid) == curve).map(|(_, curve)| *curve).ok_or(Fault::NotAKey)?;
    let public = EcdsaPublicKey::from_sec1_bytes(key.public_key.ok_or(Fault::NoPublicHalf)?);
    match public {
        Ok(public) if public.curve() == curve => Ok(KeyData::Ecdsa(public)),
        _ => Err(Fault::NotAKey),
    }
}

fn pkcs8(der: &[u8]) -> Result<KeyData, Fault> {
    let info = PrivateKeyInfoRef::from_der(der).map_err(|_| Fault::NotAKey)?;
    let inner = info.private_key.as_bytes();
    match info.algorithm.oid {
        pkcs1::ALGORITHM_OID => rsa(inner),
        sec1::ALGORITHM_OID => {
            let key = EcPrivateKey::from_der(inner).map_err(|_| Fault::NotAKey)?;
            ecdsa(info.algorithm.parameters_oid().ok(), &key)
        }
        ED25519 => {
            // The file contains only the seed, from which the public half is computed.
            let seed = SliceReader::new(inner).and_then(|mut reader| <&OctetStringRef>::decode(&mut reader));
            let seed = seed.map_err(|_| Fault::NotAKey)?;
            let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_bytes()).map_err(|_| Fault::NotAKey)?;
            let public = Ed25519PublicKey::try_from(pair.public_key().as_ref()).map_err(|_| Fault::NotAKey)?;
            Ok(KeyData::Ed25519(public))
        }
        _ => Err(Fault::NotAKey),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// An Ed25519 key as PKCS#8: RFC 8410, section 10.3; the public half is in section 10.1.
    const RFC_8410: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
        -----END PRIVATE KEY-----\n";
    const RFC_8410_PUBLIC: [u8; 32] = [
        0x19, 0xbf, 0x44, 0x09, 0x69, 0x84, 0xcd, 0xfe, 0x85, 0x41, 0xba, 0xc1, 0x67, 0xdc, 0x3b, 0x96, 0xc8, 0x50,
        0x86, 0xaa, 0x30, 0xb6, 0xb6, 0xcb, 0x0c, 0x5c, 0x38, 0xad, 0x70, 0x31, 0x66, 0xe1,
    ];

    /// An ECDSA key whose number has 31 bytes, all of them `Z`.
    const SHORT: &str = "-----BEGIN EC PRIVATE KEY-----\n\
        MHcCAQEEIABaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaoAoGCCqGSM49\n\
        AwEHoUQDQgAEnkg4u2vaZFdRTZ9U9dh72H7Z8T/QaMGh+nWk7aZ4GinSrKK5BxZO\n\
        ovo21i2V4aTEe7sqQR7K8GzuPJY53Q0N4Q==\n\
        -----END EC PRIVATE KEY-----\n";

    fn read(text: &str) -> Result<HostKey, HostKeyError> {
        parse("file:k", SecretString::from(text))
    }

    fn reason(text: &str) -> String {
        match read(text) {
            Err(HostKeyError::Unfit { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    }

    fn ssh_keygen(arguments: &[&str], file: &Path) -> String {
        let output = Command::new("ssh-keygen").args(arguments).arg("-f").arg(file).output();
        let output = output.expect("ssh-keygen is missing: install the package openssh-client");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn number_may_begin_with_zeros() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("short");
        std::fs::write(&file, SHORT).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        for form in ["PEM", "PKCS8", "RFC4716"] {
            ssh_keygen(&["-q", "-p", "-P", "", "-N", "", "-m", form], &file);
            let key = read(&std::fs::read_to_string(&file).unwrap()).unwrap();
            assert_eq!(key.fingerprint, "SHA256:W6YT22z+XlMf572vTK0VYAPzgekbmdP3mu5usDid1BA", "{form}");
        }
    }

    #[test]
    fn every_kind_and_form_has_the_fingerprint_of_ssh_keygen() {
        let folder = tempfile::tempdir().unwrap();
        let kinds = [
            ("rsa", "2048", "ssh-rsa", "RSA PRIVATE KEY"),
            ("rsa", "3072", "ssh-rsa", "RSA PRIVATE KEY"),
            ("ecdsa", "256", "ecdsa-sha2-nistp256", "EC PRIVATE KEY"),
            ("ecdsa", "384", "ecdsa-sha2-nistp384", "EC PRIVATE KEY"),
            ("ecdsa", "521", "ecdsa-sha2-nistp521", "EC PRIVATE KEY"),
            ("ed25519", "256", "ssh-ed25519", "OPENSSH PRIVATE KEY"),
        ];
        for (kind, bits, name, pem) in kinds {
            let file = folder.path().join(format!("{kind}{bits}"));
            ssh_keygen(&["-q", "-t", kind, "-b", bits, "-N", "", "-C", "me@here"], &file);
            let listed = ssh_keygen(&["-l", "-E", "sha256"], &file);
            let fingerprint = listed.split(' ').nth(1).unwrap();
            // OpenSSH before 9.6 writes Ed25519 keys in its own form instead of PKCS#8.
            let pkcs8 = if kind == "ed25519" { "PRIVATE KEY" } else { "BEGIN PRIVATE KEY" };
            let forms = [("RFC4716", "OPENSSH PRIVATE KEY"), ("PEM", pem), ("PKCS8", pkcs8)];
            for (form, header) in forms {
                ssh_keygen(&["-q", "-p", "-P", "", "-N", "", "-m", form], &file);
                let text = std::fs::read_to_string(&file).unwrap();
                assert!(text.lines().next().unwrap().contains(header), "{kind} {bits} {form}");
                let key = read(&text).unwrap();
                assert_eq!((key.kind.as_str(), key.fingerprint.as_str()), (name, fingerprint), "{kind} {bits} {form}");
                let shown = format!("{key:?}");
                assert!(!text.lines().filter(|line| !line.starts_with('-')).any(|line| shown.contains(line)));

                ssh_keygen(&["-q", "-p", "-P", "", "-N", "hunter2", "-m", form], &file);
                let reason = reason(&std::fs::read_to_string(&file).unwrap());
                assert!(reason.starts_with("it has a passphrase"), "{kind} {bits} {form}: {reason}");
                ssh_keygen(&["-q", "-p", "-P", "hunter2", "-N", "", "-m", form], &file);
            }
        }
    }

    #[test]
    fn ed25519_seed_of_pkcs8_gives_the_public_half() {
        let expected = KeyData::Ed25519(Ed25519PublicKey(RFC_8410_PUBLIC)).fingerprint(HashAlg::Sha256).to_string();
        assert_eq!(read(RFC_8410).unwrap().fingerprint, expected);
    }

    #[test]
    fn line_lengths_line_ends_and_text_around_do_not_matter() {
        let fingerprint = read(RFC_8410).unwrap().fingerprint;
        let broken_anew = RFC_8410.replace("IEINTuctv5E1hK", "IEI\nNTuctv5E1hK");
        for text in [RFC_8410.replace('\n', "\r\n"), broken_anew, format!("Bag Attributes: none\n{RFC_8410}\nmore\n")] {
            assert_eq!(read(&text).unwrap().fingerprint, fingerprint, "{text}");
        }
    }

    #[test]
    fn other_kinds_of_key_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dsa");
        let output = Command::new("ssh-keygen").args(["-q", "-t", "dsa", "-N", "", "-f"]).arg(&file).output();
        // OpenSSH 10 no longer supports DSA.
        if output.expect("ssh-keygen is missing: install the package openssh-client").status.success() {
            assert!(reason(&std::fs::read_to_string(&file).unwrap()).contains("ssh-dss"));
        }
    }

    #[test]
    fn ec_key_without_its_public_half_is_refused() {
        let key = EcPrivateKey { private_key: &[1; 32], parameters: None, public_key: None };
        assert_eq!(ecdsa(Some(CURVES[0].0), &key), Err(Fault::NoPublicHalf));
        assert_eq!(ecdsa(None, &key), Err(Fault::NotAKey));
    }

    #[test]
    fn error_does_not_show_the_text() {
        for text in ["hunter2", "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----"] {
            let error = parse("ssm:/k", SecretString::from(text)).unwrap_err().to_string();
            assert!(error.contains("ssm:/k is not a host key"), "{error}");
            assert!(!error.contains("hunter2"));
        }
    }
}
