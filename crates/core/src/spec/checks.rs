//! Checks values and how they fit together, and reports every fault, not only the first. Pure.

use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;
use serde_saphyr::Spanned;

use super::WORDS;
use super::model::{Homes, HostKeySource};
use super::names::parts;
use super::raw::File;
use super::regions;
use super::{
    account_defaults, arrivals, assume_role, decrypt, endpoint, guard, malware, mounts, moved, notify, s3_files,
    topics, ttl, waf,
};
use crate::aliases::name::Pattern;
use crate::check;
use crate::kind::Kind;
use crate::spec::sftp_address::SftpAddress;
use crate::spec::state_place::StatePlace;
use crate::template::PERIOD_MINUTES;
use crate::text::counted;
use crate::user_policies;
use crate::yaml::{Checker, Fault};

/// Days that CloudWatch Logs allows (CloudWatch Logs API reference, PutRetentionPolicy).
const RETENTION: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];
/// Security policies for servers (Transfer user guide, "Security policies for AWS Transfer Family servers"; read in
/// November 2026). Others of [`POLICY_PATTERN`] are passed on with a warning, so that a new one needs no new sftpctl.
pub(super) const POLICIES: [&str; 18] = [
    "TransferSecurityPolicy-2018-11",
    "TransferSecurityPolicy-2020-06",
    "TransferSecurityPolicy-2022-03",
    "TransferSecurityPolicy-2023-05",
    "TransferSecurityPolicy-2024-01",
    "TransferSecurityPolicy-2025-03",
    "TransferSecurityPolicy-AS2Restricted-2025-07",
    "TransferSecurityPolicy-FIPS-2020-06",
    "TransferSecurityPolicy-FIPS-2023-05",
    "TransferSecurityPolicy-FIPS-2024-01",
    "TransferSecurityPolicy-FIPS-2024-05",
    "TransferSecurityPolicy-FIPS-2025-03",
    "TransferSecurityPolicy-PQ-SSH-Experimental-2023-04",
    "TransferSecurityPolicy-PQ-SSH-FIPS-Experimental-2023-04",
    "TransferSecurityPolicy-Restricted-2018-11",
    "TransferSecurityPolicy-Restricted-2020-06",
    "TransferSecurityPolicy-Restricted-2024-06",
    "TransferSecurityPolicy-SshAuditCompliant-2025-02",
];
/// The API's pattern (CreateServer, `SecurityPolicyName`).
const POLICY_PATTERN: &str = "^Transfer[A-Za-z0-9]*SecurityPolicy-.+$";
const POLICY_CHARACTERS: usize = 100;
/// Maximum length of the block list in characters. It is a parameter of the stack (at most 4,096 characters) and one of
/// the function's environment variables, which share 4 KB (Lambda developer guide, "Lambda quotas").
const BLOCK_LIST: usize = 3_500;
/// Resources of a stack besides those for clusters.
const OTHER_RESOURCES: usize = 30;
/// Resources of a stack for `alarms.email`, besides one for each address: the topic and its policy.
const ALARM_TOPIC: usize = 2;
/// Resources of a stack for `logs.saved_queries`.
const SAVED_QUERIES: usize = 6;
/// Resources for a cluster in the stack of its region, and in each other one that has a server: the bucket and its
/// policy; with `files.events` also two queues, a policy and three rules, and two rules elsewhere; with
/// `files.history_events` another queue and its policy.
const CLUSTER_RESOURCES: (usize, usize) = (2, 0);
const CLUSTER_RESOURCES_WITH_EVENTS: (usize, usize) = (8, 2);
const HISTORY_RESOURCES: usize = 2;
/// Characters of a rule's name (EventBridge API reference, `PutRule`).
const RULE_NAME: usize = 64;
/// CloudFormation's limit of resources per stack.
const STACK_LIMIT: usize = 500;

/// The check of a region, beside those of every file.
trait Regions {
    /// A fault if the region does not exist.
    fn region(&mut self, value: &Spanned<String>);
}

impl Regions for Checker<'_> {
    fn region(&mut self, value: &Spanned<String>) {
        if !regions::exists(&value.value) {
            let fault =
                self.fault(value, format!("unknown region `{}` (only commercial regions are supported)", value.value));
            fault.hint = regions::nearest(&value.value).map(|near| format!("did you mean `{near}`?"));
        }
    }
}

/// A message if the name breaks one of S3's rules for general-purpose buckets.
fn bucket_fault(name: &str) -> Option<String> {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if name.len() < 3 || name.len() > 63 {
        return Some(format!(
            "the bucket name `{name}` has {}; S3 allows 3 to 63",
            counted(name.len() as u64, "character")
        ));
    }
    if let Some(bad) = name.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.')))
    {
        return Some(format!(
            "the bucket name `{name}` contains `{bad}`; S3 allows lower-case letters, digits and hyphens"
        ));
    }
    if !edge(name.chars().next()) || !edge(name.chars().last()) || name.contains("..") || name.starts_with("xn--") {
        return Some(format!(
            "the bucket name `{name}` must begin and end with a letter or digit, without `..` or `xn--`"
        ));
    }
    name.contains('.')
        .then(|| format!("the bucket name `{name}` contains a dot, which breaks TLS to the bucket's own host name"))
}

/// All faults of values in the file.
pub(super) fn check(file: &File, source: &str) -> Vec<Fault> {
    let mut checker = Checker::new(source);
    basics(&mut checker, file);
    clusters(&mut checker, file);
    moved::check(&mut checker, &file.moved, &file.clusters.value);
    account_defaults::check(&mut checker, &file.defaults, &file.clusters.value, &file.regions);
    table(&mut checker, file);
    names(&mut checker, file);
    settings(&mut checker, file);
    doctor(&mut checker, file);
    homes(&mut checker, file);
    mounts::check(&mut checker, &file.mounts, &file.clusters.value, &file.s3_files);
    guard::check(&mut checker, file.guard.as_ref());
    ttl::check(&mut checker, file.ttl.as_ref(), file.production);
    waf::check(&mut checker, file.waf.as_ref());
    arrivals::check(&mut checker, &file.files.notify, (&file.clusters.value, &file.account.value));
    malware::check(&mut checker, file.files.malware_scan.as_ref(), &file.clusters.value);
    decrypt::check(&mut checker, &file.files.decrypt, &file.clusters.value, &file.regions);
    notify::check(&mut checker, file.notify.as_ref());
    s3_files::check(&mut checker, &file.s3_files, &file.clusters.value);
    dns(&mut checker, file);
    tags(&mut checker, file);
    checker.into_faults()
}

fn basics(checker: &mut Checker<'_>, file: &File) {
    checker.version(Some(&file.version), &WORDS);
    let message = format!("`{}` cannot be part of the names of AWS resources", file.environment.value);
    checker.matches(
        &file.environment,
        "^[A-Za-z0-9][A-Za-z0-9-]{0,18}[A-Za-z0-9]$|^[A-Za-z0-9]$",
        message,
        "letters, digits and hyphens, at most 20, with a letter or digit at both ends",
    );
    let message = format!(
        "invalid AWS account `{}`: expected 12 digits, got {}",
        file.account.value,
        counted(file.account.value.len() as u64, "character")
    );
    checker.matches(&file.account, "^[0-9]{12}$", message, "twelve digits, in quotes");
    checker.region(&file.home_region);
    for (region, settings) in &file.regions {
        if !regions::exists(region) {
            checker
                .key_fault(
                    region,
                    settings,
                    format!("unknown region `{region}` (only commercial regions are supported)"),
                )
                .hint = regions::nearest(region).map(|near| format!("did you mean `{near}`?"));
        }
    }
    for settings in file.regions.values() {
        endpoint::check(checker, &settings.value.server);
    }
    let overrides = file.regions.values().filter_map(|settings| settings.value.assume_role.as_ref());
    for role in file.assume_role.iter().chain(overrides) {
        assume_role::check(checker, role, &file.account.value);
    }
    let home = &file.home_region;
    if regions::exists(&home.value) && !file.regions.contains_key(&home.value) {
        checker.fault(home, format!("the home region {} is not among `regions`", home.value)).hint =
            Some(format!("add `{}: {{ server: false }}` there", home.value));
    }
}

fn clusters(checker: &mut Checker<'_>, file: &File) {
    let prefix = file.names.bucket_prefix.as_ref().map_or("pl-pt", |prefix| prefix.value.as_str());
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    if file.clusters.value.is_empty() {
        checker
            .fault(&file.clusters, "at least one cluster is needed: each has the bucket for its customers' files")
            .hint = Some("for example `99-0: us-west-2`".into());
    }
    role(checker, file, prefix);
    let events = file.files.events.unwrap_or_default();
    let (mut here, elsewhere) = if events { CLUSTER_RESOURCES_WITH_EVENTS } else { CLUSTER_RESOURCES };
    if let Some(asked) = file.files.history_events.as_ref().filter(|asked| asked.value) {
        here += HISTORY_RESOURCES;
        if !events {
            checker.fault(asked, "`history_events` needs `events: true`: the rules that send to its queue are those");
        }
    }
    for (cluster, region) in &file.clusters.value {
        if cluster.is_empty() {
            checker.key_fault(cluster, region, "a cluster needs a name").hint = Some("for example `99-0`".into());
        } else if let Some(message) = [cluster.as_str(), origin(file, cluster)]
            .iter()
            .find_map(|name| bucket_fault(&parts::upload_bucket(prefix, name)))
        {
            checker.key_fault(cluster, region, message).hint =
                Some("the name is `names.bucket_prefix`, the cluster and `-uploads`".into());
        }
        checker.region(region);
        if regions::exists(&region.value) && !file.regions.contains_key(&region.value) {
            checker
                .fault(region, format!("cluster {cluster} is in {}, which is not among `regions`", region.value))
                .hint = Some(format!("add `{}: {{ server: false }}` there, or move the cluster", region.value));
        }
        let (arrivals, has_arrivals) = arrivals::resources(&file.files.notify, cluster);
        let scans = malware::resources(file.files.malware_scan.as_ref(), cluster);
        let named = |name: fn(&str, &str) -> String| name(&file.environment.value, origin(file, cluster));
        let rules = [
            (events || has_arrivals).then(|| named(parts::longest_rule)),
            (scans > 0).then(|| named(parts::threats_rule)),
        ];
        if let Some(rule) = rules.into_iter().flatten().find(|rule| rule.len() > RULE_NAME) {
            let message =
                format!("the name `{rule}` is too long: EventBridge allows {RULE_NAME} characters for a rule");
            checker.key_fault(cluster, region, message).hint = Some(
                "shorten the cluster's name, or leave out `events`, `notify` and `malware_scan` of `files`".into(),
            );
        }
        let decrypted = decrypt::resources(&file.files.decrypt, cluster);
        for (of, settings) in &file.regions {
            let added = match *of == region.value {
                true => {
                    here + arrivals + scans + decrypted + s3_files::resources(&file.s3_files, &file.mounts, cluster)
                }
                false if settings.value.server.is_there() && has_arrivals => CLUSTER_RESOURCES_WITH_EVENTS.1,
                false if settings.value.server.is_there() => elsewhere,
                false => 0,
            };
            let saved = if file.logs.saved_queries { SAVED_QUERIES } else { 0 };
            let topic = file.alarms.email.as_ref().map_or(0, |addresses| ALARM_TOPIC + addresses.len());
            let others = OTHER_RESOURCES + saved + topic;
            let count = counts.entry(of).or_insert(others);
            let fitted = *count <= STACK_LIMIT;
            *count += added;
            if fitted && *count > STACK_LIMIT {
                let message = format!(
                    "{of} has more clusters than fit into one stack: CloudFormation allows {STACK_LIMIT} resources"
                );
                checker.key_fault(cluster, region, message);
            }
        }
    }
}

/// The name by which AWS has the resources of a cluster.
fn origin<'a>(file: &'a File, cluster: &'a str) -> &'a str {
    moved::of(&file.moved, cluster)
}

/// The user role lists every bucket, in as many policies as AWS allows for a role.
fn role(checker: &mut Checker<'_>, file: &File, prefix: &str) {
    let all: Vec<_> = file.clusters.value.iter().collect();
    let buckets: Vec<_> = all.iter().map(|(cluster, _)| parts::upload_bucket(prefix, origin(file, cluster))).collect();
    let parts = user_policies::parts(&buckets);
    let Some(part) = parts.get(user_policies::ATTACHED_AT_MOST) else { return };
    let (cluster, region) = all[part.start];
    let message = format!(
        "{} clusters are more than the user role's policies can name: {} fit into the {} policies that IAM allows for \
         a role",
        all.len(),
        part.start,
        user_policies::ATTACHED_AT_MOST
    );
    checker.key_fault(cluster, region, message).hint =
        Some("divide them among environments, each with a `names.user_role` of its own".into());
}

fn table(checker: &mut Checker<'_>, file: &File) {
    if let Some(name) = &file.table.name {
        let message = format!("invalid table name `{}` for DynamoDB", name.value);
        checker.matches(name, "^[A-Za-z0-9_.-]{3,255}$", message, "3 to 255 letters, digits, `_`, `.` and `-`");
    }
    let Some(regions) = &file.table.regions else { return };
    for (index, region) in regions.iter().enumerate() {
        checker.region(region);
        if regions[..index].iter().any(|earlier| earlier.value == region.value) {
            checker.fault(region, format!("{} is listed twice", region.value));
        }
    }
    let has = |name: &str| regions.iter().any(|region| region.value == name);
    if !has(&file.home_region.value) {
        checker
            .fault(&file.home_region, format!("the table has no replica in the home region {}", file.home_region.value))
            .hint = Some("add it to `table.regions`, or leave that setting out: the default is every region".into());
    }
    for (region, settings) in file.regions.iter().filter(|(_, settings)| settings.value.server.is_there()) {
        if !has(region) {
            checker.key_fault(region, settings, format!("{region} has a server but no replica of the table")).hint =
                Some("the authorizer reads the replica of its own region: add the region to `table.regions`".into());
        }
    }
}

fn names(checker: &mut Checker<'_>, file: &File) {
    if let Some(prefix) = &file.names.code_bucket_prefix {
        for region in file.regions.keys() {
            if let Some(message) = bucket_fault(&parts::code_bucket(&prefix.value, region)) {
                checker.fault(prefix, message).hint = Some("the name is this prefix and the region".into());
                break;
            }
        }
    }
    if let Some(role) = &file.names.user_role {
        let message = format!("invalid role name `{}` for IAM", role.value);
        checker.matches(role, "^[A-Za-z0-9_+=,.@-]{1,64}$", message, "1 to 64 letters, digits and `_+=,.@-`");
    }
    if let Some(policy) = &file.permissions_boundary {
        let message = format!("`{}` is not the ARN of a managed policy", policy.value);
        let pattern = "^arn:aws:iam::(aws|[0-9]{12}):policy/[A-Za-z0-9_+=,.@/-]{1,576}$";
        checker.matches(policy, pattern, message, "arn:aws:iam::<account>:policy/<name>");
    }
    if let Some(role) = &file.stack_role {
        let account = &file.account.value;
        let message = format!("`{}` is not the ARN of a role in account {account}", role.value);
        let pattern = format!("^arn:aws:iam::{}:role/[A-Za-z0-9_+=,.@/-]{{1,576}}$", regex_lite::escape(account));
        checker.matches(role, &pattern, message, &format!("arn:aws:iam::{account}:role/<name>"));
    }
    for region in file.regions.keys() {
        let name = parts::function(&file.environment.value, region);
        if name.len() > 64 {
            checker.fault(
                &file.environment,
                format!("the function name `{name}` has {} characters; Lambda allows 64", name.len()),
            );
            break;
        }
    }
}

fn security_policy(checker: &mut Checker<'_>, policy: &Spanned<String>) {
    let fits = Regex::new(POLICY_PATTERN).is_ok_and(|pattern| pattern.is_match(&policy.value));
    if !fits || policy.value.len() > POLICY_CHARACTERS {
        checker.one_of(policy, "security policy for Transfer Family", &POLICIES);
    }
}

/// The ports of a public server (Transfer API reference, `SftpPortWithOptions`).
fn listening(checker: &mut Checker<'_>, ports: &[Spanned<u32>], above: &Spanned<String>) {
    for (index, port) in ports.iter().enumerate() {
        if port.value != 22 && !(2000..=65_535).contains(&port.value) {
            checker.fault(port, format!("a server cannot listen on port {}", port.value)).hint =
                Some("AWS allows 22, and 2000 to 65535".into());
        }
        if ports[..index].iter().any(|earlier| earlier.value == port.value) {
            checker.fault(port, format!("port {} is listed twice", port.value));
        }
        if index == 3 {
            checker.fault(port, format!("{} ports are too many: AWS allows three", ports.len()));
        }
    }
    if ports.is_empty() {
        checker.fault(above, "`server.ports` names no port").hint =
            Some("name at least one, or leave the setting out to keep the ports that each server has".into());
    }
}

/// The `ignore` rules of `doctor`: known checks, regions of the file, reasons.
fn doctor(checker: &mut Checker<'_>, file: &File) {
    let codes: Vec<&str> = check::ALL.iter().map(|check| check.id).collect();
    for rule in &file.doctor.ignore {
        if rule.reason.value.trim().is_empty() {
            checker.fault(&rule.reason, "an `ignore` rule needs a `reason`").hint =
                Some("say why the finding does no harm".into());
        }
        if check::find(&rule.check.value).is_none() {
            checker.one_of(&rule.check, "check of `sftpctl doctor`", &codes);
        }
        if let Some(region) = rule.region.as_ref().filter(|region| !file.regions.contains_key(&region.value)) {
            checker.fault(region, format!("the environment has no region `{}`", region.value));
        }
    }
}

fn settings(checker: &mut Checker<'_>, file: &File) {
    for rule in &file.drift.ignore {
        if rule.reason.value.trim().is_empty() {
            checker.fault(&rule.reason, "an `ignore` rule needs a `reason`").hint =
                Some("say who changes it, and why that is right".into());
        }
        if !rule.resource.value.contains('/') {
            checker.fault(&rule.resource, format!("`{}` does not name a resource", rule.resource.value)).hint =
                Some("as `sftpctl drift` shows it: us-west-2/server, us-west-2/stack/Authorizer".into());
        }
    }
    if let Some(policy) = &file.server.security_policy {
        security_policy(checker, policy);
    }
    if let Some(ports) = &file.server.ports {
        listening(checker, ports, &file.home_region);
    }
    if let Some(role) = &file.server.logging_role {
        let message = format!("invalid role name `{}` for IAM", role.value);
        checker.matches(role, "^[A-Za-z0-9_+=,.@-]{1,64}$", message, "the name of a role, not its ARN");
    }
    if let Some(authentication) = &file.server.authentication {
        checker.one_of(
            authentication,
            "authentication method",
            &["PASSWORD", "PUBLIC_KEY", "PUBLIC_KEY_OR_PASSWORD", "PUBLIC_KEY_AND_PASSWORD"],
        );
    }
    for source in &file.server.host_keys {
        if HostKeySource::parse(&source.value).is_none() {
            // The value may be a private key, so neither the message nor its line shows it.
            let fault = checker.fault(source, "invalid location of a host key");
            fault.is_secret = true;
            fault.hint = Some("use file:PATH, secretsmanager:NAME or ssm:NAME".into());
        }
    }
    if let Some(usernames) = &file.accounts.usernames {
        checker.one_of(usernames, "comparison of user names", &["exact", "case-insensitive"]);
    }
    if let Some(accounts) = &file.accounts.per_organisation {
        checker.one_of(accounts, "number of accounts", &["one", "many"]);
    }
    checker.within(file.authorizer.memory_mb.as_ref(), "the authorizer's memory", 128, 10_240);
    checker.within(file.authorizer.timeout_seconds.as_ref(), "the authorizer's time-out", 1, 29);
    if let Some(architecture) = &file.authorizer.architecture {
        checker.one_of(architecture, "architecture for Lambda", &["x86_64", "arm64"]);
    }
    if let Some(home) = &file.authorizer.home {
        checker.one_of(home, "form of the home folder", &["path", "logical"]);
    }
    for name in file.authorizer.block_list.iter().flatten() {
        let message = format!("invalid user name `{}`", name.value);
        checker.matches(name, r"^[\w][\w@.-]{0,99}$", message, "letters, digits, `_`, `@`, `.` and `-`");
    }
    if let Some(list) = &file.authorizer.block_list {
        let size = list.iter().map(|name| name.value.len() + 1).sum::<usize>();
        let most = BLOCK_LIST - file.guard.as_ref().map_or(0, |guard| guard::characters(&guard.value).min(BLOCK_LIST));
        if let Some(name) = list.first().filter(|_| size > most) {
            let beside = if most < BLOCK_LIST { " beside the guard's rules" } else { "" };
            let message = format!("the block list has {size} characters; at most {most} fit{beside}");
            checker.fault(name, message).hint =
                Some("a Lambda function's environment variables may have 4,096 bytes in total".into());
        }
    }
    if let Some(days) = file.logs.retention_days.as_ref().filter(|days| !RETENTION.contains(&days.value)) {
        let near = RETENTION.iter().min_by_key(|known| known.abs_diff(days.value));
        checker
            .fault(days, format!("unsupported retention of {} in CloudWatch Logs", counted(days.value.into(), "day")))
            .hint = near.map(|near| format!("the nearest value that it allows is {near}"));
    }
    if let Some(days) = file.files.keep_old_versions_days.as_ref().filter(|days| !(1..=36_500).contains(&days.value)) {
        checker.fault(days, "old versions must be kept for 1 to 36500 days");
    }
    for (region, topic) in &file.alarms.topics {
        if !file.regions.contains_key(region) {
            checker.key_fault(region, topic, format!("{region} is not among `regions`"));
        }
        topics::arn(checker, topic, region);
    }
    topics::emails(checker, file.alarms.email.iter().flatten());
    asked_alarms(checker, file);
    if let Some(place) = &file.state.place
        && let Err(why) = place.value.parse::<StatePlace>()
    {
        checker.fault(place, format!("invalid place for the state: {why}"));
    }
    if let Some(seconds) = file.state.lease_seconds.as_ref().filter(|seconds| !(2..=900).contains(&seconds.value)) {
        checker.fault(seconds, "a lease must be 2 to 900 seconds");
    }
    // `unseen` is how long to search for a resource that an earlier run may have created.
    let mut known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.deadline().0).chain(["unseen"]).collect();
    let mut seen = BTreeSet::new();
    known.retain(|setting| seen.insert(*setting));
    for (kind, seconds) in &file.deadlines {
        if !known.contains(&kind.as_str()) {
            checker.key_fault(kind, seconds, format!("unknown deadline `{kind}`")).hint =
                Some(format!("the deadlines are: {}", known.join(", ")));
        }
    }
}

fn asked_alarms(checker: &mut Checker<'_>, file: &File) {
    let alarms = &file.alarms;
    // CloudWatch evaluates a day at most of periods below an hour (API reference, PutMetricAlarm, `EvaluationPeriods`).
    let is_whole = |minutes: u32| minutes.is_multiple_of(PERIOD_MINUTES) && (PERIOD_MINUTES..=1_440).contains(&minutes);
    if let Some(minutes) = alarms.no_log_in_minutes.as_ref().filter(|minutes| !is_whole(minutes.value)) {
        checker.fault(minutes, "minutes without a log-in must be a multiple of 5, from 5 to 1440");
    }
    if let Some(minutes) = alarms.no_canary_in_minutes.as_ref().filter(|minutes| !is_whole(minutes.value)) {
        checker.fault(minutes, "minutes without a canary must be a multiple of 5, from 5 to 1440").hint =
            Some("at least twice the interval of the scheduled `sftpctl verify --put-metric`".into());
    }
    if let Some(most) = alarms.replication_ms.as_ref().filter(|most| !(1..=3_600_000).contains(&most.value)) {
        checker.fault(most, "a write must take 1 to 3600000 milliseconds to another region");
    }
    if let Some(asked) = alarms.dead_letters.as_ref().filter(|asked| asked.value && !file.files.events.unwrap_or(false))
    {
        checker.fault(asked, "there are no queues without `files: { events: true }`");
    }
    if let Some(runbook) = &alarms.runbook {
        let message = format!("`{}` is not a URL of at most 500 characters", runbook.value);
        checker.matches(runbook, "^https?://[!-~]{1,490}$", message, "https://wiki.example.com/sftp");
    }
}

fn homes(checker: &mut Checker<'_>, file: &File) {
    let is_dots = |part: &str| part == "." || part == "..";
    if let Some(from) = &file.homes.from {
        match from.value.parse::<SftpAddress>() {
            Ok(SftpAddress { path: None, .. }) => {}
            Ok(_) => checker.fault(from, format!("`{}` has a path", from.value)).hint = Some("`root` says it".into()),
            Err(why) => {
                checker.fault(from, format!("invalid address `{}`: {why}", from.value)).hint =
                    Some("for example `sftp://root@old-server`".into());
            }
        }
    }
    if let Some(root) = &file.homes.root
        && (!root.value.starts_with('/') || root.value.split('/').any(is_dots) || root.value.contains(char::is_control))
    {
        checker.fault(root, format!("`{}` is not an absolute path without `..`", root.value)).hint =
            Some("for example `/home`".into());
    }
    if let Some(folder) = &file.homes.folder {
        let message = if folder.value.matches(Homes::ORG_ID).count() != 1 {
            format!("`{}` does not contain `{}` once", folder.value, Homes::ORG_ID)
        } else if folder.value.contains('/') || folder.value.contains(char::is_control) {
            format!("`{}` is not the name of one folder", folder.value)
        } else {
            return;
        };
        checker.fault(folder, message).hint = Some("for example `{orgid}` or `customer-{orgid}`".into());
    }
}

fn dns(checker: &mut Checker<'_>, file: &File) {
    let Some(dns) = &file.dns else { return };
    const NAME: &str = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])$";
    let message = format!("invalid DNS zone `{}`", dns.zone.value);
    checker.matches(&dns.zone, NAME, message, "for example xx.net: in lower case, without the final dot");
    if let Some(id) = &dns.zone_id {
        let message = format!("invalid hosted zone ID `{}`", id.value);
        checker.matches(id, "^[A-Z0-9]{1,32}$", message, "for example Z0123456789ABC, without /hostedzone/");
    }
    checker.within(dns.ttl.as_ref(), "the TTL", 1, 604_800);
    if let Some(pattern) =
        dns.customer_aliases.as_ref().filter(|pattern| !Pattern::is_valid(&pattern.value, &dns.zone.value))
    {
        checker.fault(pattern, format!("invalid pattern `{}` of customers' aliases", pattern.value)).hint =
            Some("for example `site-files-*` or `*.files`: in lower case, without the zone".into());
    }
    let stem = parts::stem(&file.environment.value, file.production);
    for (name, region) in &dns.aliases {
        if !name.ends_with(&format!(".{}", dns.zone.value)) || !Regex::new(NAME).is_ok_and(|r| r.is_match(name)) {
            checker.key_fault(name, region, format!("`{name}` is not a name in the zone {}", dns.zone.value));
        }
        let taken = file
            .regions
            .iter()
            .any(|(r, s)| s.value.server.is_there() && *name == parts::host(&stem, r, &dns.zone.value));
        if taken || (dns.latency && *name == parts::latency_host(&stem, &dns.zone.value)) {
            checker.key_fault(name, region, format!("`{name}` is already created automatically"));
        }
        if !file.regions.get(&region.value).is_some_and(|settings| settings.value.server.is_there()) {
            checker.fault(region, format!("{} has no server", region.value)).hint =
                Some("an alias must point to a region with `server: true`".into());
        }
    }
}

fn tags(checker: &mut Checker<'_>, file: &File) {
    for (index, (key, value)) in file.tags.iter().enumerate() {
        let lower = key.to_ascii_lowercase();
        if lower.starts_with("aws:") || lower.starts_with("sftpctl:") {
            checker.key_fault(
                key,
                value,
                format!("tags that begin with `{}:` are reserved", &lower[..lower.find(':').unwrap_or(0)]),
            );
        }
        if key.is_empty() || key.chars().count() > 128 || value.value.chars().count() > 256 {
            checker.key_fault(key, value, "a tag's key has 1 to 128 characters, its value at most 256");
        }
        // The characters that every service allows (AWS General Reference, "Tagging your AWS resources"); IAM and S3
        // refuse others.
        let odd = |c: &char| !(c.is_alphanumeric() || *c == ' ' || "_.:/=+-@".contains(*c));
        if let Some(bad) = key.chars().chain(value.value.chars()).find(odd) {
            checker.key_fault(key, value, format!("AWS does not allow `{bad}` in a tag")).hint =
                Some("use letters, digits, spaces and `_.:/=+-@`".into());
        }
        if index == 45 {
            checker.key_fault(key, value, "AWS allows 50 tags, and sftpctl needs five of them");
        }
    }
}
