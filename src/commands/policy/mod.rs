//! `sftpctl policy`: prints the IAM policies for those who use sftpctl on an environment. docs/permissions.md says how
//! to attach them.

mod print;

use clap::Subcommand;

use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use sftpctl_core::permissions::Policy;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A policy is filled in with the account, names and hosted zone of the environment: attach it as \
    it is. docs/permissions.md has the commands, and roles for GitHub and GitLab."
)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print the policy for deploy, import and verify, in addition to the reader's
    #[command(after_help = "Examples:\n  \
        sftpctl policy deployer --env 99 > deployer.json\n  \
        sftpctl policy deployer --env 99 --offline --zone-id Z0123456789ABCDEFGHIJ")]
    Deployer(print::Args),
    /// Print the policy for CloudFormation: for `stack_role`, or without it for whoever deploys
    #[command(after_help = "Example:\n  sftpctl policy stack --env 99 > stack.json")]
    Stack(print::Args),
    /// Print the policy for servers in VPCs with fixed addresses, in addition to the deployer's
    #[command(after_help = "Example:\n  sftpctl policy addresses --env 99 > addresses.json")]
    Addresses(print::Args),
    /// Print the policy for CloudFormation's work on Amazon S3 Files, in addition to that for stacks
    #[command(after_help = "Example:\n  sftpctl policy s3-files --env 99 > s3-files.json")]
    S3Files(print::Args),
    /// Print the policy for CloudFormation's work on web ACLs of AWS WAF, in addition to that for stacks
    #[command(after_help = "Example:\n  sftpctl policy waf --env 99 > waf.json")]
    Waf(print::Args),
    /// Print the policy for CloudFormation's work on SNS topics, in addition to that for stacks
    #[command(after_help = "Example:\n  sftpctl policy topics --env 99 > topics.json")]
    Topics(print::Args),
    /// Print the policy for CloudFormation's work on scans for malware, in addition to that for stacks
    #[command(after_help = "Example:\n  sftpctl policy malware-scan --env 99 > malware-scan.json")]
    MalwareScan(print::Args),
    /// Print the policy for CloudFormation's work on workflows that decrypt uploads, in addition to that for stacks
    #[command(after_help = "Example:\n  sftpctl policy decrypt --env 99 > decrypt.json")]
    Decrypt(print::Args),
    /// Print the policy for messages about the ends of runs, in addition to that of the command
    #[command(after_help = "Example:\n  sftpctl policy notify --env 99 > notify.json")]
    Notify(print::Args),
    /// Print the policy for plan, drift, status, doctor and connect-info
    #[command(after_help = "Examples:\n  \
        sftpctl policy reader --env 99 > reader.json\n  \
        sftpctl policy reader --env 99 --part 1 > reader-1.json")]
    Reader(print::Args),
    /// Print the policy for teardown, in addition to the deployer's; it allows deleting data
    #[command(after_help = "Example:\n  sftpctl policy teardown --env 99 > teardown.json")]
    Teardown(print::Args),
    /// Print the policy for users; with the reader's also for test-login
    #[command(after_help = "Example:\n  sftpctl policy users --env 99 > users.json")]
    Users(print::Args),
    /// Print the policy for users list, show, export, audit and silent, and guard list; it changes nothing
    #[command(after_help = "Example:\n  sftpctl policy users-reader --env 99 > users-reader.json\n\n\
        The hashes of passwords are among what it reads. `users audit --from` needs `sftpctl policy users`.")]
    UsersReader(print::Args),
    /// Print the policy for test-login, in addition to those for users-reader and the reader
    #[command(after_help = "Example:\n  sftpctl policy test-login --env 99 > test-login.json\n\n\
        Whoever may test log-ins can say that they come from any address: with a guard, wrong passwords ban it.")]
    TestLogin(print::Args),
    /// Print the policy for guard
    #[command(after_help = "Example:\n  sftpctl policy guard --env 99 > guard.json")]
    Guard(print::Args),
    /// Print the policy for dns alias
    #[command(after_help = "Example:\n  sftpctl policy aliases --env 99 > aliases.json")]
    Aliases(print::Args),
    /// Print the policy for history; it allows reading customers' files
    #[command(after_help = "Example:\n  sftpctl policy history --env 99 > history.json")]
    History(print::Args),
    /// Print the policy for history restore, in addition to that for history
    #[command(after_help = "Example:\n  sftpctl policy restore --env 99 > restore.json")]
    Restore(print::Args),
    /// Print the policy for pull: it reads customers' files, and changes nothing
    #[command(after_help = "Examples:\n  \
        sftpctl policy agent --env 99 --cluster 99-5 > agent.json\n  \
        sftpctl policy agent --env 99 > agent.json")]
    Agent(AgentArgs),
    /// Print the policy for a mount that is written: the role of an application server
    #[command(after_help = "Examples:\n  \
        sftpctl policy mount --env 99 --cluster 99-5 > mount.json\n  \
        sftpctl policy mount --env 99 > mount.json\n\n\
        A mount that is only read needs `sftpctl policy agent`.")]
    Mount(AgentArgs),
    /// Print the policy for homes, in addition to that for users
    #[command(after_help = "Example:\n  sftpctl policy homes --env 99 > homes.json")]
    Homes(print::Args),
    /// Print the policy for the application that creates organisations and writes their accounts
    #[command(after_help = "Example:\n  sftpctl policy provisioning --env 99 > provisioning.json\n\n\
        docs/provisioning.md has the contract, and a worked call in several languages.")]
    Provisioning(print::Args),
    /// Print the policy for users import --via-s3, in addition to those for users and the state
    #[command(after_help = "Example:\n  sftpctl policy table-import --env 99 > table-import.json")]
    TableImport(print::Args),
    /// Print the policy for users import --pre-warm, in addition to those for users and the state
    #[command(after_help = "Example:\n  sftpctl policy pre-warm --env 99 > pre-warm.json")]
    PreWarm(print::Args),
    /// Print the policy for logs, who and users silent
    #[command(after_help = "Example:\n  sftpctl policy logs --env 99 > logs.json")]
    Logs(print::Args),
    /// Print the policy for verify --put-metric, in addition to those for users and the reader
    #[command(after_help = "Example:\n  sftpctl policy canary --env 99 > canary.json")]
    Canary(print::Args),
    /// Print the policy for the state in a bucket, in addition to the others
    #[command(after_help = "Examples:\n  \
        sftpctl policy state --env 99 > state.json\n  \
        sftpctl policy state --env 99 --state s3://company-sftpctl/state")]
    State(print::Args),
    /// Print the permissions boundary for the roles that a deployment creates, for `permissions_boundary`
    #[command(after_help = "Examples:\n  \
        sftpctl policy boundary --env 99 > boundary.json\n  \
        aws iam create-policy --policy-name sftp-boundary --policy-document file://boundary.json")]
    Boundary(print::Args),
}

#[derive(Debug, clap::Args)]
struct AgentArgs {
    #[command(flatten)]
    print: print::Args,
    /// Only the bucket of this cluster
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let mut cluster = None;
    let (policy, args) = match args.verb {
        Verb::Deployer(args) => (Policy::Deployer, args),
        Verb::Stack(args) => (Policy::Stack, args),
        Verb::Addresses(args) => (Policy::Addresses, args),
        Verb::S3Files(args) => (Policy::S3Files, args),
        Verb::Waf(args) => (Policy::Waf, args),
        Verb::Topics(args) => (Policy::Topics, args),
        Verb::MalwareScan(args) => (Policy::MalwareScan, args),
        Verb::Decrypt(args) => (Policy::Decrypt, args),
        Verb::Notify(args) => (Policy::Notify, args),
        Verb::Reader(args) => (Policy::Reader, args),
        Verb::Teardown(args) => (Policy::Teardown, args),
        Verb::Users(args) => (Policy::Users, args),
        Verb::UsersReader(args) => (Policy::UsersReader, args),
        Verb::TestLogin(args) => (Policy::TestLogin, args),
        Verb::Guard(args) => (Policy::Guard, args),
        Verb::Aliases(args) => (Policy::Aliases, args),
        Verb::History(args) => (Policy::History, args),
        Verb::Restore(args) => (Policy::Restore, args),
        Verb::Agent(args) => {
            cluster = args.cluster;
            (Policy::Agent, args.print)
        }
        Verb::Mount(args) => {
            cluster = args.cluster;
            (Policy::Mount, args.print)
        }
        Verb::Homes(args) => (Policy::Homes, args),
        Verb::Provisioning(args) => (Policy::Provisioning, args),
        Verb::TableImport(args) => (Policy::TableImport, args),
        Verb::PreWarm(args) => (Policy::PreWarm, args),
        Verb::Logs(args) => (Policy::Logs, args),
        Verb::Canary(args) => (Policy::Canary, args),
        Verb::State(args) => (Policy::State, args),
        Verb::Boundary(args) => (Policy::Boundary, args),
    };
    print::run(policy, &args, cluster.as_deref(), printer).await
}
