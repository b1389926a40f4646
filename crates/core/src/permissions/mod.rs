//! The IAM policies for the people and pipelines that use sftpctl on one environment. Pure.
//!
//! Each is filled in with the environment's account, names and hosted zone, and narrowed by the prefixes that its names
//! share. An environment of any size so fits into IAM's 6,144 characters for a managed policy (IAM user guide, "IAM and
//! AWS STS quotas"), and a region or cluster that is added needs no new policy. Only with many settings at once is the
//! reader's longer: it is attached in parts. Resource types and condition keys are those of AWS's Service Authorization
//! Reference; a test compares them.

mod addresses;
mod agent;
mod aliases;
mod arns;
mod boundary;
mod canary;
mod decrypt;
mod deployer;
mod guard;
mod history;
mod homes;
mod logs;
mod malware;
mod mount;
mod notify;
mod parts;
mod provisioning;
mod reader;
mod s3_files;
mod stack;
mod state;
mod statement;
mod table_import;
mod teardown;
mod topics;
mod users;
mod waf;

use serde_json::{Value, json};

use crate::check::quotas;
use crate::spec::model::Environment;
use crate::spec::state_place::StatePlace;
use crate::user_policies::{ATTACHED, ATTACHED_AT_MOST};
use arns::Arns;

pub use parts::parts;

/// Characters of a managed policy, without white space.
pub const CHARACTERS: usize = 6_144;

/// For whom a policy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Deploys the environment: the changes by sftpctl itself; in addition to [`Self::Reader`].
    Deployer,
    /// The calls of CloudFormation for the stacks, made with the service role `stack_role` or, without it, with the
    /// deployer's permissions.
    Stack,
    /// The calls of CloudFormation for file systems of Amazon S3 Files; in addition to [`Self::Stack`].
    S3Files,
    /// The calls of CloudFormation for web ACLs of AWS WAF; in addition to [`Self::Stack`].
    Waf,
    /// The calls of CloudFormation for SNS topics; in addition to [`Self::Stack`].
    Topics,
    /// The calls of CloudFormation for scans for malware; in addition to [`Self::Stack`].
    MalwareScan,
    /// The calls of CloudFormation for workflows of Transfer Family; in addition to [`Self::Stack`].
    Decrypt,
    /// Servers in VPCs, with fixed addresses; in addition to [`Self::Deployer`].
    Addresses,
    /// Plans, and looks for drift; changes nothing.
    Reader,
    /// Deletes the environment, with its data; in addition to those of a deployment.
    Teardown,
    /// Manages the customers' accounts.
    Users,
    /// Reads the customers' accounts; changes nothing.
    UsersReader,
    /// Tries log-ins; in addition to [`Self::UsersReader`] and [`Self::Reader`].
    TestLogin,
    /// Shows and changes who is banned.
    Guard,
    /// Manages customers' host names.
    Aliases,
    /// Reads the versions of customers' files.
    History,
    /// Makes versions of customers' files the current ones again; in addition to [`Self::History`].
    Restore,
    /// Pulls customers' files; changes nothing.
    Agent,
    /// Reads and writes customers' files through a mount.
    Mount,
    /// Moves customers' home directories; in addition to [`Self::Users`].
    Homes,
    /// Writes accounts from the application that creates organisations.
    Provisioning,
    /// Creates the account table with its accounts, which DynamoDB reads from the bucket of the state; in addition to
    /// [`Self::Users`] and [`Self::State`].
    TableImport,
    /// Raises what the account table takes at once; in addition to [`Self::Users`] and [`Self::State`].
    PreWarm,
    /// Reads the logs of log-ins and sessions.
    Logs,
    /// Reports whether canaries were admitted; in addition to [`Self::Users`] and [`Self::Reader`].
    Canary,
    /// Tells topics the end of a run; in addition to the policy of the command.
    Notify,
    /// Keeps the state in a bucket; in addition to any of the others.
    State,
    /// The permissions boundary of the roles that a deployment creates.
    Boundary,
}

impl std::fmt::Display for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Deployer => "deployer",
            Self::Stack => "stack",
            Self::S3Files => "s3-files",
            Self::Waf => "waf",
            Self::Topics => "topics",
            Self::MalwareScan => "malware-scan",
            Self::Decrypt => "decrypt",
            Self::Addresses => "addresses",
            Self::Reader => "reader",
            Self::Teardown => "teardown",
            Self::Users => "users",
            Self::UsersReader => "users-reader",
            Self::TestLogin => "test-login",
            Self::Guard => "guard",
            Self::Aliases => "aliases",
            Self::History => "history",
            Self::Restore => "restore",
            Self::Agent => "agent",
            Self::Mount => "mount",
            Self::Homes => "homes",
            Self::Provisioning => "provisioning",
            Self::TableImport => "table-import",
            Self::PreWarm => "pre-warm",
            Self::Logs => "logs",
            Self::Canary => "canary",
            Self::Notify => "notify",
            Self::State => "state",
            Self::Boundary => "boundary",
        })
    }
}

impl Policy {
    pub const ALL: [Self; 28] = [
        Self::Deployer,
        Self::Stack,
        Self::S3Files,
        Self::Waf,
        Self::Topics,
        Self::MalwareScan,
        Self::Decrypt,
        Self::Addresses,
        Self::Reader,
        Self::Teardown,
        Self::Users,
        Self::UsersReader,
        Self::TestLogin,
        Self::Guard,
        Self::Aliases,
        Self::History,
        Self::Restore,
        Self::Agent,
        Self::Mount,
        Self::Homes,
        Self::Provisioning,
        Self::TableImport,
        Self::PreWarm,
        Self::Logs,
        Self::Canary,
        Self::Notify,
        Self::State,
        Self::Boundary,
    ];
}

/// What the policies are filled in with.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    pub environment: &'a Environment,
    /// ID of the hosted zone. Without it the policies allow the environment's records in every zone of the account.
    pub zone_id: Option<&'a str>,
    /// The place of the state.
    pub state: Option<&'a StatePlace>,
}

/// The document of a policy. `None` for the state in a folder, which needs no permission, for aliases without DNS, and
/// for messages without a topic.
pub fn document(policy: Policy, site: Site<'_>) -> Option<Value> {
    let arns = Arns(site.environment);
    let statements = match policy {
        Policy::Deployer => deployer::statements(&arns, site),
        Policy::Stack => stack::statements(&arns),
        Policy::S3Files => s3_files::statements(&arns),
        Policy::Waf => waf::statements(&arns),
        Policy::Topics => topics::statements(&arns),
        Policy::MalwareScan => malware::statements(&arns),
        Policy::Decrypt => decrypt::statements(&arns),
        Policy::Addresses => addresses::statements(&arns),
        Policy::Reader => reader::statements(&arns, site),
        Policy::Teardown => teardown::statements(&arns),
        Policy::Users => users::statements(&arns),
        Policy::UsersReader => users::reading(&arns),
        Policy::TestLogin => users::test_logins(&arns),
        Policy::Guard => guard::statements(&arns),
        Policy::Aliases => aliases::statements(&arns, site)?,
        Policy::History => history::statements(&arns),
        Policy::Restore => history::restoring(&arns),
        Policy::Agent => agent::statements(&arns),
        Policy::Mount => mount::statements(&arns),
        Policy::Homes => homes::statements(&arns),
        Policy::Provisioning => provisioning::statements(&arns),
        Policy::TableImport => table_import::statements(&arns, site.state?)?,
        Policy::PreWarm => users::pre_warming(&arns),
        Policy::Logs => logs::statements(&arns),
        Policy::Canary => canary::statements(&arns),
        Policy::Notify => notify::statements(&arns)?,
        Policy::Boundary => boundary::statements(&arns),
        Policy::State => state::statements(&arns, site.state?, &["s3:GetObject", "s3:PutObject"])?,
    };
    Some(fitted(json!({ "Version": "2012-10-17", "Statement": statements })))
}

/// The document without the names of its statements, if it is too long with them.
fn fitted(mut document: Value) -> Value {
    if document.to_string().len() > CHARACTERS {
        for statement in document["Statement"].as_array_mut().into_iter().flatten() {
            statement.as_object_mut().map(|statement| statement.remove("Sid"));
        }
    }
    document
}

/// The other policies that a role with this one needs.
pub fn companions(policy: Policy, site: Site<'_>) -> Vec<Policy> {
    let in_bucket = matches!(site.state, Some(StatePlace::Bucket { .. }));
    let has_own_role = site.environment.stack_role.is_some();
    let has_addresses = site.environment.names_endpoints();
    let has_file_systems = !site.environment.s3_files.is_empty();
    let has_web_acls = site.environment.waf.is_some();
    let has_topics = site.environment.has_topics();
    let scans = !site.environment.malware_scan.is_empty();
    let decrypts = !site.environment.decrypt.is_empty();
    let tells = site.environment.notify.as_ref().is_some_and(|notify| !notify.topics.is_empty());
    let chosen = |all: &[(Policy, bool)]| -> Vec<Policy> {
        all.iter().filter(|(_, needed)| *needed).map(|(policy, _)| *policy).collect()
    };
    let of_stack = chosen(&[
        (Policy::Stack, true),
        (Policy::S3Files, has_file_systems),
        (Policy::Waf, has_web_acls),
        (Policy::Topics, has_topics),
        (Policy::MalwareScan, scans),
        (Policy::Decrypt, decrypts),
    ]);
    let mut deploys = vec![Policy::Reader, Policy::Deployer];
    // Without a role of its own, CloudFormation uses the deployer's permissions.
    deploys.extend(of_stack.iter().filter(|_| !has_own_role));
    deploys.extend(chosen(&[(Policy::Addresses, has_addresses), (Policy::State, in_bucket), (Policy::Notify, tells)]));
    let mut needed = match policy {
        Policy::Stack | Policy::S3Files | Policy::Waf | Policy::Topics | Policy::MalwareScan | Policy::Decrypt
            if has_own_role =>
        {
            of_stack
        }
        Policy::Deployer
        | Policy::Stack
        | Policy::S3Files
        | Policy::Waf
        | Policy::Topics
        | Policy::MalwareScan
        | Policy::Decrypt
        | Policy::Addresses
        | Policy::Teardown => deploys,
        Policy::Aliases => chosen(&[(Policy::State, in_bucket)]),
        Policy::PreWarm => chosen(&[(Policy::Users, true), (Policy::State, in_bucket)]),
        Policy::TableImport => vec![Policy::Users, Policy::State],
        Policy::Restore => vec![Policy::History],
        Policy::Canary => chosen(&[(Policy::Users, true), (Policy::Reader, true), (Policy::Notify, tells)]),
        Policy::Reader => chosen(&[(Policy::Notify, tells)]),
        Policy::Homes => vec![Policy::Users],
        Policy::TestLogin => vec![Policy::UsersReader, Policy::Reader],
        _ => Vec::new(),
    };
    needed.retain(|other| *other != policy);
    needed
}

/// Managed policies that a role with this policy has, and with those that it needs besides, each in its parts.
fn attached(policy: Policy, site: Site<'_>) -> usize {
    let all = companions(policy, site).into_iter().chain([policy]);
    all.filter_map(|policy| document(policy, site)).map(|document| parts(&document).len()).sum()
}

/// Why the policies of this environment allow more than the environment needs, or are more than a role may have. Each
/// is one sentence.
pub fn warnings(policy: Policy, site: Site<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    let environment = site.environment;
    if environment.permissions_boundary.is_none() && matches!(policy, Policy::Deployer | Policy::Stack) {
        warnings.push(
            "without `permissions_boundary` in the environment file this policy allows its holder to gain every \
             permission of the account: it creates roles and writes their policies"
                .to_owned(),
        );
    }
    if let Some(dns) = environment.dns.as_ref().filter(|_| site.zone_id.is_none() && reads_zone(policy)) {
        warnings.push(format!(
            "the ID of the hosted zone {} is unknown, so this policy applies to every zone of the account; set \
             `dns.zone_id`, or pass --zone-id",
            dns.zone
        ));
    }
    let document = document(policy, site).unwrap_or_default().to_string();
    for (pattern, what) in Arns(environment).wide_patterns() {
        if document.contains(&pattern) {
            warnings.push(format!(
                "the environment has too many names for a policy, so this one has `{pattern}` for its {what}, which \
                 may fit those of other environments"
            ));
        }
    }
    let count = attached(policy, site);
    if count > ATTACHED {
        let role = match environment.stack_role {
            Some(_) => "",
            None => "set `stack_role`, which has those for CloudFormation instead, or ",
        };
        warnings.push(format!(
            "a role with this and what it also needs has {count} managed policies, and IAM attaches {ATTACHED} to a \
             role: {role}have the quota {} raised, which IAM does up to {ATTACHED_AT_MOST}",
            quotas::ATTACHED.code
        ));
    }
    warnings
}

/// Whether the policy names the hosted zone.
pub fn reads_zone(policy: Policy) -> bool {
    matches!(policy, Policy::Deployer | Policy::Reader | Policy::Aliases)
}

#[cfg(test)]
mod tests;
