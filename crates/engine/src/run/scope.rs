//! The scope of a run, and the rules that depend on it.

use std::collections::{BTreeMap, BTreeSet};

use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Actual, Live, Owner};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;

use crate::desired::History;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Everything in the environment file.
    Whole,
    /// Some regions, with the global resources that they need.
    Regions(BTreeSet<String>),
    /// Everything in the environment file, resources that AWS services create again by themselves, and the orphans.
    Teardown,
    Orphans,
}

impl Scope {
    /// Whether the run reads the whole environment. Only then can it find orphans: a resource that a smaller run does
    /// not read may be in use.
    pub(super) fn is_whole(&self) -> bool {
        match self {
            Self::Whole | Self::Teardown => true,
            Self::Regions(_) | Self::Orphans => false,
        }
    }
}

/// How a remembered resource that is no longer in the environment file is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retirement {
    /// The next deployment deletes it.
    Deploy,
    /// Only a teardown may delete it: it holds data, or is shared.
    Teardown,
}

/// How a remembered resource of this kind is removed. `region_dropped`: its region is no longer in the environment file
/// either.
pub(super) fn retirement(kind: Kind, region_dropped: bool) -> Retirement {
    match kind {
        Kind::Server | Kind::SecurityGroup | Kind::Record | Kind::Dashboard => Retirement::Deploy,
        Kind::Stack | Kind::Package if region_dropped => Retirement::Deploy,
        // Every region of the file has one, so its node cannot be missing there.
        Kind::Stack | Kind::Package => Retirement::Teardown,
        Kind::Table | Kind::Replica | Kind::Bucket => Retirement::Teardown,
        // Customers' firewalls know it.
        Kind::Address => Retirement::Teardown,
        Kind::ApiAccount | Kind::LogGroup => Retirement::Teardown,
        Kind::UserRole | Kind::UserPolicy | Kind::ServerId | Kind::Trigger => Retirement::Teardown,
    }
}

/// Whether the state forgets a resource of this kind when a search of all regions does not find it, since a run deleted
/// it and was killed before it could save the state. `log_group_of_file`: it has the name of one of the environment's
/// log groups.
pub(super) fn is_forgotten_when_missing(kind: Kind, region_dropped: bool, log_group_of_file: bool) -> bool {
    match kind {
        Kind::Bucket | Kind::Replica | Kind::Address => true,
        Kind::LogGroup => region_dropped && log_group_of_file,
        // The run reads these itself.
        Kind::Table | Kind::UserRole | Kind::UserPolicy | Kind::ApiAccount | Kind::Package | Kind::Stack => false,
        Kind::Server | Kind::SecurityGroup | Kind::ServerId | Kind::Trigger | Kind::Record => false,
        Kind::Dashboard => false,
    }
}

/// The IDs in the names of log groups that AWS services create by themselves. `deployed`: the environment was deployed
/// from here before.
pub(super) fn history(
    environment: &Environment,
    identities: &BTreeMap<NodeId, String>,
    actual: &Actual,
    deployed: bool,
) -> History {
    let ours = |id: &NodeId| -> Option<&Live> {
        actual.get(id).and_then(Option::as_ref).filter(|live| live.owner == Owner::Ours)
    };
    let regions = || environment.regions.keys();
    let api = |region: &String| Some((region.clone(), ours(&names::stack_node(region))?.outputs.get("ApiId")?.clone()));
    let server = |region: &String| Some((region.clone(), ours(&names::server_node(region))?.identity.clone()));
    let groups = identities.iter().filter(|(id, _)| id.kind() == Some(Kind::LogGroup));
    History {
        deployed,
        apis: regions().filter_map(api).collect(),
        servers: regions().filter_map(server).collect(),
        log_groups: groups.map(|(id, name)| (id.place().to_owned(), name.clone())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        sftpctl_core::spec::load(include_str!("../../../../environments/99.yaml"), "99.yaml").unwrap()
    }

    #[test]
    fn deployments_delete_no_data() {
        for kind in Kind::ALL.iter().copied() {
            let data = matches!(kind, Kind::Table | Kind::Replica | Kind::Bucket | Kind::Address);
            for region_dropped in [false, true] {
                let is_deleted = retirement(kind, region_dropped) == Retirement::Deploy;
                assert!(!(data && is_deleted), "{kind}");
            }
        }
        assert_eq!(retirement(Kind::Stack, true), Retirement::Deploy);
        assert_eq!(retirement(Kind::Stack, false), Retirement::Teardown);
    }

    #[test]
    fn only_a_whole_run_finds_orphans() {
        assert!(Scope::Whole.is_whole() && Scope::Teardown.is_whole());
        assert!(!Scope::Orphans.is_whole() && !Scope::Regions(["us-west-2".to_owned()].into()).is_whole());
    }

    #[test]
    fn log_groups_of_other_regions_are_remembered() {
        assert!(is_forgotten_when_missing(Kind::LogGroup, true, true));
        assert!(!is_forgotten_when_missing(Kind::LogGroup, false, true));
        assert!(!is_forgotten_when_missing(Kind::LogGroup, true, false));
    }

    #[test]
    fn history_takes_ids_from_our_own_resources_alone() {
        let stack = |owner: Owner| Live::new("arn").output("ApiId", "a1b2").owned_by(owner);
        let actual = Actual::from([
            (names::stack_node("us-west-2"), Some(stack(Owner::Ours))),
            (names::stack_node("us-east-2"), Some(stack(Owner::Foreign("another's".into())))),
            (names::server_node("us-west-2"), Some(Live::new("s-1"))),
            (names::server_node("us-east-2"), None),
        ]);
        let group = NodeId::named("us-west-2", Kind::LogGroup, "aws/lambda/f");
        let identities = BTreeMap::from([(group, "/aws/lambda/f".to_owned())]);
        let history = history(&environment(), &identities, &actual, true);
        assert!(history.deployed);
        assert_eq!(history.apis, BTreeMap::from([("us-west-2".to_owned(), "a1b2".to_owned())]));
        assert_eq!(history.servers, BTreeMap::from([("us-west-2".to_owned(), "s-1".to_owned())]));
        assert_eq!(history.log_groups, [("us-west-2".to_owned(), "/aws/lambda/f".to_owned())]);
    }
}
