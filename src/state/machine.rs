//! This machine, as leases know it: its name, its processes, its clock.

use std::time::Duration;

use super::lease::{Holder, Machine};
use crate::process::ProcessId;

/// The real one.
#[derive(Debug, Default)]
pub struct ThisMachine;

impl Machine for ThisMachine {
    fn now(&self) -> String {
        jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
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
        let (pid, started) = (holder.process, holder.process_started);
        !holder.machine.is_empty() && holder.machine == identity() && !ProcessId { pid, started }.is_alive()
    }
}

/// The last start of the machine and the space of process ids, as Linux tells them; empty elsewhere, and then no process
/// is ever known to have ended.
fn identity() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let space = std::fs::read_link("/proc/self/ns/pid");
    match (boot, space) {
        (Ok(boot), Ok(space)) => format!("{}/{}", boot.trim(), space.display()),
        _ => String::new(),
    }
}

/// How long a lease is good for where the environment file doesn't say.
pub const LEASE: Duration = Duration::from_secs(20);
