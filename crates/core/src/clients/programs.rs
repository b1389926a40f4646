//! Well-known clients, and what they offer by default: `clients/programs.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

use super::policies::Policy;
use super::{Offer, Part, Verdict, algorithms};

const BUILT_IN: &str = include_str!("../../../../clients/programs.toml");
const VERSION: u32 = 1;
/// Characters of a name that is taken from a string of the client.
const LONGEST: usize = 60;

/// A program, or a library that programs connect with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub name: String,
    /// How its software version begins.
    idents: Vec<String>,
    /// Whether its identification has the version that decides what it offers.
    numbered: bool,
    /// The program whose library it uses.
    of: Option<String>,
    /// What uses it, or what a customer can do.
    pub note: Option<String>,
    /// Where the lists were read.
    pub source: String,
    /// Ascending.
    pub versions: Vec<Version>,
}

/// What a program offers from a version on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub from: String,
    pub offer: Offer,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    version: u32,
    program: Vec<RawProgram>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProgram {
    name: String,
    ident: Vec<String>,
    #[serde(default = "yes")]
    numbered: bool,
    of: Option<String>,
    note: Option<String>,
    source: String,
    #[serde(default)]
    version: Vec<RawVersion>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawVersion {
    from: String,
    kex: Option<String>,
    host_keys: Option<String>,
    ciphers: Option<String>,
    macs: Option<String>,
}

fn yes() -> bool {
    true
}

static ALL: LazyLock<Vec<Program>> = LazyLock::new(|| {
    // The file is built in, and a test reads it.
    let table = toml::from_str::<Table>(BUILT_IN).ok().filter(|table| table.version == VERSION);
    table.into_iter().flat_map(|table| table.program).map(program).collect()
});

fn program(raw: RawProgram) -> Program {
    let mut offer = Offer::default();
    let versions = raw.version.into_iter().map(|version| {
        for (list, new) in [
            (&mut offer.kex, version.kex),
            (&mut offer.host_keys, version.host_keys),
            (&mut offer.ciphers, version.ciphers),
            (&mut offer.macs, version.macs),
        ] {
            if let Some(new) = new {
                *list = algorithms(&new);
            }
        }
        Version { from: version.from, offer: offer.clone() }
    });
    let versions = versions.collect();
    let RawProgram { name, ident, numbered, of, note, source, .. } = raw;
    Program { name, idents: ident, numbered, of, note, source, versions }
}

/// All programs of the table.
pub fn all() -> &'static [Program] {
    &ALL
}

/// Who a client is, by its identification string.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Client {
    /// A name of the table, or what the client calls itself.
    pub name: String,
    /// `9.2p1`; `None` if it does not say.
    pub version: Option<String>,
}

impl std::fmt::Display for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{} {version}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Understands `SSH-2.0-OpenSSH_9.2p1 Debian-2`, or the part after `SSH-2.0-` alone, as sshd logs it.
pub fn client(identification: &str) -> Client {
    let text = identification.trim();
    let text = ["SSH-2.0-", "SSH-1.99-"].iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text);
    let found = all().iter().find_map(|program| {
        let rest = program.idents.iter().find_map(|ident| {
            let (head, rest) = text.split_at_checked(ident.len())?;
            // `Go` alone, and not `GoodFTP`.
            let ends = ident.ends_with(|last: char| !last.is_ascii_alphanumeric())
                || !rest.starts_with(|next: char| next.is_ascii_alphabetic());
            (head.eq_ignore_ascii_case(ident) && ends).then_some(rest)
        })?;
        Some((program, rest))
    });
    match found {
        // What it calls a version is the one of itself, which says nothing of its library.
        Some((program, _)) if !program.numbered && program.of.is_none() => {
            Client { name: program.name.clone(), version: None }
        }
        Some((program, rest)) => Client { name: program.name.clone(), version: version(rest) },
        None => unknown(text),
    }
}

/// The first number of a text, as it is written.
fn version(text: &str) -> Option<String> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    let version: String = text[start..].chars().take_while(|c| is_part(*c)).take(LONGEST).collect();
    Some(version.replace('_', "."))
}

/// A client that is not in the table: its first word up to the number, or the second if the first is one, as in `9.31
/// FlowSsh: Bitvise SSH Client`.
fn unknown(text: &str) -> Client {
    let mut words = text.split_whitespace();
    let word = words.next().unwrap_or_default();
    if let (true, Some(name)) = (word.starts_with(|c: char| c.is_ascii_digit()), words.next()) {
        let name = name.trim_end_matches(':').chars().take(LONGEST).collect();
        return Client { name, version: version(word) };
    }
    let number = word.char_indices().find(|(at, c)| *at > 0 && c.is_ascii_digit()).map_or(word.len(), |(at, _)| at);
    let name = word[..number].trim_end_matches(['_', '-', '/', '.', ' ', 'v']);
    let name = if name.is_empty() { word } else { name };
    let version = (name != word).then(|| version(&word[number..])).flatten();
    let name: String = name.chars().take(LONGEST).collect();
    Client { name: if name.is_empty() { "unnamed".to_owned() } else { name }, version }
}

/// The numbers of a version, for comparison: `9.2p1` is 9, 2, 1.
fn numbers(version: &str) -> Vec<u64> {
    let parts = version.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().unwrap_or(u64::MAX)).collect()
}

/// What a client of this name and version may offer: one of these; empty if it is not known.
pub fn offers(client: &Client) -> Vec<&'static Version> {
    let by_name = |name: &str| all().iter().find(|program| program.name == name);
    let Some(program) = by_name(&client.name) else { return Vec::new() };
    let library = program.of.as_deref().and_then(by_name);
    match (library, &client.version) {
        (Some(library), _) => library.versions.iter().collect(),
        (None, Some(version)) if program.numbered => {
            let version = numbers(version);
            program.versions.iter().rfind(|known| numbers(&known.from) <= version).into_iter().collect()
        }
        (None, _) => program.versions.iter().collect(),
    }
}

/// What the table says of a client and a policy.
pub fn verdict(client: &Client, policy: &Policy) -> Verdict {
    let offers = offers(client);
    let lacks: Vec<Vec<Part>> = offers.iter().map(|version| version.offer.lacks(policy)).collect();
    match (lacks.iter().any(Vec::is_empty), lacks.iter().find(|lacks| !lacks.is_empty())) {
        (true, None) => Verdict::Fits,
        (true, Some(_)) => Verdict::Depends,
        (false, Some(lacks)) => Verdict::ShutOut(lacks.clone()),
        (false, None) => Verdict::Unknown,
    }
}

/// Versions of a program that are next to each other: from the first, and before the next that is not one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range<'a> {
    pub program: &'a Program,
    /// `None` from the oldest on.
    pub from: Option<&'a str>,
    /// `None` up to the newest.
    pub before: Option<&'a str>,
}

impl std::fmt::Display for Range<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.program.name)?;
        self.from.map_or(Ok(()), |from| write!(f, " from {from}"))?;
        self.before.map_or(Ok(()), |before| write!(f, " before {before}"))
    }
}

/// The versions of the table that a policy would shut out; with `earlier` only those that this one admits.
pub fn shut_out(policy: &Policy, earlier: Option<&Policy>) -> Vec<Range<'static>> {
    let is_out = |version: &Version, policy: &Policy| !version.offer.lacks(policy).is_empty();
    ranges(|version| is_out(version, policy) && !earlier.is_some_and(|earlier| is_out(version, earlier)))
}

/// The versions whose list of these algorithms is exactly this: who a client may be that did not say its name.
pub fn like(part: Part, offered: &[String]) -> Vec<Range<'static>> {
    ranges(|version| version.offer.of(part) == offered)
}

/// The versions of the table that are so.
fn ranges(is_so: impl Fn(&Version) -> bool) -> Vec<Range<'static>> {
    let mut found: Vec<Range<'static>> = Vec::new();
    for program in all() {
        let mut is_open = false;
        for (at, version) in program.versions.iter().enumerate() {
            match (is_so(version), is_open, found.last_mut()) {
                (false, true, Some(range)) => range.before = Some(&version.from),
                (true, false, _) => {
                    let from = (at > 0).then_some(version.from.as_str());
                    found.push(Range { program, from, before: None });
                }
                _ => continue,
            }
            is_open = !is_open;
        }
    }
    found
}

#[cfg(test)]
mod tests;
