//! The settings of `environments/<env>.yaml`, with defaults filled in.
//!
//! These are plain values; `spec::load` reads them from YAML and reports their faults.

use std::collections::BTreeMap;

use crate::check::CheckIgnore;
use crate::spec::account_defaults::AccountDefaults;
use crate::spec::arrivals::Arrivals;
use crate::spec::assume_role::AssumeRole;
use crate::spec::decrypt::Decrypt;
use crate::spec::endpoint::{Endpoint, VpcEndpoint};
use crate::spec::guard::Guard;
use crate::spec::ignore::Ignore;
use crate::spec::malware::MalwareScan;
use crate::spec::mounts::Mount;
use crate::spec::moved;
use crate::spec::notify::Notify;
use crate::spec::s3_files::FileSystem;
use crate::spec::sftp_address::SftpAddress;
use crate::spec::state_place::StatePlace;
use crate::spec::ttl::Ttl;
use crate::spec::waf::Waf;

/// An environment: the input of a deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct Environment {
    /// Name of the environment, as in `--env 99`; part of most resource names.
    pub name: String,
    /// The only AWS account that it may be deployed to, 12 digits.
    pub account: String,
    /// The role that is assumed before AWS is called; `None` uses the credentials as they are.
    pub assume_role: Option<AssumeRole>,
    /// Region in which the global table is created and backed up.
    pub home_region: String,
    /// Whether a teardown asks for its name, and whether protections are on by default.
    pub production: bool,
    /// How long it lives after a deployment; `None` keeps it.
    pub ttl: Option<Ttl>,
    /// Every region with a stack. At least the home region.
    pub regions: BTreeMap<String, Region>,
    /// Customer clusters (`99-5`), each with one upload bucket.
    pub clusters: BTreeMap<String, Cluster>,
    /// The former names of clusters that were renamed, by the name that followed.
    pub moved: BTreeMap<String, String>,
    /// Names that differ from the convention.
    pub names: Names,
    pub table: Table,
    /// What the accounts of customers may be.
    pub accounts: Accounts,
    /// What new accounts get, by cluster.
    pub defaults: BTreeMap<String, AccountDefaults>,
    pub files: Files,
    /// Who is told of arriving files, by cluster.
    pub arrivals: BTreeMap<String, Arrivals>,
    /// How new files are scanned for malware, by cluster.
    pub malware_scan: BTreeMap<String, MalwareScan>,
    /// Which arriving files are decrypted, by cluster.
    pub decrypt: BTreeMap<String, Decrypt>,
    /// Where customers' home directories are on the old server.
    pub homes: Homes,
    /// Mounts of upload buckets, by the role of the server.
    pub mounts: BTreeMap<String, Vec<Mount>>,
    /// File systems over upload buckets, by cluster.
    pub s3_files: BTreeMap<String, FileSystem>,
    /// `None` deploys no DNS records.
    pub dns: Option<Dns>,
    /// Settings of every Transfer server.
    pub server: Server,
    /// Settings of the Lambda that decides on log-ins.
    pub authorizer: Authorizer,
    /// Bans of addresses that try passwords; `None` bans nobody.
    pub guard: Option<Guard>,
    /// The web ACL in front of the API of each region with a server.
    pub waf: Option<Waf>,
    pub logs: Logs,
    pub alarms: Alarms,
    /// Whom the end of a run is told; `None` tells nobody.
    pub notify: Option<Notify>,
    /// CloudWatch metrics that cost extra.
    pub metrics: Metrics,
    /// Tags of the user, put on everything that takes tags.
    pub tags: BTreeMap<String, String>,
    /// The place of the state, and its lock.
    pub state: State,
    /// Rules for drift to ignore.
    pub drift: Vec<Ignore>,
    /// ARN of the managed policy that limits every role of the environment.
    pub permissions_boundary: Option<String>,
    /// ARN of the role with which CloudFormation works on the stacks; without it, it uses the caller's permissions.
    pub stack_role: Option<String>,
    /// Findings of `doctor` that are ignored.
    pub doctor: Vec<CheckIgnore>,
    /// How long to wait, per kind of resource (seconds); absent kinds use the built-in deadline.
    pub deadlines: BTreeMap<String, u64>,
}

impl Environment {
    /// Whether the file says where a server's endpoint is: in a VPC, or in none any more.
    pub fn names_endpoints(&self) -> bool {
        self.regions.values().any(|region| region.endpoint.is_some())
    }

    /// Whether the stacks have topics of SNS.
    pub fn has_topics(&self) -> bool {
        self.alarms.email.is_some() || self.arrivals.values().any(|arrivals| arrivals.topic.is_none())
    }

    /// Whether the region is that of the cluster.
    pub fn is_in(&self, cluster: &str, region: &str) -> bool {
        self.clusters.get(cluster).is_some_and(|cluster| cluster.region == region)
    }

    /// Limits the environment to one of its clusters. Returns whether it has that one.
    pub fn only_cluster(&mut self, cluster: &str) -> bool {
        self.clusters.retain(|name, _| name == cluster);
        self.s3_files.retain(|name, _| name == cluster);
        self.arrivals.retain(|name, _| name == cluster);
        self.malware_scan.retain(|name, _| name == cluster);
        self.decrypt.retain(|name, _| name == cluster);
        !self.clusters.is_empty()
    }

    /// The name by which AWS has the resources of a cluster: its own, or the first that it had.
    pub fn origin<'a>(&'a self, cluster: &'a str) -> &'a str {
        moved::origin(cluster, |name| self.moved.get(name).map(String::as_str), self.moved.len())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct State {
    /// Where it is kept, unless the command line sets another place.
    pub place: Option<StatePlace>,
    /// KMS key that encrypts the objects.
    pub kms_key: Option<String>,
    /// Seconds after which the lock of a run that was killed is free.
    pub lease_seconds: Option<u64>,
}

/// A region of the environment.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Region {
    /// Whether the region has a Transfer server.
    pub server: bool,
    /// Where its endpoint is; `None` leaves a server where it is, and creates a public one.
    pub endpoint: Option<Endpoint>,
    /// The role for the calls of this region, instead of the environment's.
    pub assume_role: Option<AssumeRole>,
}

impl Region {
    /// The server's endpoint, if the file wants it in a VPC.
    pub fn vpc_endpoint(&self) -> Option<&VpcEndpoint> {
        match &self.endpoint {
            Some(Endpoint::Vpc(endpoint)) if self.server => Some(endpoint),
            _ => None,
        }
    }
}

/// A cluster of customers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Region of its upload bucket.
    pub region: String,
}

/// Prefixes and names that are not derived from the environment's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// Upload buckets are `<bucket_prefix><cluster>-uploads`. Default `pl-pt`.
    pub bucket_prefix: String,
    /// Code buckets are `<code_bucket_prefix>-<region>`. Default `lambda-pl-upload`.
    pub code_bucket_prefix: String,
    /// The role that Transfer assumes for a customer. Default `sftp-transfer`.
    pub user_role: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Default: `dydb-<env>-uploads`, in production `dydb-uploads`.
    pub name: String,
    /// Regions with a replica, the home region included. Default: every region of the environment.
    pub regions: Vec<String>,
    /// Point-in-time recovery in the home region. Default true.
    pub point_in_time_recovery: bool,
    /// Default: true in production.
    pub deletion_protection: bool,
}

/// Customers' files in the upload buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// Days that a version is kept after it was replaced or deleted; `None` keeps it for ever.
    pub keep_old_versions_days: Option<u32>,
    /// Whether each cluster has a queue that tells of new files. Default false.
    pub events: bool,
    /// Whether each cluster has another queue with the same messages, for `history watch`. Default false.
    pub history_events: bool,
}

/// What the accounts of customers may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accounts {
    /// How user names are compared: `exact`, or `case-insensitive` (stored in lower case). Default `exact`.
    pub usernames: String,
    /// Whether an organisation may have several accounts; the table then has the sort key `username`. Default false.
    pub many_per_organisation: bool,
}

/// Home directories of the old server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Homes {
    /// The machine that has them, which is asked over SFTP. `None`: this machine.
    pub from: Option<SftpAddress>,
    /// The folder that holds them. Default `/home`.
    pub root: String,
    /// The name of one, with [`Homes::ORG_ID`] for the organisation's ID. Default `{orgid}`.
    pub folder: String,
}

impl Homes {
    /// What stands for an organisation's ID in the name of its home directory.
    pub const ORG_ID: &str = "{orgid}";

    /// The name of an organisation's home directory.
    pub fn folder_of(&self, org_id: i64) -> String {
        self.folder.replace(Self::ORG_ID, &org_id.to_string())
    }

    /// The organisation whose home directory has this name.
    pub fn org_of(&self, folder: &str) -> Option<i64> {
        let (before, after) = self.folder.split_once(Self::ORG_ID)?;
        let org_id = folder.strip_prefix(before)?.strip_suffix(after)?.parse().ok()?;
        // Not `+7` or `007`.
        (self.folder_of(org_id) == folder).then_some(org_id)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    /// Name of the Route 53 public hosted zone, without the last dot.
    pub zone: String,
    /// Its ID, if the account has several zones of this name.
    pub zone_id: Option<String>,
    /// Seconds. Default 300.
    pub ttl: u32,
    /// Latency records `<env>-uploads.<zone>` over all servers. Default false: cross-region transfer costs money.
    pub latency: bool,
    /// Per-cluster aliases: full host name (within the zone) -> region of the server it points to. Default none.
    pub aliases: BTreeMap<String, String>,
    /// Customers' host names, one for each organisation: a name in the zone with one `*`. Default `site-files-*`.
    pub customer_aliases: String,
}

/// Settings of every Transfer server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Default `TransferSecurityPolicy-2025-03`.
    pub security_policy: String,
    /// Name of an existing IAM role for Transfer's legacy logs; structured logs are used without it.
    pub logging_role: Option<String>,
    /// `PASSWORD`, `PUBLIC_KEY`, `PUBLIC_KEY_OR_PASSWORD` or `PUBLIC_KEY_AND_PASSWORD`. Default `PASSWORD`.
    pub authentication: String,
    /// Ports that every server listens on, ascending; none leaves each server what it has.
    pub ports: Vec<u16>,
    /// Where private host keys are that every server presents; none leaves each server what it has.
    pub host_keys: Vec<HostKeySource>,
}

impl Server {
    /// Whether customers can log in with a key.
    pub fn takes_keys(&self) -> bool {
        self.authentication != "PASSWORD"
    }

    /// What an account lacks that every log-in needs; `None` if it has all. A server that takes keys *and* passwords
    /// wants both from everybody.
    pub fn missing_method(&self, has_password: bool, has_keys: bool) -> Option<&'static str> {
        match self.authentication.as_str() {
            "PASSWORD" if !has_password => Some("the servers take passwords only, and it has none"),
            "PUBLIC_KEY" if !has_keys => Some("the servers take public keys only, and it has none"),
            "PUBLIC_KEY_AND_PASSWORD" if !(has_password && has_keys) => {
                Some("the servers want a public key and a password, and it lacks one of them")
            }
            _ if !has_password && !has_keys => Some("it has neither a password nor a public key"),
            _ => None,
        }
    }
}

/// Where a private host key is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostKeySource {
    /// A file on this machine.
    File(String),
    /// A secret of Secrets Manager in the home region: its name or ARN.
    Secret(String),
    /// A parameter of Systems Manager in the home region.
    Parameter(String),
}

impl HostKeySource {
    /// Reads `file:…`, `secretsmanager:…`, `ssm:…`.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        // A pasted key is not a location, and would be shown as one.
        let rest = Some(rest.to_owned()).filter(|rest| !rest.is_empty() && !rest.contains("-----BEGIN"))?;
        match kind {
            "file" => Some(Self::File(rest)),
            "secretsmanager" => Some(Self::Secret(rest)),
            "ssm" => Some(Self::Parameter(rest)),
            _ => None,
        }
    }
}

impl std::fmt::Display for HostKeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{path}"),
            Self::Secret(name) => write!(f, "secretsmanager:{name}"),
            Self::Parameter(name) => write!(f, "ssm:{name}"),
        }
    }
}

/// Settings of the Lambda.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorizer {
    /// MB, 128 to 10240. Default 512.
    pub memory_mb: u32,
    /// Seconds, 1 to 29 (API Gateway waits no longer). Default 10.
    pub timeout_seconds: u32,
    /// Maximum number of concurrent log-ins; `None` shares the account's pool.
    pub reserved_concurrency: Option<u32>,
    /// User names refused before any look-up, case-insensitive.
    pub block_list: Vec<String>,
    /// `x86_64` or `arm64`. Default `x86_64`.
    pub architecture: String,
    /// How customers see their folder: `path` as `/bucket/folder`, `logical` as `/`. Default `path`.
    pub home: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logs {
    /// Days; one of the values that CloudWatch Logs allows. Default 90.
    pub retention_days: u32,
    /// Whether each region has saved queries of CloudWatch Logs Insights. Default false.
    pub saved_queries: bool,
}

/// What CloudWatch shows for a price. All default to false.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Metrics {
    /// One metric for each reason of a refusal instead of one for all.
    pub refusal_reasons: bool,
    /// API Gateway's metrics for each method.
    pub api_methods: bool,
    /// A dashboard of all regions.
    pub dashboard: bool,
}

/// CloudWatch alarms of each region.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarms {
    /// Region -> ARN of its SNS topic.
    pub topics: BTreeMap<String, String>,
    /// Mail addresses of the topics that the stacks of the other regions have. `None`: these have no topic, and their
    /// alarms send no notification.
    pub email: Option<Vec<String>>,
    /// Failed invocations of the authorizer in five minutes. Default 1.
    pub authorizer_errors: u32,
    /// Throttled invocations in five minutes. Default 1.
    pub authorizer_throttles: u32,
    /// p99 duration, milliseconds. Default 3000.
    pub authorizer_duration_ms: u32,
    /// 5xx responses of the API in five minutes. Default 1.
    pub api_5xx: u32,
    /// Minutes without a log-in; `None` for no alarm.
    pub no_log_in_minutes: Option<u32>,
    /// Minutes without an admitted canary of `verify --put-metric`; `None` for no alarm.
    pub no_canary_in_minutes: Option<u32>,
    /// Milliseconds that a write takes to another region; `None` for no alarm.
    pub replication_ms: Option<u32>,
    /// Whether messages in the queues of dead letters raise an alarm.
    pub dead_letters: bool,
    /// A URL in the text of every alarm.
    pub runbook: Option<String>,
}
