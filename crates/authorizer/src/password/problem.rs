//! Stored passwords that cannot be computed: for imports, which count and refuse them by kind.

use super::form::Form;

/// Why no password can log in with a stored one. It contains nothing of the stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum HashProblem {
    #[error("costs more than the authorizer allows: {name} of at most {limit}", name = form.as_str())]
    Costly { form: Form, limit: &'static str },
    #[error("is cut short: {found} characters of {name}, which has {expected}; widen the column and read it again",
        name = form.as_str())]
    CutShort { form: Form, found: usize, expected: usize },
    #[error("is a malformed {name}: give the account a new password", name = form.as_str())]
    Malformed { form: Form },
    #[error("is {name}, which the authorizer does not verify: {advice}", name = .0.as_str(), advice = .0.advice())]
    Unverified(Unverified),
    #[error("is not a known form of a hash; a password in plain text has to be hashed while it is read")]
    Unknown,
}

impl HashProblem {
    /// A word to count by, the same for all of a kind.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Costly { .. } => "costly",
            Self::CutShort { .. } => "cut-short",
            Self::Malformed { .. } => "malformed",
            Self::Unverified(kind) => kind.as_str(),
            Self::Unknown => "unknown",
        }
    }
}

macro_rules! unverified {
    ($($(#[$meta:meta])* $kind:ident = $name:literal, $advice:expr;)+) => {
        /// A form that is recognised, and not verified.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Unverified {
            $($(#[$meta])* $kind,)+
        }

        impl Unverified {
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// The name shown in reports.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            /// What to do with such an account.
            pub fn advice(self) -> &'static str {
                match self {
                    $(Self::$kind => $advice,)+
                }
            }
        }
    };
}

const NEW_PASSWORD: &str = "give the account a new password";

unverified! {
    Empty = "an empty password", "on the old server anybody could log in; give the account a password";
    /// `!`, `!!`, `*`, `x`, `*LK*`, `!$6$…`.
    Locked = "a locked password", "leave the row out, or give the account a password or public keys";
    DesCrypt = "DES crypt", NEW_PASSWORD;
    BsdiCrypt = "BSDi crypt", NEW_PASSWORD;
    Scrypt = "scrypt ($7$)", NEW_PASSWORD;
    GostYescrypt = "gost-yescrypt ($gy$)", NEW_PASSWORD;
    SunMd5 = "Sun's MD5 ($md5)", NEW_PASSWORD;
    Sha1Crypt = "sha1-crypt ($sha1$)", NEW_PASSWORD;
    Nt = "an NT hash ($3$)", NEW_PASSWORD;
    /// `$2$`, and `$2x$` of a crypt_blowfish that hashed characters beyond ASCII wrongly.
    OldBcrypt = "bcrypt of a faulty version ($2$, $2x$)", NEW_PASSWORD;
    OtherArgon2 = "Argon2i or Argon2d", NEW_PASSWORD;
    Phpass = "phpass ($P$, $H$)", NEW_PASSWORD;
    /// passlib writes the prefix of SFTPGo's PBKDF2, with its own base64.
    PasslibPbkdf2 = "PBKDF2 of passlib", NEW_PASSWORD;
    CachingSha2 = "MySQL's caching_sha2_password ($A$)", NEW_PASSWORD;
    OldMysql = "MySQL's OLD_PASSWORD(), 16 digits", NEW_PASSWORD;
    PlainText = "a password in plain text", "hash it while it is read";
    BareDigest = "hexadecimal digits without the digest's name",
        "write the name before them in the mapping: {MD5}, {SHA}, {SHA256} or {SHA512}";
}

/// Prefixes that name a form. None is the prefix of a form that is verified.
const PREFIXES: [(&str, Unverified); 15] = [
    ("!", Unverified::Locked),
    ("*LK*", Unverified::Locked),
    ("$7$", Unverified::Scrypt),
    ("$gy$", Unverified::GostYescrypt),
    ("$md5", Unverified::SunMd5),
    ("$sha1$", Unverified::Sha1Crypt),
    ("$3$", Unverified::Nt),
    ("$2$", Unverified::OldBcrypt),
    ("$2x$", Unverified::OldBcrypt),
    ("$argon2i$", Unverified::OtherArgon2),
    ("$argon2d$", Unverified::OtherArgon2),
    ("$P$", Unverified::Phpass),
    ("$H$", Unverified::Phpass),
    ("$A$", Unverified::CachingSha2),
    ("_", Unverified::BsdiCrypt),
];

/// Recognises what is not verified.
pub(super) fn unverified(stored: &str) -> Option<HashProblem> {
    let crypt = |length| {
        stored.len() == length && stored.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"./".contains(&byte))
    };
    let hexadecimal = stored.bytes().all(|byte| byte.is_ascii_hexdigit());
    let plain = |name: &str| {
        let (word, _) = stored.strip_prefix('{')?.split_once('}')?;
        word.eq_ignore_ascii_case(name).then_some(Unverified::PlainText)
    };
    let kind = match stored {
        "" => Some(Unverified::Empty),
        "*" | "x" | "**" | "NP" => Some(Unverified::Locked),
        _ => PREFIXES.iter().find(|(prefix, _)| stored.starts_with(prefix)).map(|(_, kind)| *kind),
    };
    // `_` begins a name as well as BSDi's hashes, which have 20 characters.
    let kind = kind.filter(|kind| *kind != Unverified::BsdiCrypt || stored.len() == 20);
    let kind = kind.or_else(|| ["PLAIN", "CLEARTEXT", "CLEAR"].into_iter().find_map(plain));
    let kind = kind.or_else(|| match stored.len() {
        16 if hexadecimal => Some(Unverified::OldMysql),
        32 | 40 | 56 | 64 | 96 | 128 if hexadecimal => Some(Unverified::BareDigest),
        13 if crypt(13) => Some(Unverified::DesCrypt),
        _ => None,
    });
    kind.map(HashProblem::Unverified)
}

/// Whether all is base64, whole or cut.
pub(super) fn is_base64(text: &str) -> bool {
    text.trim_end_matches('=').bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
}
