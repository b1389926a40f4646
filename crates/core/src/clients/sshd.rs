//! The log of an OpenSSH server: `/var/log/secure`, `/var/log/auth.log`, or `journalctl -u ssh`. What it says depends
//! on `LogLevel` (OpenSSH's `kex.c`, `packet.c`, `auth.c` and `kexgexs.c`, 5.3 to 10.3):
//!
//! | level | has |
//! |---|---|
//! | `INFO`, the default, and `VERBOSE` | who logs in, and the offer of a client without a common algorithm |
//! | `DEBUG` | also the client's program, and the algorithms that were agreed on |
//! | `DEBUG2` | also everything that the client offers |
//!
//! Pure. Memory holds one entry for each connection that has not logged in yet.

use std::collections::{HashMap, VecDeque};

use super::census::{Failure, LogIn};
use super::{Offer, Part, algorithms};

/// Connections that are remembered, the newest.
const MOST: usize = 50_000;

/// What a line tells at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    LogIn(LogIn),
    Failure(Failure),
}

/// What is known of a connection so far.
#[derive(Clone, Debug, Default)]
struct Connection {
    client: Option<String>,
    kex: Option<String>,
    ciphers: [Option<String>; 2],
    offer: Offer,
    /// Whether the lists that follow are those of the client.
    is_peer: bool,
}

/// Reads a log, line by line.
#[derive(Debug, Default)]
pub struct Sshd {
    /// By host and process.
    connections: HashMap<String, Connection>,
    order: VecDeque<String>,
    lines: i64,
    /// Lines of sshd.
    pub known: u64,
}

impl Sshd {
    /// Takes the next line.
    pub fn line(&mut self, line: &str) -> Option<Told> {
        self.lines += 1;
        let (time, process, message) = parts(line)?;
        self.known += 1;
        let message = message.strip_suffix(" [preauth]").unwrap_or(message);
        if let Some(accepted) = message.strip_prefix("Accepted ") {
            return Some(Told::LogIn(self.log_in(time, process, accepted)?));
        }
        if let Some((_, message)) = message.split_once("Unable to negotiate with ") {
            return Some(Told::Failure(self.failure(time, process, message)?));
        }
        // Before OpenSSH 7.0: `fatal: no matching cipher found: client a,b server c,d`.
        if let Some((_, rest)) = message.split_once("fatal: no matching ") {
            return Some(Told::Failure(self.old_failure(time, process, rest)?));
        }
        let debug = ["debug1: ", "debug2: "].iter().find_map(|level| message.strip_prefix(level))?;
        self.debug(process, debug);
        None
    }

    fn debug(&mut self, process: &str, said: &str) {
        let version = ["remote software version ", "client software version "];
        if let Some((_, version)) = version.iter().find_map(|words| said.split_once(words)) {
            // The first of a connection: the number of its process may have been another's.
            *self.connection(process) = Connection { client: Some(version.to_owned()), ..Connection::default() };
            return;
        }
        if !said.contains("KEXINIT") && !said.starts_with("kex: ") && !self.connections.contains_key(process) {
            return;
        }
        let connection = self.connection(process);
        if said.contains("KEXINIT proposal") {
            connection.is_peer = said.starts_with("peer client");
        } else if let Some(name) = said.strip_prefix("kex: algorithm: ") {
            connection.kex = Some(name.to_owned());
        } else if let Some(rest) = said.strip_prefix("kex: client->server ") {
            connection.ciphers[0] = cipher(rest);
        } else if let Some(rest) = said.strip_prefix("kex: server->client ") {
            connection.ciphers[1] = cipher(rest);
        } else if connection.is_peer {
            let offer = &mut connection.offer;
            let lists = [
                (&mut offer.kex, "KEX algorithms: "),
                (&mut offer.host_keys, "host key algorithms: "),
                (&mut offer.ciphers, "ciphers ctos: "),
                (&mut offer.macs, "MACs ctos: "),
            ];
            for (list, words) in lists {
                if let Some(names) = said.strip_prefix(words) {
                    *list = algorithms(names);
                }
            }
        }
    }

    fn connection(&mut self, process: &str) -> &mut Connection {
        if !self.connections.contains_key(process) {
            self.order.push_back(process.to_owned());
            if self.order.len() > MOST
                && let Some(oldest) = self.order.pop_front()
            {
                self.connections.remove(&oldest);
            }
        }
        self.connections.entry(process.to_owned()).or_default()
    }

    /// `password for jan from 192.0.2.1 port 50022 ssh2`.
    fn log_in(&mut self, time: &str, process: &str, accepted: &str) -> Option<LogIn> {
        let (_, rest) = accepted.split_once(" for ")?;
        let (user, rest) = rest.rsplit_once(" from ")?;
        let connection = self.connections.get(process).cloned().unwrap_or_default();
        let Connection { client, kex, ciphers, offer, .. } = connection;
        let ciphers: Vec<String> = ciphers.into_iter().flatten().collect();
        Some(LogIn {
            order: self.lines,
            time: time.to_owned(),
            user: user.to_owned(),
            source: rest.split(' ').next().map(str::to_owned),
            client,
            kex,
            ciphers: (!ciphers.is_empty()).then(|| ciphers.join(",")),
            offer: is_whole(&offer).then_some(offer),
        })
    }

    /// `192.0.2.1 port 50022: no matching MAC found. Their offer: a,b`.
    fn failure(&self, time: &str, process: &str, message: &str) -> Option<Failure> {
        let part = Part::of_message(message)?;
        let (_, offered) = message.split_once("Their offer: ")?;
        let source = message.split([' ', ':']).next().filter(|source| source.contains('.')).map(str::to_owned);
        // An address of IPv6 has colons itself.
        let source = source.or_else(|| message.split(' ').next().map(|word| word.trim_end_matches(':').to_owned()));
        Some(self.failed(time, process, part, offered, source))
    }

    /// `cipher found: client a,b server c,d`.
    fn old_failure(&self, time: &str, process: &str, rest: &str) -> Option<Failure> {
        let part = Part::of_message(&format!("no matching {rest}"))?;
        let (_, offered) = rest.split_once("client ")?;
        Some(self.failed(time, process, part, offered.split(' ').next()?, None))
    }

    fn failed(&self, time: &str, process: &str, part: Part, offered: &str, source: Option<String>) -> Failure {
        let client = self.connections.get(process).and_then(|connection| connection.client.clone());
        let offered = algorithms(offered.trim_end_matches(" [preauth]"));
        Failure { order: self.lines, time: time.to_owned(), source, client, part: Some(part), offered }
    }
}

/// Whether every list is there.
fn is_whole(offer: &Offer) -> bool {
    Part::ALL.into_iter().all(|part| !offer.of(part).is_empty())
}

/// `cipher: aes256-ctr MAC: hmac-sha2-256 compression: none`, or `aes256-ctr hmac-sha1 none` before OpenSSH 7.0.
fn cipher(rest: &str) -> Option<String> {
    rest.strip_prefix("cipher: ").unwrap_or(rest).split(' ').next().map(str::to_owned)
}

/// A line's time, the host and process, and what it says. The process is `sshd[123]`, and `sshd-session[123]` from
/// OpenSSH 9.8 on.
fn parts(line: &str) -> Option<(&str, &str, &str)> {
    let (at, start) = ["sshd[", "sshd-session[", "sshd-auth["].iter().find_map(|name| {
        let at = line.find(name)?;
        Some((at, at + name.len()))
    })?;
    let end = start + line[start..].find("]: ")?;
    let head = line[..at].trim_end();
    // The host is the last word before the process.
    let (time, host) = head.rsplit_once(' ').unwrap_or((head, ""));
    let from = line.len() - line[at..].len() - host.len() - usize::from(!host.is_empty());
    let process = line.get(from..end).unwrap_or(&line[at..end]);
    Some((time.trim_end(), process, &line[end + 3..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(log: &str) -> Vec<Told> {
        let mut sshd = Sshd::default();
        log.lines().filter_map(|line| sshd.line(line.trim_start())).collect()
    }

    #[test]
    fn log_ins_have_the_client_of_their_connection() {
        let log = "sshd[812]: Connection from 192.0.2.1 port 50022 on 10.0.0.1 port 22 rdomain \"\"
             sshd[812]: debug1: Local version string SSH-2.0-OpenSSH_8.0
             sshd[812]: debug1: Remote protocol version 2.0, remote software version PuTTY_Release_0.78
             sshd[812]: debug2: local server KEXINIT proposal [preauth]
             sshd[812]: debug2: KEX algorithms: curve25519-sha256 [preauth]
             sshd[812]: debug2: peer client KEXINIT proposal [preauth]
             sshd[812]: debug2: KEX algorithms: a,b,ext-info-c [preauth]
             sshd[812]: debug2: host key algorithms: k [preauth]
             sshd[812]: debug2: ciphers ctos: c1,c2 [preauth]
             sshd[812]: debug2: ciphers stoc: c3 [preauth]
             sshd[812]: debug2: MACs ctos: m [preauth]
             sshd[900]: debug1: Remote protocol version 2.0, remote software version libssh2_1.8.0
             sshd[812]: debug1: kex: algorithm: curve25519-sha256 [preauth]
             sshd[812]: debug1: kex: client->server cipher: aes256-ctr MAC: hmac-sha2-256 compression: none [preauth]
             sshd[812]: debug1: kex: server->client cipher: aes128-ctr MAC: hmac-sha2-256 compression: none [preauth]
             sshd[812]: Accepted password for jan from from 192.0.2.1 port 50022 ssh2
             sshd[901]: Accepted publickey for els from 2001:db8::1 port 50022 ssh2: RSA SHA256:abc
             su[1]: session opened
             CRON[2]: pam_unix(cron:session): session opened";
        let log: Vec<String> = log.lines().map(|line| format!("Nov 30 10:31:02 old {}", line.trim_start())).collect();
        let told = told(&log.join("\n"));
        let [Told::LogIn(jan), Told::LogIn(els)] = &told[..] else { panic!("{told:?}") };
        assert_eq!((jan.user.as_str(), jan.time.as_str()), ("jan from", "Nov 30 10:31:02"));
        assert_eq!(jan.client.as_deref(), Some("PuTTY_Release_0.78"));
        assert_eq!(
            (jan.kex.as_deref(), jan.ciphers.as_deref()),
            (Some("curve25519-sha256"), Some("aes256-ctr,aes128-ctr"))
        );
        let offer = jan.offer.as_ref().unwrap();
        assert_eq!((offer.kex.join(","), offer.ciphers.join(",")), ("a,b".to_owned(), "c1,c2".to_owned()));
        assert_eq!(jan.source.as_deref(), Some("192.0.2.1"));
        // Without debugging, nothing is known but who it was.
        assert_eq!((els.user.as_str(), els.source.as_deref()), ("els", Some("2001:db8::1")));
        assert!(els.client.is_none() && els.offer.is_none() && els.order > jan.order);
    }

    #[test]
    fn clients_without_a_common_algorithm_are_failures() {
        let (iso, debug) =
            ("2026-11-30T10:31:01.123456+01:00 old sshd-session[7]:", "debug1: Remote protocol version 2.0");
        let log = [
            format!("{iso} {debug}, remote software version JSCH-0.1.54"),
            format!("{iso} Unable to negotiate with 192.0.2.7 port 4: no matching MAC found. Their offer: m1,m2 [preauth]"),
            "Nov 30 10:31:01 old sshd[8]: fatal: Unable to negotiate with 2001:db8::7: no matching key exchange method \
             found. Their offer: a [preauth]"
                .to_owned(),
            "Nov 30 10:31:02 old sshd[9]: fatal: no matching cipher found: client 3des-cbc,aes128-cbc server aes128-ctr"
                .to_owned(),
            "Nov 30 10:31:02 old sshd[9]: fatal: something else".to_owned(),
        ];
        let told = told(&log.join("\n"));
        let [Told::Failure(first), Told::Failure(second), Told::Failure(third)] = &told[..] else { panic!("{told:?}") };
        assert_eq!((first.client.as_deref(), first.part), (Some("JSCH-0.1.54"), Some(Part::Mac)));
        assert_eq!((first.offered.join(","), first.source.as_deref()), ("m1,m2".to_owned(), Some("192.0.2.7")));
        assert_eq!(first.time, "2026-11-30T10:31:01.123456+01:00");
        assert_eq!((second.part, second.source.as_deref()), (Some(Part::KeyExchange), Some("2001:db8::7")));
        assert_eq!((third.part, third.offered.join(",")), (Some(Part::Cipher), "3des-cbc,aes128-cbc".to_owned()));
    }

    #[test]
    fn other_lines_say_nothing() {
        for line in
            ["", "sshd[", "sshd[1]", "sshd[1]: ", "sshd[1]: Accepted ", "é sshd[1]: Accepted password for é", "x: y"]
        {
            assert_eq!(told(line), [], "{line}");
        }
        let mut sshd = Sshd::default();
        for process in 0..=MOST {
            sshd.line(&format!("a b sshd[{process}]: debug1: Remote protocol version 2.0, remote software version x"));
        }
        assert_eq!((sshd.connections.len(), sshd.order.len()), (MOST, MOST));
    }
}
