//! Digests without rounds: the old server's SHA-224, MySQL's `PASSWORD()`, and those with a name in braces.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};

use super::form::{Form, Scheme};
use super::function::Function;
use super::problem::{self, HashProblem};
use super::stored::{self, Stored};

/// Bytes of SHA-224, and its characters of base64.
const SHA224_BYTES: usize = 28;
const SHA224_LENGTH: usize = 40;

/// Bytes of SHA-1.
const SHA1_BYTES: usize = 20;

/// The longest salt of a digest, in bytes.
const MAX_SALT: usize = 64;

/// The old server's hash. Its setting is a word.
pub(super) struct Sha224;

impl Sha224 {
    const SETTING: &str = "sha224";

    pub(super) fn stored(stored: &str) -> Result<Stored, HashProblem> {
        match BASE64.decode(stored) {
            Ok(digest) if digest.len() == SHA224_BYTES => Ok(Stored::new(Self, stored.to_owned())),
            // As long as a column that was too narrow would leave it.
            _ if (SHA224_LENGTH - 8..SHA224_LENGTH).contains(&stored.len()) && problem::is_base64(stored) => {
                Err(HashProblem::CutShort { form: Form::Sha224, found: stored.len(), expected: SHA224_LENGTH })
            }
            _ => Err(HashProblem::Unknown),
        }
    }

    pub(super) fn read(setting: &str) -> Result<Self, HashProblem> {
        if setting == Self::SETTING { Ok(Self) } else { Err(HashProblem::Unknown) }
    }
}

impl Function for Sha224 {
    fn scheme(&self) -> Scheme {
        Scheme { form: Form::Sha224, hardened: false }
    }

    fn setting(&self) -> Option<String> {
        Some(Self::SETTING.to_owned())
    }

    fn work(&self, _length: usize) -> u64 {
        0
    }

    fn output(&self, password: &[u8]) -> Option<String> {
        Some(BASE64.encode(sha2::Sha224::digest(password)))
    }
}

/// MySQL's `PASSWORD()`: `*`, and SHA-1 of SHA-1. Its setting is the `*`.
pub(super) struct Mysql;

impl Mysql {
    pub(super) fn stored(stored: &str) -> Result<Stored, HashProblem> {
        let form = Form::Mysql;
        let (digits, expected) = (stored.trim_start_matches('*'), 2 * SHA1_BYTES);
        match unhex(digits) {
            Some(digest) if digest.len() == SHA1_BYTES => Ok(Stored::new(Self, stored.to_uppercase())),
            _ if digits.len() < expected => Err(HashProblem::CutShort { form, found: digits.len(), expected }),
            _ => Err(HashProblem::Malformed { form }),
        }
    }

    pub(super) fn read(setting: &str) -> Result<Self, HashProblem> {
        if setting == "*" { Ok(Self) } else { Err(HashProblem::Unknown) }
    }
}

impl Function for Mysql {
    fn scheme(&self) -> Scheme {
        Scheme { form: Form::Mysql, hardened: false }
    }

    fn setting(&self) -> Option<String> {
        Some("*".to_owned())
    }

    fn work(&self, _length: usize) -> u64 {
        0
    }

    fn output(&self, password: &[u8]) -> Option<String> {
        Some(
            Sha1::digest(Sha1::digest(password))
                .iter()
                .fold("*".to_owned(), |text, byte| text + &format!("{byte:02X}")),
        )
    }
}

/// A digest with a name in braces: SFTPGo's, LDAP's (RFC 2307), and ProFTPD's `SQLAuthTypes OpenSSL`.
struct Name {
    /// In the setting, and as it is stored mostly.
    name: &'static str,
    other: &'static str,
    form: Form,
    bytes: usize,
    salted: bool,
    digest: fn(&[&[u8]]) -> Vec<u8>,
}

fn digest<D: sha2::Digest>(parts: &[&[u8]]) -> Vec<u8> {
    parts.iter().fold(D::new(), |digest, part| digest.chain_update(part)).finalize().to_vec()
}

const MD5: Name = Name { name: "MD5", other: "MD5", form: Form::Md5, bytes: 16, salted: false, digest: digest::<Md5> };
const SHA: Name =
    Name { name: "SHA", other: "SHA1", form: Form::Sha1, bytes: SHA1_BYTES, salted: false, digest: digest::<Sha1> };
const SHA256: Name =
    Name { name: "SHA256", other: "SHA-256", form: Form::Sha256, bytes: 32, salted: false, digest: digest::<Sha256> };
const SHA512: Name =
    Name { name: "SHA512", other: "SHA-512", form: Form::Sha512, bytes: 64, salted: false, digest: digest::<Sha512> };

static NAMES: [Name; 8] = [
    MD5,
    SHA,
    SHA256,
    SHA512,
    Name { name: "SMD5", other: "SMD5", form: Form::SaltedMd5, salted: true, ..MD5 },
    Name { name: "SSHA", other: "SSHA1", form: Form::SaltedSha1, salted: true, ..SHA },
    Name { name: "SSHA256", other: "SSHA-256", form: Form::SaltedSha256, salted: true, ..SHA256 },
    Name { name: "SSHA512", other: "SSHA-512", form: Form::SaltedSha512, salted: true, ..SHA512 },
];

pub(super) struct Digest {
    name: &'static Name,
    /// Empty for those without one.
    salt: Vec<u8>,
}

/// Splits `{NAME}rest`.
fn braced(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('{')?.split_once('}')
}

fn named(name: &str) -> Option<&'static Name> {
    NAMES.iter().find(|known| name.eq_ignore_ascii_case(known.name) || name.eq_ignore_ascii_case(known.other))
}

/// Reads `{NAME}value`: the digest in hexadecimal or base64, with its salt in base64.
pub(super) fn stored(stored: &str) -> Result<Stored, HashProblem> {
    let (name, value) = braced(stored).ok_or(HashProblem::Unknown)?;
    if name.eq_ignore_ascii_case("CRYPT") && value.starts_with('$') {
        return stored::read(value);
    }
    if name.eq_ignore_ascii_case("SHA224") {
        let decoded = unhex(value).or_else(|| BASE64.decode(value).ok());
        return Sha224::stored(&decoded.map_or_else(|| value.to_owned(), |digest| BASE64.encode(digest)));
    }
    let name = named(name).ok_or(HashProblem::Unknown)?;
    let form = name.form;
    let decoded = unhex(value).filter(|digest| !name.salted && digest.len() == name.bytes);
    let cut = HashProblem::CutShort { form, found: value.len(), expected: name.bytes.div_ceil(3) * 4 };
    let whole = value.len() >= (name.bytes * 8).div_ceil(6);
    let decoded = match decoded.or_else(|| BASE64.decode(value).ok()) {
        Some(decoded) => decoded,
        None if !whole => return Err(cut),
        None => return Err(HashProblem::Malformed { form }),
    };
    let function = match decoded.split_at_checked(name.bytes) {
        None => return Err(cut),
        Some((_, salt)) => Digest::new(name, salt)?,
    };
    let expected = function.text(decoded);
    Ok(Stored::new(function, expected))
}

/// Reads a setting: `{NAME}`, and the salt in base64.
pub(super) fn read(setting: &str) -> Result<Digest, HashProblem> {
    let (name, salt) = braced(setting).ok_or(HashProblem::Unknown)?;
    let name = named(name).ok_or(HashProblem::Unknown)?;
    Digest::new(name, &BASE64.decode(salt).map_err(|_| HashProblem::Malformed { form: name.form })?)
}

impl Digest {
    fn new(name: &'static Name, salt: &[u8]) -> Result<Self, HashProblem> {
        let fits = if name.salted { (1..=MAX_SALT).contains(&salt.len()) } else { salt.is_empty() };
        let function = Self { name, salt: salt.to_vec() };
        fits.then_some(function).ok_or(HashProblem::Malformed { form: name.form })
    }

    fn text(&self, value: impl AsRef<[u8]>) -> String {
        format!("{{{}}}{}", self.name.name, BASE64.encode(value))
    }
}

impl Function for Digest {
    fn scheme(&self) -> Scheme {
        Scheme { form: self.name.form, hardened: false }
    }

    fn setting(&self) -> Option<String> {
        Some(self.text(&self.salt))
    }

    fn work(&self, _length: usize) -> u64 {
        0
    }

    fn output(&self, password: &[u8]) -> Option<String> {
        let mut value = (self.name.digest)(&[password, &self.salt]);
        value.extend(&self.salt);
        Some(self.text(value))
    }
}

/// Bytes of hexadecimal digits.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect::<Option<_>>()?;
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    Some(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}
