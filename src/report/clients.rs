//! Which clients customers use, and whom each security policy would shut out. Pure.

use serde::Serialize;
use sftpctl_core::clients::census::{Census, Failed, Last, Mismatch, Seen};
use sftpctl_core::clients::change::PolicyChange;
use sftpctl_core::clients::policies::{self, Policy, short};
use sftpctl_core::clients::programs::{self, Client, Program};
use sftpctl_core::clients::{Part, Verdict};
use sftpctl_core::shown::{Text, visible};
use sftpctl_core::text::counted;

use super::fold::folded;
use super::format;
use super::hints::complete;
use super::logs::UnreadView;
use super::markdown::{cell, code};

/// Names that a line shows, and algorithms.
const EXAMPLES: usize = 5;
/// Names in JSON.
const LISTED: usize = 1_000;

/// A client and its customers, as `client/1`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientView<'a> {
    program: &'a str,
    version: Option<&'a str>,
    log_ins: u64,
    customers: usize,
    /// Some of them; all if there are at most a thousand.
    users: Vec<&'a str>,
    last: String,
    agreed: Vec<AgreedView<'a>>,
    /// Whether the log has what it offers; if not, the table is used.
    offer_is_logged: bool,
    policies: Vec<VerdictView>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AgreedView<'a> {
    kex: &'a str,
    ciphers: &'a str,
    log_ins: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct VerdictView {
    policy: &'static str,
    /// `fits`, `shut-out`, `depends` or `unknown`.
    verdict: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lacks: Vec<Part>,
}

/// Connections without a common algorithm, as `client-mismatch/1`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MismatchView<'a> {
    part: Option<Part>,
    offered: &'a [String],
    connections: u64,
    last: String,
    sources: Vec<&'a str>,
    /// Who logs in from these addresses.
    users: Vec<&'a str>,
    /// Who it is by its own words, or else whose list it has.
    clients: Vec<String>,
    /// Policies that accept one of these algorithms.
    accepted_by: Vec<&'static str>,
}

/// The end, as `clients/1`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SummaryView<'a> {
    environment: Option<&'a str>,
    /// The policy of the environment.
    security_policy: Option<&'a str>,
    log_ins: u64,
    /// Log-ins whose client the log does not name.
    unnamed: u64,
    mismatches: u64,
    policies: Vec<EffectView>,
    unread: Vec<UnreadView>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EffectView {
    policy: &'static str,
    customers_shut_out: usize,
    clients_shut_out: Vec<String>,
    customers_unknown: usize,
    clients_unknown: Vec<String>,
    connections_refused: u64,
}

impl<'a> ClientView<'a> {
    pub fn new(client: &'a Client, seen: &'a Seen) -> Self {
        let agreed =
            |((kex, ciphers), log_ins): (&'a (String, String), &u64)| AgreedView { kex, ciphers, log_ins: *log_ins };
        Self {
            program: &client.name,
            version: client.version.as_deref(),
            log_ins: seen.log_ins,
            customers: seen.users.len(),
            users: seen.users.iter().take(LISTED).map(String::as_str).collect(),
            last: time(&seen.last),
            agreed: seen.agreed.iter().map(agreed).collect(),
            offer_is_logged: seen.offer.is_some(),
            policies: policies::all()
                .iter()
                .map(|policy| VerdictView::new(policy, seen.verdict(client, policy)))
                .collect(),
        }
    }
}

impl VerdictView {
    fn new(policy: &'static Policy, verdict: Verdict) -> Self {
        let (verdict, lacks) = match verdict {
            Verdict::Fits => ("fits", Vec::new()),
            Verdict::ShutOut(lacks) => ("shut-out", lacks),
            Verdict::Depends => ("depends", Vec::new()),
            Verdict::Unknown => ("unknown", Vec::new()),
        };
        Self { policy: &policy.name, verdict, lacks }
    }
}

impl<'a> MismatchView<'a> {
    pub fn new((part, offered): &'a Mismatch, failed: &'a Failed) -> Self {
        Self {
            part: *part,
            offered,
            connections: failed.connections,
            last: time(&failed.last),
            sources: failed.sources.iter().map(String::as_str).collect(),
            users: failed.users.iter().take(LISTED).map(String::as_str).collect(),
            clients: who(*part, offered, failed),
            accepted_by: accepted_by(*part, offered).map(|policy| policy.name.as_str()).collect(),
        }
    }
}

impl<'a> SummaryView<'a> {
    pub fn new(
        (environment, security_policy): (Option<&'a str>, Option<&'a str>),
        census: &Census,
        unread: Vec<UnreadView>,
    ) -> Self {
        let named: u64 = census.seen.values().map(|seen| seen.log_ins).sum();
        let failed: u64 = census.failed.values().map(|failed| failed.connections).sum();
        let names = |clients: &[Client]| clients.iter().map(ToString::to_string).collect();
        let effect = |policy: &'static Policy| {
            let effect = census.effect(policy);
            EffectView {
                policy: &policy.name,
                customers_shut_out: effect.users.len(),
                clients_shut_out: names(&effect.shut_out),
                customers_unknown: effect.unknown_users.len(),
                clients_unknown: names(&effect.unknown),
                connections_refused: effect.refused,
            }
        };
        Self {
            environment,
            security_policy,
            log_ins: named + census.unnamed.0,
            unnamed: census.unnamed.0,
            mismatches: failed + census.more_failures,
            policies: policies::all().iter().map(effect).collect(),
            unread,
        }
    }
}

fn time((order, text): &Last) -> String {
    if text.is_empty() { format::time(order.div_euclid(1_000)) } else { text.clone() }
}

/// Who a client without a common algorithm is.
fn who(part: Option<Part>, offered: &[String], failed: &Failed) -> Vec<String> {
    if !failed.clients.is_empty() {
        return failed.clients.iter().map(ToString::to_string).collect();
    }
    // The order of host keys depends on those that a client knows already.
    let part = part.filter(|part| *part != Part::HostKey);
    let like = part.map(|part| programs::like(part, offered)).unwrap_or_default();
    like.iter().map(ToString::to_string).collect()
}

fn accepted_by(part: Option<Part>, offered: &[String]) -> impl Iterator<Item = &'static Policy> {
    let accepts = move |policy: &&Policy| {
        part.is_some_and(|part| policy.offer.of(part).iter().any(|name| offered.contains(name)))
    };
    policies::all().iter().filter(accepts)
}

/// The first names, and how many more there are.
fn some<T: AsRef<str>>(names: impl ExactSizeIterator<Item = T>) -> String {
    let count = names.len();
    let mut shown: Vec<String> = names.take(EXAMPLES).map(|name| visible(name.as_ref()).into_owned()).collect();
    if count > EXAMPLES {
        shown.push(format!("and {} more", count - EXAMPLES));
    }
    shown.join(", ")
}

/// Policies by what is between their names' first word and the end.
fn shorts<'a>(policies: impl Iterator<Item = &'a str>) -> String {
    policies.map(short).collect::<Vec<_>>().join(", ")
}

fn lacks(parts: &[Part]) -> String {
    let words: Vec<&str> = parts.iter().map(|part| part.word()).collect();
    format!("no common {}", words.join(" and no common "))
}

/// A client, for people.
pub fn client(view: &ClientView<'_>) -> Text {
    let name = visible(view.program);
    let name = view.version.map_or(name.to_string(), |version| format!("{name} {}", visible(version)));
    let mut text = Text::from(format!(
        "{name:<24} {:>13} {:>15}  last {}  {}",
        counted(view.customers as u64, "customer"),
        counted(view.log_ins, "log-in"),
        visible(&view.last),
        some(view.users.iter()),
    ));
    for AgreedView { kex, ciphers, log_ins } in view.agreed.iter().take(EXAMPLES) {
        // One cipher for both directions is the rule.
        let ciphers = match ciphers.split_once(',') {
            Some((up, down)) if up == down => up,
            _ => ciphers,
        };
        let said: Vec<_> = [*kex, ciphers].into_iter().filter(|name| !name.is_empty()).map(visible).collect();
        text.line(format!("    {} ({})", said.join(" with "), counted(*log_ins, "log-in")));
    }
    let of = |word: &str| -> Vec<&VerdictView> { view.policies.iter().filter(|view| view.verdict == word).collect() };
    let shut = of("shut-out");
    if let Some(strictest) = shut.first() {
        let names = shorts(shut.iter().map(|view| view.policy));
        text.line(format!("    shut out by {names}: {} with the first", lacks(&strictest.lacks)));
    }
    let depends = of("depends");
    if !depends.is_empty() {
        let names = shorts(depends.iter().map(|view| view.policy));
        text.line(format!("    its older versions, which it does not tell apart, are shut out by {names}"));
    }
    if !of("unknown").is_empty() {
        text.line("    not in the table of known clients: what it offers is not known");
    }
    text
}

/// Connections without a common algorithm, for people.
pub fn mismatch(view: &MismatchView<'_>) -> Text {
    let part = view.part.map_or("algorithm", Part::word);
    let mut text = Text::from(format!(
        "{} without a common {part}, last {}, from {}",
        counted(view.connections, "connection"),
        visible(&view.last),
        some(view.sources.iter()),
    ));
    text.line(format!("    offered {}", some(view.offered.iter())));
    if !view.clients.is_empty() {
        text.line(format!("    as {}", some(view.clients.iter())));
    }
    if !view.users.is_empty() {
        text.line(format!("    {} from the same address", log_in(&view.users)));
    }
    if view.part.is_some() {
        let accepted = shorts(view.accepted_by.iter().copied());
        let accepted = if accepted.is_empty() { "no security policy".to_owned() } else { accepted };
        text.line(format!("    accepted by {accepted}"));
    }
    text
}

fn log_in(users: &[&str]) -> String {
    format!("{} {}", some(users.iter()), if users.len() == 1 { "logs in" } else { "log in" })
}

/// The end, for people.
pub fn summary(view: &SummaryView<'_>) -> Text {
    let mut text = Text::default();
    text.line(format!(
        "{}, {} without a common algorithm",
        counted(view.log_ins, "log-in"),
        counted(view.mismatches, "connection"),
    ));
    if view.log_ins + view.mismatches == 0 {
        return text;
    }
    text.line("");
    text.line(format!("{:<28} {:<34} not known", "security policy", "shuts out"));
    for effect in &view.policies {
        let is_current = view.security_policy == Some(effect.policy);
        let name = format!("{}{}", short(effect.policy), if is_current { " (now)" } else { "" });
        let of = |customers: usize, clients: &[String]| match (customers, clients.is_empty()) {
            (0, true) => "-".to_owned(),
            (_, true) => counted(customers as u64, "customer"),
            _ => format!("{}: {}", counted(customers as u64, "customer"), some(clients.iter())),
        };
        let shut = of(effect.customers_shut_out, &effect.clients_shut_out);
        let unknown = of(effect.customers_unknown, &effect.clients_unknown);
        text.line(format!("{name:<28} {shut:<34} {unknown}"));
    }
    if let Some(policy) = view.security_policy.filter(|name| policies::policy(name).is_none()) {
        text.line(format!("the algorithms of {policy}, the policy of this environment, are not known"));
    }
    text
}

/// A program of the table and the policies that shut it out, as `known-client/1`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KnownView<'a> {
    program: &'a str,
    from: &'a str,
    /// The next version that offers something else; `null` for the newest.
    before: Option<&'a str>,
    shut_out_by: Vec<VerdictView>,
    kex: &'a [String],
    host_keys: &'a [String],
    ciphers: &'a [String],
    macs: &'a [String],
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
}

/// The versions of a program.
pub fn known(program: &Program) -> impl Iterator<Item = KnownView<'_>> {
    program.versions.iter().enumerate().map(move |(at, version)| {
        let verdicts = policies::all().iter().map(|policy| (policy, version.offer.lacks(policy)));
        let shut = verdicts.filter(|(_, lacks)| !lacks.is_empty());
        KnownView {
            program: &program.name,
            from: &version.from,
            before: program.versions.get(at + 1).map(|next| next.from.as_str()),
            shut_out_by: shut.map(|(policy, lacks)| VerdictView::new(policy, Verdict::ShutOut(lacks))).collect(),
            kex: &version.offer.kex,
            host_keys: &version.offer.host_keys,
            ciphers: &version.offer.ciphers,
            macs: &version.offer.macs,
            source: &program.source,
            note: program.note.as_deref(),
        }
    })
}

/// A security policy and whom it shuts out, as `security-policy/1`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyView<'a> {
    name: &'a str,
    fips: bool,
    /// Whether it is the environment's.
    is_current: bool,
    shuts_out: Vec<String>,
    kex: &'a [String],
    host_keys: &'a [String],
    ciphers: &'a [String],
    macs: &'a [String],
}

impl<'a> PolicyView<'a> {
    pub fn new(policy: &'a Policy, current: Option<&str>) -> Self {
        Self {
            name: &policy.name,
            fips: policy.fips,
            is_current: current == Some(&policy.name),
            shuts_out: programs::shut_out(policy, None).iter().map(ToString::to_string).collect(),
            kex: &policy.offer.kex,
            host_keys: &policy.offer.host_keys,
            ciphers: &policy.offer.ciphers,
            macs: &policy.offer.macs,
        }
    }
}

/// A security policy, for people.
pub fn policy(view: &PolicyView<'_>) -> Text {
    let now = if view.is_current { " (now)" } else { "" };
    let mut text = Text::from(format!("{}{now}", view.name));
    let shut = if view.shuts_out.is_empty() { "nobody of the table".to_owned() } else { view.shuts_out.join(", ") };
    text.line(format!("    shuts out {shut}"));
    text
}

/// Whom the policies of a plan shut out, for people, in lines of at most `width` characters; nothing if the plan
/// changes none.
pub fn policy_changes(changes: &[PolicyChange], environment: &str, width: usize) -> Text {
    let mut text = Text::default();
    changes.iter().for_each(|change| text.line(policy_line(change)));
    if let Some(commands) = commands(changes, environment) {
        text.line(advice(&commands.map(|command| format!("`{command}`"))));
    }
    folded(&text, width)
}

/// As [`policy_changes`], as Markdown for a pull request.
pub fn policy_changes_markdown(changes: &[PolicyChange], environment: &str) -> Text {
    let mut text = Text::default();
    let advice = commands(changes, environment).map(|commands| advice(&commands.map(|command| code(&command))));
    for line in changes.iter().map(|change| cell(&policy_line(change))).chain(advice) {
        text.line("");
        text.line(line);
    }
    text
}

/// The commands that say whether customers are shut out, on AWS and on the old server.
fn commands(changes: &[PolicyChange], environment: &str) -> Option<[String; 2]> {
    let is_open = changes.iter().any(|change| !change.shuts_out.is_empty() || !change.is_known);
    let command = complete(&format!("sftpctl clients --env {environment}"));
    is_open.then(|| [command, "sftpctl clients --from-log /var/log/secure".to_owned()])
}

fn advice([on_aws, on_old_server]: &[String; 2]) -> String {
    format!("Which clients customers use is shown by {on_aws}, and for an old server by {on_old_server}.")
}

fn policy_line(change: &PolicyChange) -> String {
    let PolicyChange { policy, before, is_known, shuts_out, .. } = change;
    let policy = short(policy);
    match (is_known, before.as_deref().map(short), shuts_out.is_empty()) {
        (false, ..) => format!("Security policy {policy}: whom it shuts out is not known."),
        (true, None, true) => format!("Security policy {policy} shuts out no well-known client."),
        (true, None, false) => format!("Security policy {policy} shuts out {}.", shuts_out.join(", ")),
        (true, Some(before), true) => format!("Security policy {policy} shuts out no client that {before} admits."),
        (true, Some(before), false) => {
            format!("Security policy {policy} shuts out clients that {before} admits: {}.", shuts_out.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sftpctl_core::clients::census::{Failure, LogIn};
    use sftpctl_core::clients::change::PolicyChange;

    fn census() -> Census {
        let mut census = Census::default();
        for (order, user, client) in [
            (1_000, "jan", "SSH-2.0-OpenSSH_9.2"),
            (2_000, "els", "SSH-2.0-JSCH-0.1.54"),
            (3_000, "a\u{1b}[31m", "SSH-2.0-X\u{1b}[1m"),
        ] {
            let (client, source) = (Some(client.to_owned()), Some("192.0.2.1".to_owned()));
            let (kex, ciphers) = (Some("ecdh-sha2-nistp256".to_owned()), Some("aes128-ctr,aes128-ctr".to_owned()));
            census.log_in(LogIn { order, user: user.to_owned(), client, source, kex, ciphers, ..LogIn::default() });
        }
        let offered =
            ["hmac-md5", "hmac-sha1", "hmac-sha2-256", "hmac-sha1-96", "hmac-md5-96"].map(str::to_owned).to_vec();
        census.failure(Failure {
            order: 4_000,
            source: Some("192.0.2.1".to_owned()),
            part: Some(Part::Mac),
            offered,
            ..Failure::default()
        });
        census.finish();
        census
    }

    #[test]
    fn people_see_whom_a_policy_shuts_out() {
        let census = census();
        let said: Vec<String> = census
            .seen
            .iter()
            .map(|(of, seen)| client(&ClientView::new(of, seen)).to_string())
            .chain(census.failed.iter().map(|(key, failed)| mismatch(&MismatchView::new(key, failed)).to_string()))
            .collect();
        let all = said.join("\n");
        for words in [
            "1 customer        1 log-in  last 1970-01-01T00:00:02Z  els\n    ecdh-sha2-nistp256 with aes128-ctr \
             (1 log-in)\n    \
             shut out by 2025-03, AS2Restricted-2025-07, SshAuditCompliant-2025-02, 2024-01, 2023-05",
            "no common MAC with the first",
            "not in the table of known clients",
            "1 connection without a common MAC, last 1970-01-01T00:00:04Z, from 192.0.2.1",
            "as JSch before 0.1.58",
            "els, jan log in from the same address",
            "accepted by 2022-03, Restricted-2020-06, 2020-06",
        ] {
            assert!(all.contains(words), "{words}\n{all}");
        }
        assert!(!all.contains('\u{1b}'), "{all}");
        let view = SummaryView::new((None, Some("TransferSecurityPolicy-2025-03")), &census, Vec::new());
        let said = summary(&view).to_string();
        assert!(said.contains("2025-03 (now)                3 customers: JSch 0.1.54"), "{said}");
    }

    #[test]
    fn plans_name_who_is_shut_out() {
        let change = |before: Option<&str>, shuts_out: &[&str]| PolicyChange {
            policy: "TransferSecurityPolicy-2025-03".to_owned(),
            before: before.map(|name| format!("TransferSecurityPolicy-{name}")),
            regions: vec!["us-west-2".to_owned()],
            is_known: true,
            shuts_out: shuts_out.iter().map(|name| (*name).to_owned()).collect(),
        };
        let said = |change: PolicyChange| policy_changes(&[change], "99", 1_000).to_string();
        assert_eq!(
            said(change(None, &["libssh2 before 1.11", "JSch before 0.1.58"])),
            "Security policy 2025-03 shuts out libssh2 before 1.11, JSch before 0.1.58.\nWhich clients customers use \
             is shown by `sftpctl clients --env 99`, and for an old server by `sftpctl clients --from-log \
             /var/log/secure`."
        );
        assert_eq!(
            said(change(Some("2024-01"), &[])),
            "Security policy 2025-03 shuts out no client that 2024-01 admits."
        );
        assert_eq!(policy_changes(&[], "99", 80).to_string(), "");
        let unknown = PolicyChange { is_known: false, ..change(None, &[]) };
        assert!(said(unknown).starts_with("Security policy 2025-03: whom it shuts out is not known.\nWhich"));
    }
}
