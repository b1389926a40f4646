//! Whether an environment with a `ttl` has expired, by what its state remembers. Pure.

use jiff::Timestamp;

use super::model::{LastRun, State};
use sftpctl_core::kind::Kind;
use sftpctl_core::spec::ttl::Ttl;

/// The life of an environment. Times are in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// The state knows no deployment: nothing says when its time began.
    NotDeployed,
    /// A teardown was completed after the last deployment.
    TornDown,
    /// It lives until this time.
    Until(i64),
    /// Its time was over at this one.
    Since(i64),
}

impl Expiry {
    /// The life of an environment with this `ttl`, counted from the end of its last deployment, with changes or
    /// without; from the start of one that did not end.
    pub fn of(ttl: &Ttl, state: &State, now: i64) -> Self {
        let Some(from) = state.last_deploy.as_ref().and_then(moment) else { return Self::NotDeployed };
        let is_last = |run: &LastRun| moment(run).is_some_and(|ended| ended >= from);
        let torn_down = |run: &&LastRun| run.command == "teardown" && run.outcome == "done" && is_last(run);
        // A teardown of the orphans alone leaves the rest.
        let stands = state.identities.keys().any(|id| matches!(id.kind(), Some(Kind::Stack | Kind::Server)));
        if state.last_run.as_ref().filter(torn_down).is_some() && !stands {
            return Self::TornDown;
        }
        let end = from.saturating_add_unsigned(ttl.seconds);
        if now < end { Self::Until(end) } else { Self::Since(end) }
    }

    /// The end of its life, before or after now; `None` if nothing is deployed.
    pub fn end(self) -> Option<i64> {
        match self {
            Self::NotDeployed | Self::TornDown => None,
            Self::Until(end) | Self::Since(end) => Some(end),
        }
    }
}

/// The end of a run, or its start if it did not end.
fn moment(run: &LastRun) -> Option<i64> {
    let time = run.finished.as_ref().unwrap_or(&run.started);
    time.parse::<Timestamp>().ok().map(Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;
    use sftpctl_core::kind::NodeId;

    fn run(command: &str, started: &str, finished: Option<&str>, outcome: &str) -> LastRun {
        LastRun {
            command: command.into(),
            started: started.into(),
            finished: finished.map(str::to_owned),
            outcome: outcome.into(),
            by: "sftpctl 0.1.0".into(),
            who: None,
            plan: None,
        }
    }

    fn state(runs: &[LastRun]) -> State {
        let mut state = State::new("99", "111111111111");
        for run in runs {
            state.begins(run.clone());
            if let Some(at) = &run.finished {
                state.ends(&run.outcome, at.clone());
            }
        }
        state
    }

    #[test]
    fn life_is_counted_from_the_last_deployment() {
        let ttl = Ttl { seconds: 3_600, written: "1h".into(), delete_data: false };
        let at = |text: &str| text.parse::<Timestamp>().map(Timestamp::as_second).unwrap_or_default();
        let (start, end) = ("2026-11-24T09:00:00Z", "2026-11-24T09:10:00Z");
        let over = at("2026-11-24T10:10:00Z");
        let deployed = run("deploy", start, Some(end), "done");
        let failed = run("deploy", start, Some(end), "failed");
        let killed = run("deploy", start, None, "running");
        let later = |outcome: &str| run("teardown", end, Some("2026-11-24T09:20:00Z"), outcome);
        let again = run("deploy", "2026-11-24T10:05:00Z", Some("2026-11-24T10:06:00Z"), "done");
        for (runs, now, expected) in [
            (&[][..], over, Expiry::NotDeployed),
            (&[later("done")], over, Expiry::NotDeployed),
            (slice::from_ref(&deployed), over - 1, Expiry::Until(over)),
            (slice::from_ref(&deployed), over, Expiry::Since(over)),
            (&[failed], over, Expiry::Since(over)),
            (&[killed], over, Expiry::Since(over - 600)),
            (&[deployed.clone(), later("done")], over, Expiry::TornDown),
            (&[deployed.clone(), later("failed")], over, Expiry::Since(over)),
            (&[deployed.clone(), later("running")], over, Expiry::Since(over)),
            (&[deployed.clone(), later("done"), again.clone()], over, Expiry::Until(at("2026-11-24T11:06:00Z"))),
            (&[deployed.clone(), again], over, Expiry::Until(at("2026-11-24T11:06:00Z"))),
        ] {
            assert_eq!(Expiry::of(&ttl, &state(runs), now), expected, "{runs:?}");
        }
        let mut without_orphans = state(&[run("deploy", start, Some(end), "done"), later("done")]);
        without_orphans.identities.insert(NodeId::new("us-west-2", Kind::Stack), "s".into());
        assert_eq!(Expiry::of(&ttl, &without_orphans, over), Expiry::Since(over));
    }
}
