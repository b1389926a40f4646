//! The file as it is written: serde types with positions. Pure.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::assume_role::Setting as AssumeRole;
use super::{account_defaults, arrivals, decrypt, endpoint, guard, malware, mounts, moved, notify, s3_files, ttl, waf};

/// An environment of sftpctl: regions, clusters and settings of one SFTP service on AWS.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Version of this format.
    #[schemars(with = "u32", range(min = 1, max = 1))]
    pub(super) version: Spanned<u32>,
    /// Name of the environment, as in `--env 99`. Part of most names in AWS.
    #[schemars(with = "String", regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9-]{0,19}$"))]
    pub(super) environment: Spanned<String>,
    /// The AWS account, 12 digits in quotes. sftpctl refuses to work in any other.
    #[schemars(with = "String", regex(pattern = r"^[0-9]{12}$"))]
    pub(super) account: Spanned<String>,
    /// Role that sftpctl assumes before it calls AWS: its ARN, or a mapping. Default: the credentials' own identity.
    #[schemars(with = "Option<AssumeRole>")]
    pub(super) assume_role: Option<Spanned<AssumeRole>>,
    /// Region where the account table is created and backed up.
    #[schemars(with = "String")]
    pub(super) home_region: Spanned<String>,
    /// Production: names without the environment's, protections on, teardown asks for the name.
    #[serde(default)]
    pub(super) production: bool,
    /// How long an environment lives that is thrown away, from the end of its last deployment on: `8h`, `7d`. After
    /// that `sftpctl teardown --expired` deletes it. Not in production. Default: it stays.
    #[schemars(with = "Option<ttl::Setting>")]
    pub(super) ttl: Option<Spanned<ttl::Setting>>,
    /// Every region with a stack.
    #[schemars(with = "BTreeMap<String, RegionSettings>")]
    pub(super) regions: BTreeMap<String, Spanned<RegionSettings>>,
    /// Customer clusters and the region of each one's upload bucket.
    #[schemars(with = "BTreeMap<String, String>")]
    pub(super) clusters: Spanned<BTreeMap<String, Spanned<String>>>,
    /// Clusters that have another name now, each with its old one. In AWS everything of such a cluster keeps the names
    /// that it has, first of all its bucket, since S3 renames none; so a line stays as long as its cluster.
    #[serde(default)]
    #[schemars(with = "Vec<moved::Setting>")]
    pub(super) moved: Vec<moved::Setting>,
    /// Names that differ from the convention.
    #[serde(default)]
    pub(super) names: Names,
    /// The account table.
    #[serde(default)]
    pub(super) table: Table,
    /// What the accounts of customers may be.
    #[serde(default)]
    pub(super) accounts: Accounts,
    /// What `sftpctl users add` gives a new account of a cluster where the command says nothing else.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, account_defaults::Setting>")]
    pub(super) defaults: account_defaults::Settings,
    /// Customers' files in the upload buckets.
    #[serde(default)]
    pub(super) files: Files,
    /// Where customers' home directories are on the old server.
    #[serde(default)]
    pub(super) homes: Homes,
    /// Upload buckets that are mounted on servers, by the role of the server, such as `main` or `agent`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Vec<mounts::Setting>>")]
    pub(super) mounts: mounts::Settings,
    /// Upload buckets that have a file system of Amazon S3 Files, by cluster, for mounts of the kind `s3files`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, s3_files::Setting>")]
    pub(super) s3_files: s3_files::Settings,
    /// DNS records; without it none are made.
    pub(super) dns: Option<Dns>,
    /// Settings of every Transfer server.
    #[serde(default)]
    pub(super) server: Server,
    /// Settings of the Lambda that decides on log-ins.
    #[serde(default)]
    pub(super) authorizer: Authorizer,
    /// Bans addresses that try passwords, in each region by itself. `guard: {}` takes the defaults. DynamoDB charges for a
    /// read with each log-in, and two writes with each refusal. Default: nobody is banned.
    #[schemars(with = "Option<guard::Setting>")]
    pub(super) guard: Option<Spanned<guard::Setting>>,
    /// AWS WAF in front of the API of each region with a server: limits log-ins of an address, and countries. `waf: {}` takes
    /// the defaults, which only count. AWS charges for a web ACL, its rules, and each log-in. Default: there is none.
    #[schemars(with = "Option<waf::Setting>")]
    pub(super) waf: Option<Spanned<waf::Setting>>,
    /// Log groups.
    #[serde(default)]
    pub(super) logs: Logs,
    /// CloudWatch alarms of each region.
    #[serde(default)]
    pub(super) alarms: Alarms,
    /// Whom the end of a `deploy`, `teardown`, `drift` or `verify` is told. Default: nobody.
    #[schemars(with = "Option<notify::Setting>")]
    pub(super) notify: Option<Spanned<notify::Setting>>,
    /// CloudWatch metrics that cost more than the rest of a log-in: each is billed by itself, month by month.
    #[serde(default)]
    pub(super) metrics: Metrics,
    /// Tags, put on everything that takes tags.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(super) tags: BTreeMap<String, Spanned<String>>,
    /// Where the state is kept, and its lock.
    #[serde(default)]
    pub(super) state: State,
    /// Changes by hand that `sftpctl drift` does not mind.
    #[serde(default)]
    pub(super) drift: Drift,
    /// ARN of a managed policy: the permissions boundary of every role that a deployment creates. Without it, whoever
    /// may deploy can gain every permission of the account.
    #[schemars(with = "Option<String>")]
    pub(super) permissions_boundary: Option<Spanned<String>>,
    /// ARN of a role that trusts CloudFormation, which works on the stacks with it. Default: with the permissions of
    /// whoever deploys. `sftpctl policy stack` prints what it needs.
    #[schemars(with = "Option<String>")]
    pub(super) stack_role: Option<Spanned<String>>,
    /// Findings that `sftpctl doctor` does not mind.
    #[serde(default)]
    pub(super) doctor: Doctor,
    /// Seconds to wait per kind: stack, server, table, replica, function, role, record, bucket, api, dashboard; `unseen` is how long
    /// to look for what an earlier run may have made.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, u64>")]
    pub(super) deadlines: BTreeMap<String, Spanned<u64>>,
}

/// State and lock.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// A folder, or `s3://BUCKET/PREFIX` (with `?region=REGION` outside of the home region), which pipelines share.
    /// Default `.sftpctl/state`.
    #[schemars(with = "Option<String>")]
    pub(super) place: Option<Spanned<String>>,
    /// KMS key that the bucket's objects are encrypted with. Default: the bucket's own encryption.
    pub(super) kms_key: Option<String>,
    /// Seconds after which the lock of a run that was killed is free, 2 to 900. Default 20.
    #[schemars(with = "Option<u64>")]
    pub(super) lease_seconds: Option<Spanned<u64>>,
}

/// Drift.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Drift {
    /// What is ignored, each with a reason.
    #[serde(default)]
    pub(super) ignore: Vec<DriftIgnore>,
}

/// One thing that `sftpctl drift` ignores.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DriftIgnore {
    /// Name of the resource as `sftpctl drift` shows it; one `*` at its end stands for anything.
    #[schemars(with = "String")]
    pub(super) resource: Spanned<String>,
    /// Property, with everything inside it. Default: the whole resource.
    pub(super) property: Option<String>,
    /// Why; shown with the drift.
    #[schemars(with = "String")]
    pub(super) reason: Spanned<String>,
}

/// Checks before a deployment.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Doctor {
    /// What is ignored, each with a reason.
    #[serde(default)]
    pub(super) ignore: Vec<DoctorIgnore>,
}

/// One check whose finding is ignored.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DoctorIgnore {
    /// Code of the check as `sftpctl doctor` shows it, or its number.
    #[schemars(with = "String")]
    pub(super) check: Spanned<String>,
    /// Region. Default: all.
    #[schemars(with = "Option<String>")]
    pub(super) region: Option<Spanned<String>>,
    /// Why; shown with the finding.
    #[schemars(with = "String")]
    pub(super) reason: Spanned<String>,
}

/// A region.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RegionSettings {
    /// Whether a Transfer server stands here, and where its endpoint is: `true`, or a mapping for fixed addresses. Without a
    /// mapping a new server is public, and an existing one keeps the endpoint that it has.
    #[serde(default)]
    pub(super) server: endpoint::Setting,
    /// Role for the calls of this region, instead of the environment's.
    #[schemars(with = "Option<AssumeRole>")]
    pub(super) assume_role: Option<Spanned<AssumeRole>>,
}

/// Names that differ from the convention.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Names {
    /// Upload buckets are `<bucket_prefix><cluster>-uploads`. Default `pl-pt`.
    #[schemars(with = "Option<String>")]
    pub(super) bucket_prefix: Option<Spanned<String>>,
    /// Code buckets are `<code_bucket_prefix>-<region>`. Default `lambda-pl-upload`.
    #[schemars(with = "Option<String>")]
    pub(super) code_bucket_prefix: Option<Spanned<String>>,
    /// The role that Transfer assumes for a customer. Default `sftp-transfer`.
    #[schemars(with = "Option<String>")]
    pub(super) user_role: Option<Spanned<String>>,
}

/// The account table.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    /// Default `dydb-<environment>-uploads`, in production `dydb-uploads`.
    #[schemars(with = "Option<String>")]
    pub(super) name: Option<Spanned<String>>,
    /// Regions with a replica, the home region included. Default: all regions.
    #[schemars(with = "Option<Vec<String>>")]
    pub(super) regions: Option<Vec<Spanned<String>>>,
    /// Point-in-time recovery in the home region. Default true.
    pub(super) point_in_time_recovery: Option<bool>,
    /// AWS refuses to delete a protected table. Default: true in production.
    pub(super) deletion_protection: Option<bool>,
}

/// What the accounts of customers may be.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Accounts {
    /// How a user name that a customer types is compared: `exact`, or `case-insensitive` (accounts are then stored in lower
    /// case, and `JAN` opens the account `jan`). Default `exact`.
    #[schemars(with = "Option<String>")]
    pub(super) usernames: Option<Spanned<String>>,
    /// Accounts that an organisation may have: `one` or `many`. `many` gives the table the sort key `username`, which only
    /// a new table can get. Default `one`.
    #[schemars(with = "Option<String>")]
    pub(super) per_organisation: Option<Spanned<String>>,
}

/// Customers' files in the upload buckets.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Files {
    /// Days that a version is kept after it was replaced or deleted, 1 to 36500. `sftpctl history` knows nothing that is
    /// older. Default: for ever.
    #[schemars(with = "Option<u32>")]
    pub(super) keep_old_versions_days: Option<Spanned<u32>>,
    /// Whether each cluster has an SQS queue that tells of new files, for `sftpctl pull --watch` and other programs. SQS
    /// and EventBridge charge for what passes it. Default false.
    pub(super) events: Option<bool>,
    /// Whether each cluster has a second queue with the same messages, for `sftpctl history watch --events`; needs `events`.
    /// Default false.
    #[schemars(with = "Option<bool>")]
    pub(super) history_events: Option<Spanned<bool>>,
    /// Who is told of each file that a customer uploads, by cluster: mail addresses, or whoever subscribes to a topic of SNS, which
    /// charges for messages and mails. Default: nobody.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, arrivals::Setting>")]
    pub(super) notify: arrivals::Settings,
    /// Whether Amazon GuardDuty scans new files for malware, at a price for each GB and each file. `malware_scan: {}`
    /// scans the files of every cluster. Default: nothing is scanned.
    pub(super) malware_scan: Option<malware::Setting>,
    /// Which files are decrypted with PGP when they arrive, by cluster, by a workflow of the server in the cluster's region; no
    /// other cluster may be there. Transfer Family charges for each GB. Default: none.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, decrypt::Setting>")]
    pub(super) decrypt: decrypt::Settings,
}

/// Home directories of the old server.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Homes {
    /// The machine that has them, as `sftp://USER@HOST:PORT`, where only the host is needed; `homes inventory`, `copy` and
    /// `verify` read them over SFTP. Default: the machine on which the commands run.
    #[schemars(with = "Option<String>")]
    pub(super) from: Option<Spanned<String>>,
    /// The folder that holds them. Default `/home`.
    #[schemars(with = "Option<String>")]
    pub(super) root: Option<Spanned<String>>,
    /// The name of one, with `{orgid}` for the organisation's ID. Default `{orgid}`.
    #[schemars(with = "Option<String>")]
    pub(super) folder: Option<Spanned<String>>,
}

/// DNS records.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Dns {
    /// Name of the Route 53 public hosted zone.
    #[schemars(with = "String")]
    pub(super) zone: Spanned<String>,
    /// Its id, where the account has several zones of one name.
    #[schemars(with = "Option<String>")]
    pub(super) zone_id: Option<Spanned<String>>,
    /// Seconds. Default 300.
    #[schemars(with = "Option<u32>")]
    pub(super) ttl: Option<Spanned<u32>>,
    /// One name over all servers, answered by latency. Default false: cross-region transfer costs money.
    #[serde(default)]
    pub(super) latency: bool,
    /// Further host names: full name and the region of the server it points to.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(super) aliases: BTreeMap<String, Spanned<String>>,
    /// Names of customers' host names in the zone, with one `*` in the place of the organisation's ID or a free label:
    /// those that `dns alias` may create, move and remove. Default `site-files-*`.
    #[schemars(with = "Option<String>")]
    pub(super) customer_aliases: Option<Spanned<String>>,
}

/// Settings of every Transfer server.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    /// Default `TransferSecurityPolicy-2025-03`. Old clients may need an older one: `sftpctl clients` shows whether
    /// customers have them. A policy that this sftpctl does not know yet is passed on, with a warning.
    #[schemars(with = "Option<String>")]
    pub(super) security_policy: Option<Spanned<String>>,
    /// Name of an existing role for Transfer's legacy logs, instead of structured logs.
    #[schemars(with = "Option<String>")]
    pub(super) logging_role: Option<Spanned<String>>,
    /// How customers log in: `PASSWORD`, `PUBLIC_KEY`, `PUBLIC_KEY_OR_PASSWORD` or `PUBLIC_KEY_AND_PASSWORD`.
    /// Default `PASSWORD`.
    #[schemars(with = "Option<String>")]
    pub(super) authentication: Option<Spanned<String>>,
    /// Ports that every server listens on: 22 or 2000 to 65535, up to three. Without it each server keeps those that it
    /// has; AWS opens 22 on a new one.
    #[schemars(with = "Option<Vec<u16>>")]
    pub(super) ports: Option<Vec<Spanned<u32>>>,
    /// Private host keys that every server presents, so that customers keep trusting it: `file:PATH`,
    /// `secretsmanager:NAME` or `ssm:NAME` (both in the home region). A key whose line goes is taken away with the next
    /// deployment, other people's keys of other kinds stay. Without any, each server keeps the keys that it has.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(super) host_keys: Vec<Spanned<String>>,
}

/// Settings of the Lambda.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Authorizer {
    /// MB, 128 to 10240; processor time is in proportion. Default 512.
    #[schemars(with = "Option<u32>")]
    pub(super) memory_mb: Option<Spanned<u32>>,
    /// Seconds, 1 to 29. Default 10.
    #[schemars(with = "Option<u32>")]
    pub(super) timeout_seconds: Option<Spanned<u32>>,
    /// Concurrent log-ins at most. Default: the account's pool is shared.
    pub(super) reserved_concurrency: Option<u32>,
    /// User names refused before any look-up. Default: the names that bots try.
    #[schemars(with = "Option<Vec<String>>")]
    pub(super) block_list: Option<Vec<Spanned<String>>>,
    /// `x86_64` or `arm64`. Default `x86_64`.
    #[schemars(with = "Option<String>")]
    pub(super) architecture: Option<Spanned<String>>,
    /// How customers see their folder: `path` as `/bucket/folder`, `logical` as `/`. Default `path`.
    #[schemars(with = "Option<String>")]
    pub(super) home: Option<Spanned<String>>,
}

/// Log groups.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Logs {
    /// Days; one of the values that CloudWatch Logs takes. Default 90.
    #[schemars(with = "Option<u32>")]
    pub(super) retention_days: Option<Spanned<u32>>,
    /// Save queries of CloudWatch Logs Insights in each region: refusals, uploads, slow log-ins, clients. They are free
    /// until they run. Default false: the role that deploys needs `logs:PutQueryDefinition`.
    #[serde(default)]
    pub(super) saved_queries: bool,
}

/// CloudWatch alarms.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Alarms {
    /// SNS topic per region: region and ARN.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(super) topics: BTreeMap<String, Spanned<String>>,
    /// Mail addresses that alarms tell, by a topic in the stack of each region that `topics` does not name. Each address
    /// gets a mail from every region, and must confirm it. An empty list makes the topics alone.
    #[schemars(with = "Option<Vec<String>>")]
    pub(super) email: Option<Vec<Spanned<String>>>,
    /// Failed invocations of the authorizer in five minutes. Default 1.
    pub(super) authorizer_errors: Option<u32>,
    /// Throttled invocations in five minutes. Default 1.
    pub(super) authorizer_throttles: Option<u32>,
    /// 99th percentile of the duration in milliseconds. Default 3000.
    pub(super) authorizer_duration_ms: Option<u32>,
    /// 5xx answers of the API in five minutes. Default 1.
    pub(super) api_5xx: Option<u32>,
    /// Minutes without a log-in in a region with a server: a multiple of 5, at most a day. Without it there is no such alarm,
    /// which is billed in each region, as is its metric.
    #[schemars(with = "Option<u32>")]
    pub(super) no_log_in_minutes: Option<Spanned<u32>>,
    /// Minutes without a canary that `sftpctl verify --put-metric` reported as admitted, in a region with a server: a multiple of
    /// 5, at most a day. Without it there is no such alarm, which is billed in each region, as is its metric.
    #[schemars(with = "Option<u32>")]
    pub(super) no_canary_in_minutes: Option<Spanned<u32>>,
    /// Milliseconds that a write of the home region takes to another on average, for fifteen minutes. Without it there is no
    /// such alarm, which is billed for each other region.
    #[schemars(with = "Option<u32>")]
    pub(super) replication_ms: Option<Spanned<u32>>,
    /// Whether messages in the queues of dead letters raise an alarm, which is billed for each cluster; needs `files.events`.
    /// Default false.
    #[schemars(with = "Option<bool>")]
    pub(super) dead_letters: Option<Spanned<bool>>,
    /// URL of the page that says what to do, in the text of every alarm.
    #[schemars(with = "Option<String>")]
    pub(super) runbook: Option<Spanned<String>>,
}

/// What CloudWatch shows for a price.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Metrics {
    /// One metric for each reason of a refusal instead of one for all. Default false: the authorizer's log has the reasons.
    #[serde(default)]
    pub(super) refusal_reasons: bool,
    /// API Gateway's detailed metrics, for each method. Default false: those of the stage, which the alarm uses, are free.
    #[serde(default)]
    pub(super) api_methods: bool,
    /// A CloudWatch dashboard of all regions. Default false: the first three of an AWS account are free, each further one is
    /// 3 USD a month.
    #[serde(default)]
    pub(super) dashboard: bool,
}
