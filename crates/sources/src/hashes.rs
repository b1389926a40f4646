//! Which values are hashes of passwords, so that they are counted by kind and never shown. Pure.

use sftp_authorizer::password::{Form, Scheme};

/// The beginnings of hashes that have a mark (crypt(5); LDAP's and MySQL's forms).
const MARKS: [(&str, &str); 12] = [
    ("$6$", "sha512crypt"),
    ("$5$", "sha256crypt"),
    ("$y$", "yescrypt"),
    ("$gy$", "gost-yescrypt"),
    ("$7$", "scrypt"),
    ("$2", "bcrypt"),
    ("$1$", "md5crypt"),
    ("$apr1$", "Apache's md5crypt"),
    ("$P$", "phpass"),
    ("$argon2", "argon2"),
    ("$pbkdf2", "PBKDF2"),
    ("$sha1$", "sha1crypt"),
];

/// The lengths of digests in hexadecimal.
const DIGESTS: [(usize, &str); 6] =
    [(32, "md5"), (40, "sha1"), (56, "sha224"), (64, "sha256"), (96, "sha384"), (128, "sha512")];

/// The kind of a hash, with its length where the kind has a fixed one; `None` if the value does not look like a hash.
pub(crate) fn kind(value: &str) -> Option<String> {
    let length = value.chars().count();
    let value = value.trim();
    if let Some(scheme) = Scheme::of(value) {
        return Some(match scheme {
            Scheme { form: Form::Sha224, hardened: false } => format!("{length}-character base64: {}", scheme.as_str()),
            scheme => scheme.as_str().to_owned(),
        });
    }
    if let Some((_, name)) = MARKS.iter().find(|(mark, _)| value.starts_with(mark) && value.len() > mark.len() + 8) {
        return Some((*name).to_owned());
    }
    if value.starts_with('$') && value.matches('$').count() > 2 {
        return Some("a crypt(3) form that is not known".to_owned());
    }
    if let Some((scheme, rest)) = value.strip_prefix('{').and_then(|rest| rest.split_once('}'))
        && !rest.is_empty()
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
    {
        return Some(format!("{{{scheme}}}"));
    }
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(digest) = value.strip_prefix('*')
        && digest.len() == 40
        && is_hex(digest)
    {
        return Some("MySQL's PASSWORD()".to_owned());
    }
    if is_hex(value)
        && let Some((_, name)) = DIGESTS.iter().find(|(digits, _)| *digits == value.len())
    {
        return Some(format!("{length}-character hexadecimal: {name}"));
    }
    let is_base64 = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    let is_mixed =
        value.bytes().any(|byte| byte.is_ascii_digit()) && value.bytes().any(|byte| byte.is_ascii_uppercase());
    (value.len() >= 20 && is_base64 && is_mixed).then(|| format!("{length}-character base64"))
}

/// Whether the value is a hash, and nothing else: base64 may be a long word, too.
pub(crate) fn is_one(value: &str) -> bool {
    kind(value).is_some_and(|kind| !kind.ends_with("-character base64"))
}

/// Whether the value looks like a hash.
pub(crate) fn looks_like_one(value: &str) -> bool {
    kind(value).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_have_their_kinds() {
        for (value, expected) in [
            ("lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg==", "40-character base64: sha224"),
            ("lcf7ypKsUIOv2mKlZKPQFPw7cskUDj", "30-character base64"),
            ("*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19", "mysql"),
            ("5ebe2294ecd0e0f08eab7690d2a6ee69", "32-character hexadecimal: md5"),
            ("{SSHA}abcdefgh", "{SSHA}"),
        ] {
            assert_eq!(kind(value).as_deref(), Some(expected), "{value}");
        }
        for value in ["$6$salt$0123456789abcdef", "$9$salt$0123456789", "$2y$10$0123456789012345678901"] {
            assert!(looks_like_one(value), "{value}");
        }
        assert!(is_one("{SSHA}abcdefgh") && is_one("5ebe2294ecd0e0f08eab7690d2a6ee69"));
        assert!(looks_like_one("CustomerAccountNumber2") && !is_one("CustomerAccountNumber2"));
        for value in ["jan", "jan@example.com", "17578", "/home/17578", "orgid", "a long note about a customer", ""] {
            assert_eq!(kind(value), None, "{value}");
        }
    }
}
