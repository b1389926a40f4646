//! The programs that customers connect with, and which of them a security policy of the servers would shut out.
//!
//! [`policies`] and [`programs`] are two tables with sources, `clients/security-policies.toml` and
//! `clients/programs.toml`; [`census`] counts what logs say, [`sshd`] reads the log of an old server, and
//! [`change`] says what a plan changes. Pure.

pub mod census;
pub mod change;
pub mod policies;
pub mod programs;
pub mod sshd;

use serde::Serialize;

use policies::Policy;

/// What both sides must have one of (RFC 4253, section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    KeyExchange,
    HostKey,
    Cipher,
    Mac,
}

impl Part {
    pub const ALL: [Self; 4] = [Self::KeyExchange, Self::HostKey, Self::Cipher, Self::Mac];

    /// The word for it, as Transfer's log and sshd's have it: "no matching host key type found".
    pub fn word(self) -> &'static str {
        match self {
            Self::KeyExchange => "key exchange method",
            Self::HostKey => "host key type",
            Self::Cipher => "cipher",
            Self::Mac => "MAC",
        }
    }

    /// The part that a message of a failed handshake is about.
    pub fn of_message(message: &str) -> Option<Self> {
        let (_, rest) = message.split_once("no matching ")?;
        Self::ALL.into_iter().find(|part| rest.to_ascii_lowercase().starts_with(&part.word().to_ascii_lowercase()))
    }
}

/// What a client offers, each in its order of preference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    pub kex: Vec<String>,
    pub host_keys: Vec<String>,
    pub ciphers: Vec<String>,
    pub macs: Vec<String>,
}

impl Offer {
    pub fn of(&self, part: Part) -> &[String] {
        match part {
            Part::KeyExchange => &self.kex,
            Part::HostKey => &self.host_keys,
            Part::Cipher => &self.ciphers,
            Part::Mac => &self.macs,
        }
    }

    /// The parts of which a server with this policy, and a key of each kind, has none of those that the client offers.
    /// With a cipher that authenticates by itself, no MAC is needed (OpenSSH's PROTOCOL, section 1.6).
    pub fn lacks(&self, policy: &Policy) -> Vec<Part> {
        let first = |part: Part| self.of(part).iter().find(|name| policy.offer.of(part).contains(name));
        let authenticates = first(Part::Cipher)
            .is_some_and(|cipher| cipher.contains("-gcm@") || cipher.starts_with("chacha20-poly1305"));
        let lacks = |part: &Part| first(*part).is_none() && !(*part == Part::Mac && authenticates);
        Part::ALL.into_iter().filter(lacks).collect()
    }
}

/// The names of a list of algorithms, without what is not one: extensions, certificates and GSSAPI.
pub fn algorithms(list: &str) -> Vec<String> {
    let is_algorithm = |name: &&str| {
        let is_extension = name.starts_with("ext-info-") || name.starts_with("kex-strict-") || name.starts_with("gss-");
        !name.is_empty() && !is_extension && !name.contains("-cert-v0")
    };
    list.split(',').map(str::trim).filter(is_algorithm).map(str::to_owned).collect()
}

/// What is known of a client and a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Fits,
    /// It has none of the policy's algorithms for these parts.
    ShutOut(Vec<Part>),
    /// Some versions of the program are shut out, and which it is cannot be told.
    Depends,
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(offer: Offer) -> Policy {
        Policy { name: "P".to_owned(), fips: false, offer }
    }

    fn offer(kex: &str, host_keys: &str, ciphers: &str, macs: &str) -> Offer {
        let [kex, host_keys, ciphers, macs] = [kex, host_keys, ciphers, macs].map(algorithms);
        Offer { kex, host_keys, ciphers, macs }
    }

    #[test]
    fn ciphers_that_authenticate_need_no_mac() {
        let policy = policy(offer("a,b", "k", "aes256-gcm@openssh.com,aes128-ctr", "m-etm"));
        let lacks = |client: Offer| client.lacks(&policy);
        assert_eq!(lacks(offer("z,b", "k,j", "aes128-ctr", "m,m-etm")), []);
        assert_eq!(lacks(offer("z", "j", "3des", "m")), Part::ALL);
        assert_eq!(lacks(offer("a", "k", "aes256-gcm@openssh.com,aes128-ctr", "m")), []);
        // The client's first choice decides.
        assert_eq!(lacks(offer("a", "k", "aes128-ctr,aes256-gcm@openssh.com", "m")), [Part::Mac]);
        assert_eq!(lacks(Offer::default()), Part::ALL);
    }

    #[test]
    fn messages_name_their_part() {
        for (message, part) in [
            ("no matching key exchange method found", Some(Part::KeyExchange)),
            ("no matching host key type found", Some(Part::HostKey)),
            ("no matching cipher found", Some(Part::Cipher)),
            ("Unable to negotiate with 192.0.2.1 port 5: no matching MAC found. Their offer: a", Some(Part::Mac)),
            ("no matching mac found", Some(Part::Mac)),
            ("no matching compression found", None),
            ("Connection reset", None),
        ] {
            assert_eq!(Part::of_message(message), part, "{message}");
        }
        let names = algorithms("a,ext-info-c,kex-strict-c-v00@openssh.com,ssh-rsa-cert-v01@openssh.com,gss-x-y,,b");
        assert_eq!(names, ["a", "b"]);
    }
}
