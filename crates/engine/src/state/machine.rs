//! The facts about this machine that leases need: its name, its processes, its clock.

use std::path::Path;
use std::time::Duration;

use super::lease::{Holder, Machine};
use super::process::ProcessId;
use crate::clock;

/// The machine that the program runs on.
#[derive(Debug, Default)]
pub struct ThisMachine;

impl Machine for ThisMachine {
    fn now(&self) -> String {
        clock::now()
    }

    fn uptime(&self) -> Duration {
        // CLOCK_MONOTONIC stops during suspend: after waking up, a laptop would still trust a lease that has long
        // expired.
        #[cfg(target_os = "linux")]
        let clock = rustix::time::ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let clock = rustix::time::ClockId::Monotonic;
        rustix::time::clock_gettime(clock).try_into().unwrap_or_default()
    }

    fn holder(&self, run: &str, command: &str) -> Holder {
        let process = std::process::id().cast_signed();
        Holder {
            run: run.to_owned(),
            command: command.to_owned(),
            user: user(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            machine: identity(),
            process,
            process_started: ProcessId::of(process).map_or(0, |id| id.started),
            since: self.now(),
        }
    }

    fn has_ended(&self, holder: &Holder) -> bool {
        let process = ProcessId { pid: holder.process, started: holder.process_started };
        let known = !holder.machine.is_empty() && process.started > 0;
        known && holder.machine == identity() && process.has_ended()
    }
}

/// The user's name, or its number where the environment has no name, as in many pipelines.
fn user() -> String {
    let names = ["USER", "LOGNAME", "USERNAME"].iter().filter_map(|variable| std::env::var(variable).ok());
    let name = names.into_iter().find(|name| !name.is_empty());
    name.unwrap_or_else(|| format!("user ID {}", rustix::process::getuid().as_raw()))
}

/// The machine's boot ID and the namespace of its process IDs, as Linux reports them, with the machine's ID and name:
/// virtual machines that were restored from one snapshot share the boot ID and the namespace. Empty on other systems,
/// where it is never certain that a process has ended.
fn identity() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let space = std::fs::read_link("/proc/self/ns/pid");
    // A /proc that was mounted from outside the namespace shows other processes.
    let own = std::fs::read_link("/proc/self").is_ok_and(|link| link == Path::new(&std::process::id().to_string()));
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    match (boot, space) {
        (Ok(boot), Ok(space)) if own => {
            let names = rustix::system::uname();
            let host = names.nodename().to_string_lossy().into_owned();
            format!("{}/{}/{}/{host}", boot.trim(), space.display(), machine.trim())
        }
        _ => String::new(),
    }
}

/// The default length of a lease.
pub const LEASE: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holder_has_ended_only_if_certain() {
        let mine = ThisMachine.holder("run", "deploy");
        assert!(!mine.machine.is_empty() && mine.machine.contains(mine.host.as_str()), "{}", mine.machine);
        assert!(!ThisMachine.has_ended(&mine));
        let with = |change: fn(&mut Holder)| {
            let mut holder = mine.clone();
            change(&mut holder);
            ThisMachine.has_ended(&holder)
        };
        assert!(with(|holder| holder.process_started += 1), "its ID was reused");
        assert!(with(|holder| holder.process = i32::MAX), "no process has that ID");
        assert!(!with(|holder| holder.process_started = 0), "its start is unknown");
        assert!(!with(|holder| holder.machine.clear()), "its machine is unknown");
        assert!(!with(|holder| holder.machine.push('2')), "a machine of another name");
    }

    #[test]
    fn uptime_increases() {
        let before = ThisMachine.uptime();
        assert!(before > Duration::ZERO && ThisMachine.uptime() >= before);
    }
}
