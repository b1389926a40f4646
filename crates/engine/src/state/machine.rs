//! This machine, as leases know it: its name, its processes, its clock.

use std::path::Path;
use std::time::Duration;

use super::lease::{Holder, Machine};
use super::process::ProcessId;

/// The real one.
#[derive(Debug, Default)]
pub struct ThisMachine;

impl Machine for ThisMachine {
    fn now(&self) -> String {
        jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    fn uptime(&self) -> Duration {
        // CLOCK_MONOTONIC stands still in suspend: a laptop that wakes would believe in a lease that is long over.
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
            user: std::env::var("USER").unwrap_or_else(|_| "somebody".to_owned()),
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

/// The last start of the machine and the space of process ids, as Linux tells them, and the machine's own names: virtual
/// machines that were restored from one snapshot share the former. Empty elsewhere, and then no process is ever known to
/// have ended.
fn identity() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let space = std::fs::read_link("/proc/self/ns/pid");
    // A /proc that was mounted from outside tells of other processes than the ids of this one.
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

/// How long a lease is good for where the environment file doesn't say.
pub const LEASE: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_ended_only_where_that_is_certain() {
        let mine = ThisMachine.holder("run", "deploy");
        assert!(!mine.machine.is_empty() && mine.machine.contains(mine.host.as_str()), "{}", mine.machine);
        assert!(!ThisMachine.has_ended(&mine));
        let with = |change: fn(&mut Holder)| {
            let mut holder = mine.clone();
            change(&mut holder);
            ThisMachine.has_ended(&holder)
        };
        assert!(with(|holder| holder.process_started += 1), "its id was given to another process");
        assert!(with(|holder| holder.process = i32::MAX), "no process has that id");
        assert!(!with(|holder| holder.process_started = 0), "nobody knows when it began");
        assert!(!with(|holder| holder.machine.clear()), "nobody knows where it was");
        assert!(!with(|holder| holder.machine.push('2')), "a machine of another name");
    }

    #[test]
    fn the_clock_runs() {
        let before = ThisMachine.uptime();
        assert!(before > Duration::ZERO && ThisMachine.uptime() >= before);
    }
}
