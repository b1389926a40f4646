//! What a client says in the clear before its log-in: the name of its program, and the algorithms that it can. The SSH
//! library does not tell which of them a connection uses, so that they are found as it finds them (RFC 4253, section 7.1).

use std::sync::{Arc, Mutex, PoisonError};

use russh::Preferred;

/// Maximum length of what is kept of a client that says too much.
const MOST: usize = 64 << 10;
/// The number of the message with the algorithms, `SSH_MSG_KEXINIT`.
const KEXINIT: u8 = 20;

/// Listens to a client until it has said what it can.
#[derive(Clone, Default)]
pub(super) struct Hello(Arc<Mutex<Heard>>);

enum Heard {
    /// The bytes so far.
    Hearing(Vec<u8>),
    /// It has said it, or what is not SSH.
    Over(Option<Offer>),
}

impl Default for Heard {
    fn default() -> Self {
        Self::Hearing(Vec::new())
    }
}

/// What a client offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Offer {
    /// `SSH-2.0-OpenSSH_9.2`.
    client: String,
    exchanges: Vec<String>,
    /// From the client to the server, and back.
    ciphers: [Vec<String>; 2],
}

/// What a connection uses, as the log of a session names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spoken {
    pub(super) client: String,
    pub(super) kex: String,
    /// Those of both directions.
    pub(super) ciphers: String,
}

impl Hello {
    pub(super) fn hear(&self, bytes: &[u8]) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Heard::Hearing(so_far) = &mut *heard else { return };
        so_far.extend_from_slice(bytes);
        match offer(so_far) {
            Ok(None) if so_far.len() < MOST => {}
            Ok(offer) => *heard = Heard::Over(offer),
            Err(NotSsh) => *heard = Heard::Over(None),
        }
    }

    /// What the connection uses with a server of these algorithms.
    pub(super) fn spoken(&self, server: &Preferred) -> Spoken {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Heard::Over(Some(offer)) = &*heard else { return Spoken::default() };
        let exchanges: Vec<&str> = server.kex.iter().map(AsRef::as_ref).collect();
        let ciphers: Vec<&str> = server.cipher.iter().map(AsRef::as_ref).collect();
        Spoken {
            client: offer.client.clone(),
            kex: first(&offer.exchanges, &exchanges).to_owned(),
            ciphers: offer.ciphers.each_ref().map(|offered| first(offered, &ciphers)).join(","),
        }
    }
}

/// The first algorithm of the client that the server has, too.
fn first<'a>(offered: &'a [String], server: &[&str]) -> &'a str {
    offered.iter().find(|name| server.contains(&name.as_str())).map_or("", String::as_str)
}

struct NotSsh;

/// Parses what a client has said so far; `None` if there is more to come.
fn offer(said: &[u8]) -> Result<Option<Offer>, NotSsh> {
    let Some(end) = said.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
    let line = said[..end].strip_suffix(b"\r").unwrap_or(&said[..end]);
    let client = std::str::from_utf8(line).ok().filter(|line| line.starts_with("SSH-")).ok_or(NotSsh)?.to_owned();
    let Some((length, rest)) = said[end + 1..].split_first_chunk::<4>() else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes(*length)).ok().filter(|length| *length < MOST).ok_or(NotSsh)?;
    let Some(packet) = rest.get(..length) else { return Ok(None) };
    // The length of the padding, the message's number, and 16 random bytes.
    let mut rest = packet.get(18..).filter(|_| packet[1] == KEXINIT).ok_or(NotSsh)?;
    let mut names = || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (list, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        rest = after;
        Some(std::str::from_utf8(list).ok()?.split(',').map(str::to_owned).collect::<Vec<_>>())
    };
    let mut lists = || Some((names()?, names()?, names()?, names()?));
    let (exchanges, _host_keys, up, down) = lists().ok_or(NotSsh)?;
    Ok(Some(Offer { client, exchanges, ciphers: [up, down] }))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    /// The hello of a client with these lists.
    fn said(lists: &[&str]) -> Vec<u8> {
        let mut packet = vec![4, KEXINIT];
        packet.extend([7; 16]);
        for list in lists {
            packet.extend(u32::try_from(list.len()).unwrap().to_be_bytes());
            packet.extend(list.bytes());
        }
        let mut said = b"SSH-2.0-Old_1.2 comment\r\n".to_vec();
        said.extend(u32::try_from(packet.len()).unwrap().to_be_bytes());
        said.extend(packet);
        said
    }

    fn server() -> Preferred {
        Preferred {
            kex: Cow::Borrowed(&[russh::kex::CURVE25519, russh::kex::DH_G14_SHA256]),
            cipher: Cow::Borrowed(&[russh::cipher::AES_256_GCM, russh::cipher::AES_256_CTR]),
            ..Preferred::default()
        }
    }

    #[test]
    fn clients_first_choice_that_the_server_has_is_used() {
        let said = said(&[
            "diffie-hellman-group1-sha1,diffie-hellman-group14-sha256,curve25519-sha256",
            "ssh-rsa",
            "3des-cbc,aes256-ctr",
            "aes256-gcm@openssh.com,aes256-ctr",
        ]);
        let hello = Hello::default();
        // However it arrives.
        said.chunks(3).for_each(|bytes| hello.hear(bytes));
        let expected = Spoken {
            client: "SSH-2.0-Old_1.2 comment".to_owned(),
            kex: "diffie-hellman-group14-sha256".to_owned(),
            ciphers: "aes256-ctr,aes256-gcm@openssh.com".to_owned(),
        };
        assert_eq!(hello.spoken(&server()), expected);
    }

    #[test]
    fn what_is_not_ssh_is_not_kept() {
        let endless = [b"SSH-2.0-".to_vec(), vec![b'a'; MOST]].concat();
        let mut torn = said(&["a"]);
        torn.truncate(torn.len() - 1);
        torn.extend([0; 64]);
        for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"\xff\xfe\r\n", &endless, b"SSH-2.0-a\r\n\xff\xff\xff\xff", &torn] {
            let hello = Hello::default();
            hello.hear(bytes);
            assert!(matches!(*hello.0.lock().unwrap(), Heard::Over(None)), "{bytes:?}");
            assert_eq!(hello.spoken(&server()), Spoken::default());
        }
    }
}
