//! The cells of a plan: what is repeated under the same conditions. Pure.

use serde::{Deserialize, Serialize};

use super::Plan;
use crate::content::Content;
use crate::size::Size;
use crate::target::Place;

/// A kind of measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Test {
    Sizes,
    Threads,
    Logins,
}

/// What a cell measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Put,
    /// Past the caches of this machine, as far as a program can.
    Get,
    /// Directly after the same file was read.
    GetCached,
    /// Puts and gets in turn.
    Both,
    Login,
}

impl Action {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
            Self::GetCached => "get-cached",
            Self::Both => "both",
            Self::Login => "login",
        }
    }
}

/// What is repeated under the same conditions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cell {
    /// The target's name.
    pub target: String,
    pub test: Test,
    pub action: Action,
    /// Zero bytes for log-ins.
    pub size: Size,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    pub threads: u32,
    /// Of each thread, without those that warm up.
    pub iterations: u32,
    pub warmup: u32,
}

impl Cell {
    /// The name of the cell in its plan.
    pub fn id(&self) -> String {
        let Self { target, test, action, size, content, threads, .. } = self;
        let test = match test {
            Test::Sizes => "sizes",
            Test::Threads => "threads",
            Test::Logins => "logins",
        };
        match content {
            Some(content) => format!("{target}/{test}/{size}/{}/{}/{threads}", content.as_str(), action.as_str()),
            None => format!("{target}/{test}/{threads}"),
        }
    }

    /// The action of an iteration.
    pub fn action_of(&self, thread: u32, iteration: u32) -> Action {
        match self.action {
            Action::Both if (thread + iteration).is_multiple_of(2) => Action::Put,
            Action::Both => Action::Get,
            action => action,
        }
    }

    /// The name of a thread's file.
    pub fn file(&self, thread: u32) -> String {
        let content = self.content.map_or("none", Content::as_str);
        format!("{}-{content}-{thread}", self.size)
    }

    /// For people: `5MB text put, 15 threads`.
    pub fn words(&self) -> String {
        let Self { action, size, content, threads, .. } = self;
        let what = match content {
            Some(content) => format!("{size} {} {}", content.as_str(), action.as_str()),
            None => "log-ins".to_owned(),
        };
        match threads {
            1 => what,
            threads => format!("{what}, {threads} threads"),
        }
    }
}

/// What a plan takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Needs {
    /// Operations that are measured or warm up.
    pub operations: u64,
    /// Bytes that are transferred in both directions.
    pub transferred: u64,
    /// Bytes that are on the target at once at most.
    pub stored: u64,
}

impl Plan {
    /// The cells, target by target: sizes, then threads, then log-ins, which only SFTP servers have.
    pub fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for target in &self.targets {
            let place = target.at.parse::<Place>().ok();
            let is_folder = matches!(place, Some(Place::Folder(_)));
            let mut add = |test, action, size, content, threads, (iterations, warmup)| {
                let target = target.name.clone();
                cells.push(Cell { target, test, action, size, content, threads, iterations, warmup });
            };
            if let Some(sizes) = &self.sizes {
                for size in &sizes.sizes {
                    for content in &sizes.content {
                        let actions = [Action::Put, Action::Get, Action::GetCached];
                        let count = if sizes.cached && is_folder { 3 } else { 2 };
                        for action in actions.into_iter().take(count) {
                            add(Test::Sizes, action, *size, Some(*content), 1, (sizes.repeat, sizes.warmup));
                        }
                    }
                }
            }
            if let Some(plan) = &self.threads {
                for size in &plan.sizes {
                    for content in &plan.content {
                        for operation in &plan.operations {
                            for threads in &plan.threads {
                                let counts = (plan.iterations, plan.warmup);
                                add(Test::Threads, operation.action(), *size, Some(*content), *threads, counts);
                            }
                        }
                    }
                }
            }
            if let Some(plan) = self.logins.as_ref().filter(|_| matches!(place, Some(Place::Sftp(_)))) {
                for threads in &plan.threads {
                    add(Test::Logins, Action::Login, Size(0), None, *threads, (plan.iterations, plan.warmup));
                }
            }
        }
        cells
    }

    /// What the plan takes. Files of the cells of one size and content are the same, and are deleted after the last of
    /// them.
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        for cell in self.cells() {
            let operations = u64::from(cell.threads) * u64::from(cell.iterations + cell.warmup);
            needs.operations += operations;
            needs.transferred = needs.transferred.saturating_add(operations.saturating_mul(cell.size.0));
            needs.stored = needs.stored.max(u64::from(cell.threads).saturating_mul(cell.size.0));
        }
        needs
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Logins, Operation, Sizes, Target, Threads};
    use super::*;

    fn target(name: &str, at: &str) -> Target {
        Target { name: name.into(), at: at.into(), region: None, identity: None, password_file: None, ssh_config: None }
    }

    #[test]
    fn the_defaults_are_the_tests_of_2019() {
        let mut plan = Plan::of(vec![target("mount", "/sftp"), target("server", "sftp://jan@host")]);
        plan.sizes = Some(Sizes::default());
        plan.threads = Some(Threads::default());
        plan.logins = Some(Logins::default());
        let cells = plan.cells();
        let count = |name: &str, test| cells.iter().filter(|cell| cell.target == name && cell.test == test).count();
        assert_eq!((count("mount", Test::Sizes), count("server", Test::Sizes)), (60, 40));
        assert_eq!((count("mount", Test::Threads), count("server", Test::Threads)), (45, 45));
        assert_eq!((count("mount", Test::Logins), count("server", Test::Logins)), (0, 4));
        let ids: std::collections::BTreeSet<String> = cells.iter().map(Cell::id).collect();
        assert_eq!(ids.len(), cells.len());
        assert!(ids.contains("mount/threads/5MB/text/both/15") && ids.contains("server/logins/4"), "{ids:?}");
        assert_eq!(plan.needs().stored, 5_000_000_000);
    }

    #[test]
    fn half_of_the_threads_of_both_directions_puts() {
        let mut plan = Plan::of(vec![target("mount", "/sftp")]);
        plan.threads = Some(Threads { threads: vec![4], operations: vec![Operation::Both], ..Threads::default() });
        let cell = &plan.cells()[0];
        for iteration in 0..3 {
            let puts = (0..4).filter(|thread| cell.action_of(*thread, iteration) == Action::Put).count();
            assert_eq!(puts, 2);
        }
        assert_eq!(plan.needs().transferred, 4 * 31 * 5_000_000);
        assert!((plan.limit(5_000_000) - 65.0).abs() < 1e-9);
    }
}
