//! The ARNs of an environment's resources, as patterns over its regions and clusters.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::spec::decrypt::default_secret;
use crate::spec::model::{Dns, Environment, Region};
use crate::spec::names;
use crate::template::given_topics;

/// Patterns for upload buckets in a policy; more are replaced by one over all clusters.
const BUCKET_PATTERNS: usize = 6;
/// Regions in a policy; more are replaced by patterns such as `eu-*`.
const REGIONS: usize = 6;
/// VPCs, subnets and security groups in a policy; more are replaced by patterns over all of them.
const NETWORK_PARTS: usize = 24;
/// Aliases in a policy; more are replaced by a pattern over the zone.
const ALIASES: usize = 3;
/// Topics of others in a policy; more are replaced by a pattern over all of them.
const GIVEN_TOPICS: usize = 6;
/// Characters of a stack's name that begin the name of a role in it, at least: CloudFormation shortens the names of
/// stack and resource to fit 64 characters (from experience; its user guide does not say how).
const STACK_IN_ROLE: usize = 24;

/// The environment's ARNs.
pub(super) struct Arns<'a>(pub(super) &'a Environment);

/// A VPC or a subnet, which may be another account's that shares it (AWS RAM).
fn network_part(part: &str) -> String {
    format!("arn:aws:ec2:*:*:{part}")
}

impl Arns<'_> {
    fn in_every_region(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:*:{}:{resource}", self.0.account)
    }

    pub(super) fn any_stack(&self) -> String {
        self.in_every_region("cloudformation", "stack/*")
    }

    pub(super) fn stacks(&self) -> String {
        self.in_every_region("cloudformation", &format!("stack/{}/*", names::stack(self.0, "*")))
    }

    /// The environment's regions, or patterns over them.
    pub(super) fn regions(&self) -> Vec<String> {
        let regions = self.0.regions.keys();
        if regions.len() <= REGIONS {
            return regions.cloned().collect();
        }
        let areas = regions.map(|region| format!("{}-*", region.split('-').next().unwrap_or_default()));
        areas.collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn role(&self, name: &str) -> String {
        format!("arn:aws:iam::{}:role/{name}", self.0.account)
    }

    /// The roles that the stacks create, which CloudFormation names.
    pub(super) fn stack_roles(&self) -> String {
        let stack = names::stack(self.0, "");
        self.role(&format!("{}*", &stack[..stack.len().min(STACK_IN_ROLE)]))
    }

    pub(super) fn user_role(&self) -> String {
        self.role(&self.0.names.user_role)
    }

    pub(super) fn api_log_role(&self) -> String {
        self.role(&names::api_log_role(self.0))
    }

    pub(super) fn logging_role(&self) -> Option<String> {
        self.0.server.logging_role.as_ref().map(|name| self.role(name))
    }

    /// Every role of the environment.
    pub(super) fn roles(&self) -> [String; 3] {
        [self.stack_roles(), self.user_role(), self.api_log_role()]
    }

    /// Every role of the account.
    pub(super) fn any_role(&self) -> String {
        self.role("*")
    }

    /// The user role's managed policies.
    pub(super) fn user_policies(&self) -> String {
        format!("arn:aws:iam::{}:policy/{}*", self.0.account, names::user_policy(self.0))
    }

    /// Every managed policy: AWS's, and those of the account.
    pub(super) fn any_policy(&self) -> [String; 2] {
        ["arn:aws:iam::aws:policy/*".to_owned(), format!("arn:aws:iam::{}:policy/*", self.0.account)]
    }

    /// What Transfer Family asks the API, of whatever ID.
    pub(super) fn authorizer_paths(&self) -> String {
        self.in_every_region("execute-api", "*/prod/GET/servers/*/users/*/config")
    }

    pub(super) fn functions(&self) -> String {
        self.in_every_region("lambda", &format!("function:{}", names::function(self.0, "*")))
    }

    /// The secrets for imports, by the beginning of their names.
    pub(super) fn import_secrets(&self) -> String {
        let Environment { home_region, account, name, .. } = self.0;
        format!("arn:aws:secretsmanager:{home_region}:{account}:secret:sftpctl/{name}/*")
    }

    pub(super) fn table(&self) -> String {
        self.in_every_region("dynamodb", &format!("table/{}", self.0.table.name))
    }

    /// The guard's tables.
    pub(super) fn guard_table(&self) -> String {
        self.in_every_region("dynamodb", &format!("table/{}", names::guard_table(self.0)))
    }

    /// The table in the home region, where it is written.
    pub(super) fn home_table(&self) -> String {
        let Environment { home_region, account, table, .. } = self.0;
        format!("arn:aws:dynamodb:{home_region}:{account}:table/{}", table.name)
    }

    /// The table and its indexes.
    pub(super) fn table_and_indexes(&self) -> [String; 2] {
        [self.table(), format!("{}/index/*", self.table())]
    }

    pub(super) fn global_table(&self) -> String {
        format!("arn:aws:dynamodb::{}:global-table/{}", self.0.account, self.0.table.name)
    }

    pub(super) fn log_groups(&self) -> Vec<String> {
        let mut names = names::log_groups(self.0, "*");
        names.extend([names::server_log_group("s-*"), names::execution_log_group("*")]);
        // Some actions are authorized on the name followed by `:*`.
        let pattern = |name: &String| format!("log-group:{}*", name.trim_end_matches('*'));
        names.iter().map(|name| self.in_every_region("logs", &pattern(name))).collect()
    }

    /// The servers' structured logs.
    pub(super) fn server_logs(&self) -> [String; 1] {
        [self.in_every_region("logs", &format!("log-group:{}:*", names::transfer_log_group(self.0, "*")))]
    }

    /// The servers' structured logs, and those of the authorizers.
    pub(super) fn activity_logs(&self) -> [String; 2] {
        let [servers] = self.server_logs();
        [servers, self.in_every_region("logs", &format!("log-group:{}:*", names::function_log_group(self.0, "*")))]
    }

    pub(super) fn any_log_group(&self) -> String {
        self.in_every_region("logs", "log-group:*")
    }

    pub(super) fn alarms(&self) -> String {
        self.in_every_region("cloudwatch", &format!("alarm:{}-upload-*", self.0.name))
    }

    pub(super) fn any_alarm(&self) -> String {
        self.in_every_region("cloudwatch", "alarm:*")
    }

    /// The dashboard, which belongs to no region.
    pub(super) fn dashboard(&self) -> String {
        format!("arn:aws:cloudwatch::{}:dashboard/{}", self.0.account, names::dashboard(self.0))
    }

    /// The queues for events, and those of their dead letters.
    pub(super) fn queues(&self) -> String {
        self.in_every_region("sqs", &format!("{}*", names::events_queue(self.0, "*")))
    }

    /// The queues for events, by name for an environment that was limited to one cluster.
    pub(super) fn clusters_queues(&self) -> String {
        let cluster = match self.0.clusters.keys().collect::<Vec<_>>().as_slice() {
            [cluster] => cluster,
            _ => "*",
        };
        self.in_every_region("sqs", &names::events_queue(self.0, cluster))
    }

    /// The queues for events of `history watch`.
    pub(super) fn history_queues(&self) -> String {
        self.in_every_region("sqs", &names::history_queue(self.0, "*"))
    }

    /// Topics that the stacks have.
    pub(super) fn topics(&self) -> String {
        self.in_every_region("sns", &format!("{}-upload-*", self.0.name))
    }

    /// Existing topics that the stacks' rules publish to; with many of them, every topic of the account.
    pub(super) fn given_topics(&self) -> Vec<String> {
        let regions = self.0.regions.keys();
        let all: BTreeSet<&str> = regions.flat_map(|region| given_topics(self.0, region)).collect();
        match all.len() {
            0..=GIVEN_TOPICS => all.into_iter().map(str::to_owned).collect(),
            _ => vec![self.in_every_region("sns", "*")],
        }
    }

    /// The rules for events.
    pub(super) fn rules(&self) -> String {
        self.in_every_region("events", &format!("rule/{}-*", names::events_queue(self.0, "*")))
    }

    /// Every rule of the account's default buses.
    pub(super) fn any_rule(&self) -> String {
        self.in_every_region("events", "rule/*")
    }

    /// The rules by which Amazon S3 Files learns of changes in buckets.
    pub(super) fn rules_of_s3_files(&self) -> String {
        self.in_every_region("events", "rule/DO-NOT-DELETE-S3-Files*")
    }

    /// The rules by which GuardDuty learns of new objects.
    pub(super) fn rules_of_guardduty(&self) -> String {
        self.in_every_region("events", "rule/DO-NOT-DELETE-AmazonGuardDutyMalwareProtectionS3*")
    }

    /// Plans of Malware Protection for S3.
    pub(super) fn malware_plans(&self) -> String {
        self.in_every_region("guardduty", "malware-protection-plan/*")
    }

    /// Web ACLs of the environment, and their sets of addresses.
    pub(super) fn web_acls(&self) -> [String; 2] {
        let stem = names::web_acl(self.0, "*");
        ["webacl", "ipset"].map(|kind| self.in_every_region("wafv2", &format!("regional/{kind}/{stem}/*")))
    }

    /// Both, in one pattern.
    pub(super) fn web_acls_and_sets(&self) -> String {
        self.in_every_region("wafv2", &format!("regional/*/{}/*", names::web_acl(self.0, "*")))
    }

    pub(super) fn any_user(&self) -> String {
        format!("arn:aws:iam::{}:user/*", self.0.account)
    }

    pub(super) fn any_quota(&self) -> String {
        self.in_every_region("servicequotas", "*")
    }

    /// File systems of Amazon S3 Files, and their access points.
    pub(super) fn file_systems(&self) -> String {
        self.in_every_region("s3files", "file-system/*")
    }

    /// What a network interface is made in and of.
    pub(super) fn network(&self) -> [String; 3] {
        ["network-interface/*", "security-group/*", "subnet/*"].map(|resource| self.in_every_region("ec2", resource))
    }

    /// Elastic IP addresses.
    pub(super) fn elastic_ips(&self) -> String {
        self.in_every_region("ec2", "elastic-ip/*")
    }

    pub(super) fn security_groups(&self) -> String {
        self.in_every_region("ec2", "security-group/*")
    }

    /// VPCs of the file in which security groups are created.
    pub(super) fn vpcs(&self) -> Vec<String> {
        let endpoints = self.0.regions.values().filter_map(Region::vpc_endpoint);
        let vpcs: BTreeSet<_> = endpoints.map(|endpoint| format!("vpc/{}", endpoint.vpc)).collect();
        let vpcs = if vpcs.is_empty() { BTreeSet::from(["vpc/*".to_owned()]) } else { vpcs };
        vpcs.iter().map(|vpc| network_part(vpc)).collect()
    }

    pub(super) fn network_interfaces(&self) -> String {
        self.in_every_region("ec2", "network-interface/*")
    }

    /// The endpoints of servers, and what they are made in and of. Of an environment that names none in its file, those
    /// that it could name.
    pub(super) fn endpoint_parts(&self) -> Vec<String> {
        let endpoints: Vec<_> = self.0.regions.values().filter_map(Region::vpc_endpoint).collect();
        let mut named: BTreeSet<String> = endpoints.iter().map(|endpoint| format!("vpc/{}", endpoint.vpc)).collect();
        if named.is_empty() || named.len() > NETWORK_PARTS {
            named = BTreeSet::from(["vpc/*".to_owned()]);
        }
        // Not those of the file: a change of the endpoint also names those that it had before.
        let changing = ["security-group/*", "vpc-endpoint/*"].map(|part| self.in_every_region("ec2", part));
        named.insert("subnet/*".to_owned());
        named.iter().map(|part| network_part(part)).chain(changing).collect()
    }

    /// The event buses that services tell.
    pub(super) fn default_buses(&self) -> String {
        self.in_every_region("events", "event-bus/default")
    }

    pub(super) fn servers(&self) -> String {
        self.in_every_region("transfer", "server/*")
    }

    pub(super) fn workflows(&self) -> String {
        self.in_every_region("transfer", "workflow/*")
    }

    /// The private PGP keys of every server: their names have the ID of the server, which is not known beforehand.
    pub(super) fn pgp_secrets(&self) -> String {
        self.in_every_region("secretsmanager", "secret:aws/transfer/s-*")
    }

    /// The servers' own private PGP keys, without those of users, whose names begin with a letter, a digit or an
    /// underscore. Secrets Manager adds a hyphen and six characters to the name of a secret, and nothing to the name of
    /// one that does not exist.
    pub(super) fn default_pgp_secrets(&self) -> String {
        self.in_every_region("secretsmanager", &format!("secret:{}*", default_secret("s-*")))
    }

    pub(super) fn host_keys(&self) -> String {
        self.in_every_region("transfer", "host-key/*/*")
    }

    pub(super) fn sftp_users(&self) -> String {
        self.in_every_region("transfer", "user/*")
    }

    /// Every bucket with the prefix of upload buckets: a search for orphans reads the tags of each.
    pub(super) fn buckets_with_prefix(&self) -> String {
        format!("arn:aws:s3:::{}*", self.0.names.bucket_prefix)
    }

    /// Patterns for the clusters, and whether it is one in place of all. Clusters `99-0` and `99-1` share the pattern
    /// `99-*`, which also applies to `99-2`.
    fn clusters(&self) -> (BTreeSet<String>, bool) {
        let family = |cluster: &String| match cluster.rsplit_once('-') {
            Some((family, _)) => format!("{family}-*"),
            None => cluster.clone(),
        };
        // The names in AWS, where a renamed cluster keeps those that it had.
        let names: BTreeSet<String> = self.0.clusters.keys().map(|name| self.0.origin(name).to_owned()).collect();
        let families: BTreeSet<String> = names.iter().map(family).collect();
        match families.len() > BUCKET_PATTERNS {
            true => (BTreeSet::from([format!("{}*", common_prefix(names.iter()))]), true),
            false => (families, false),
        }
    }

    pub(super) fn upload_buckets(&self) -> Vec<String> {
        let (clusters, _) = self.clusters();
        clusters.iter().map(|cluster| format!("arn:aws:s3:::{}", names::upload_bucket(self.0, cluster))).collect()
    }

    /// As [`Self::upload_buckets`], but the name itself for an environment that was limited to one cluster.
    pub(super) fn clusters_buckets(&self) -> Vec<String> {
        match self.0.clusters.keys().collect::<Vec<_>>().as_slice() {
            [cluster] => vec![format!("arn:aws:s3:::{}", names::upload_bucket(self.0, cluster))],
            _ => self.upload_buckets(),
        }
    }

    /// The patterns that a large environment gets in place of its names, each with what it stands for.
    pub(super) fn wide_patterns(&self) -> Vec<(String, &'static str)> {
        let mut wide = Vec::new();
        if let (clusters, true) = self.clusters() {
            wide.extend(clusters.iter().map(|all| (names::upload_bucket(self.0, all), "upload buckets")));
        }
        if let Some(dns) = self.0.dns.as_ref().filter(|dns| dns.aliases.len() > ALIASES) {
            wide.push((format!("*.{}", dns.zone), "records"));
        }
        let every_topic = self.in_every_region("sns", "*");
        if self.given_topics().contains(&every_topic) {
            wide.push((every_topic, "topics of `files.notify` and `alarms.topics`"));
        }
        wide
    }

    pub(super) fn upload_objects(&self, key: &str) -> Vec<String> {
        self.upload_buckets().iter().map(|bucket| format!("{bucket}/{key}")).collect()
    }

    pub(super) fn code_buckets(&self) -> String {
        format!("arn:aws:s3:::{}", names::code_bucket(self.0, "*"))
    }

    /// The environment's packages and large templates; other environments may share the bucket.
    pub(super) fn code_objects(&self) -> [String; 2] {
        let bucket = self.code_buckets();
        // Twelve digits: production has no name in its packages, and `*` would match those of all other environments.
        [
            format!("{bucket}/{}-????????????.zip", names::code_stem(self.0)),
            format!("{bucket}/templates/{}/*", self.0.name),
        ]
    }

    pub(super) fn hosted_zone(&self, id: Option<&str>) -> String {
        format!("arn:aws:route53:::hostedzone/{}", id.unwrap_or("*"))
    }

    /// The names of the environment's records, as Route 53 normalizes them.
    pub(super) fn record_names(&self, dns: &Dns) -> Vec<String> {
        if dns.aliases.len() > ALIASES {
            return vec![format!("*.{}", dns.zone)];
        }
        let mut names = vec![names::host(self.0, "*", &dns.zone), names::latency_host(self.0, &dns.zone)];
        names.extend(dns.aliases.keys().cloned());
        names
    }

    /// A condition: the resource has the environment's tag.
    pub(super) fn is_tagged(&self) -> Value {
        json!({ "StringEquals": { "aws:ResourceTag/sftpctl:environment": self.0.name } })
    }

    /// A condition: the roles carry the environment's permissions boundary. Empty without one.
    pub(super) fn is_bounded(&self) -> Value {
        match &self.0.permissions_boundary {
            Some(boundary) => json!({ "StringEquals": { "iam:PermissionsBoundary": boundary } }),
            None => json!({}),
        }
    }
}

fn common_prefix<'a>(mut names: impl Iterator<Item = &'a String>) -> &'a str {
    let first = names.next().map_or("", String::as_str);
    names.fold(first, |prefix, name| {
        let same = prefix.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
        prefix.get(..same).unwrap_or_default()
    })
}
