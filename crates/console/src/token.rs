//! The secret in the console's address: whoever has it may use the console.
//!
//! It is in the fragment, which browsers send to no server and in no `Referer`; the page removes it from the address,
//! keeps it for its tab, and sends it in a header. A cookie would do worse: cookies of 127.0.0.1 go to the servers on
//! all of its ports, those of other users among them.

use subtle::ConstantTimeEq as _;

/// The header that carries it.
pub(crate) const HEADER: &str = "x-sftpctl-token";

/// 32 random bytes in hexadecimal.
pub(crate) struct Token(String);

impl Token {
    pub(crate) fn random() -> Self {
        let mut bytes = [0_u8; 32];
        rand::fill(&mut bytes);
        Self(sftpctl_core::hex::encode(&bytes))
    }

    /// The address of the page on this port.
    pub(crate) fn address(&self, port: u16) -> String {
        format!("http://127.0.0.1:{port}/#token={}", self.0)
    }

    /// Whether a text is the token, compared in constant time.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_long_new_and_only_itself() {
        let (token, other) = (Token::random(), Token::random());
        let address = token.address(4123);
        let text = address.strip_prefix("http://127.0.0.1:4123/#token=").unwrap();
        assert_eq!(text.len(), 64, "256 bits");
        assert!(token.is(text) && !other.is(text) && !token.is("") && !token.is(&text[1..]));
    }
}
