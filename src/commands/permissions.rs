//! Which of the printed policies each command needs. `docs/permissions.md` has the same table; the local cloud holds
//! every command to it.

use serde_json::Value;
use sftpctl_core::permissions::{Policy, Site, companions, document};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::state_place::StatePlace;

/// What a command does with AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permissions {
    /// Reads the environment: `plan`, `drift`, `status`, `doctor`.
    Reads,
    /// Deploys it, or checks a deployment.
    Deploys,
    /// Deletes it.
    TearsDown,
    /// Reads and writes customers' accounts.
    ManagesUsers,
    /// Reads customers' accounts, and the logs of log-ins.
    ReadsUsers,
    /// Reads and writes customers' accounts under a lock that is kept with the state.
    ImportsUsers,
    /// Reads and changes who is banned.
    Guards,
    /// Reads and writes customers' host names.
    ManagesAliases,
    /// Reads the versions of customers' files.
    ReadsHistory,
    /// Reads them, and the logs of sessions.
    ReadsAuthors,
    /// Reads them, and makes some the current ones again.
    RestoresHistory,
    /// Reads the logs of log-ins and sessions, and finds accounts.
    ReadsLogs,
    /// Reads all accounts, and the logs of log-ins.
    FindsSilentUsers,
    /// Takes customers' files from S3.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "for commands that are on Linux alone"))]
    PullsFiles,
    /// Finds the file systems of mounts.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "for commands that are on Linux alone"))]
    Mounts,
    /// Creates the account table with its accounts.
    ImportsTable,
    /// Raises what the account table takes at once, and imports into it.
    PreWarms,
    /// Moves customers' home directories, and reads and writes their accounts.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "for commands that are on Linux alone"))]
    MovesHomes,
    /// Logs a canary in, and finds out why that failed.
    ChecksLogins,
    /// Tries a customer's log-in, and finds out why that failed.
    TestsLogins,
    /// Logs a canary in, and reports whether it was admitted.
    ReportsCanaries,
    /// Tells topics the end of a run.
    Notifies,
    /// Reads the environment, and writes its state.
    ChangesState,
}

impl Permissions {
    fn policies(self, site: Site<'_>) -> Vec<Policy> {
        let with_companions = |policy: Policy| [vec![policy], companions(policy, site)].concat();
        match self {
            Self::Reads => vec![Policy::Reader],
            Self::Notifies => vec![Policy::Notify],
            Self::Deploys => with_companions(Policy::Deployer),
            Self::TearsDown => with_companions(Policy::Teardown),
            Self::ManagesUsers => vec![Policy::Users],
            Self::ReadsUsers => vec![Policy::UsersReader],
            Self::ImportsUsers => vec![Policy::Users, Policy::State],
            Self::Guards => vec![Policy::Guard],
            Self::ManagesAliases => vec![Policy::Aliases, Policy::State],
            Self::ReadsHistory => vec![Policy::History],
            Self::ReadsAuthors => vec![Policy::History, Policy::Logs],
            Self::RestoresHistory => vec![Policy::History, Policy::Restore],
            Self::ReadsLogs => vec![Policy::Logs],
            Self::FindsSilentUsers => vec![Policy::UsersReader, Policy::Logs],
            Self::PullsFiles => vec![Policy::Agent],
            Self::Mounts => vec![Policy::Mount],
            Self::ImportsTable => vec![Policy::Users, Policy::State, Policy::TableImport],
            Self::PreWarms => vec![Policy::Users, Policy::State, Policy::PreWarm],
            Self::MovesHomes => with_companions(Policy::Homes),
            Self::ChecksLogins => vec![Policy::Users, Policy::Reader],
            Self::TestsLogins => with_companions(Policy::TestLogin),
            Self::ReportsCanaries => with_companions(Policy::Canary),
            Self::ChangesState => vec![Policy::Reader, Policy::State],
        }
    }

    /// The documents of the policies for an environment whose state is in these places.
    pub(crate) fn documents(self, environment: &Environment, states: &[&StatePlace]) -> Vec<Value> {
        let zone_id = environment.dns.as_ref().and_then(|dns| dns.zone_id.as_deref());
        let of = |state: &&StatePlace| {
            let site = Site { environment, zone_id, state: Some(state) };
            self.policies(site).into_iter().filter_map(move |policy| document(policy, site)).collect::<Vec<_>>()
        };
        states.iter().flat_map(of).collect()
    }
}
