//! What the machine itself does meanwhile, from the kernel's counters: the answer to "is it the host or the service?".

use std::fs;

use serde::{Deserialize, Serialize};

/// The machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    pub name: String,
    pub processors: usize,
    pub model: String,
    /// Bytes of memory.
    pub memory: u64,
    pub kernel: String,
    pub system: String,
    /// Mbit/s of the fastest network device that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<u64>,
}

/// Counters at one moment: ticks of processors and bytes of network devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Busy and all ticks of each processor.
    processors: Vec<(u64, u64)>,
    received: u64,
    sent: u64,
    loopback: u64,
}

/// What happened between two moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Load {
    /// Share of all processors that was busy, 0 to 1.
    pub busy: f64,
    /// That of the busiest one.
    pub busiest: f64,
    /// Bytes of network devices other than the loopback.
    pub received: u64,
    pub sent: u64,
    /// Bytes of the loopback.
    pub loopback: u64,
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

impl Machine {
    /// This machine.
    pub fn here() -> Self {
        let info = read("/proc/cpuinfo");
        let field = |name: &str| {
            let line = info.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
        };
        let memory = read("/proc/meminfo");
        let kb = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().split(' ').next()?.parse().ok());
        let system = read("/etc/os-release");
        let pretty = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
        let devices = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
        let speeds = devices.filter_map(|device| {
            let text = fs::read_to_string(device.path().join("speed")).ok()?;
            text.trim().parse::<u64>().ok()
        });
        Self {
            name: read("/proc/sys/kernel/hostname").trim().to_owned(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            model: field("model name").or_else(|| field("CPU implementer")).unwrap_or_default(),
            memory: kb.unwrap_or(0_u64) * 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            system: pretty.unwrap_or_default().trim_matches('"').to_owned(),
            link: speeds.max().filter(|speed| *speed > 0),
        }
    }
}

impl Counters {
    /// The counters now.
    pub fn now() -> Self {
        Self::of(&read("/proc/stat"), &read("/proc/net/dev"))
    }

    /// From the texts of `/proc/stat` and `/proc/net/dev` (proc(5)).
    fn of(stat: &str, net: &str) -> Self {
        let processors = stat.lines().filter_map(|line| {
            let (name, rest) = line.split_once(' ')?;
            name.strip_prefix("cpu").filter(|number| !number.is_empty())?;
            // user nice system idle iowait irq softirq steal; guests are part of user and nice.
            let ticks: Vec<u64> = rest.split_whitespace().take(8).filter_map(|tick| tick.parse().ok()).collect();
            let all: u64 = ticks.iter().sum();
            let idle: u64 = ticks.iter().skip(3).take(2).sum();
            Some((all - idle, all))
        });
        let mut counters = Self { processors: processors.collect(), ..Self::default() };
        for line in net.lines() {
            let Some((name, rest)) = line.split_once(':') else { continue };
            let values: Vec<u64> = rest.split_whitespace().filter_map(|value| value.parse().ok()).collect();
            let (received, sent) = (values.first().copied().unwrap_or(0), values.get(8).copied().unwrap_or(0));
            if name.trim() == "lo" {
                counters.loopback += sent;
            } else {
                counters.received += received;
                counters.sent += sent;
            }
        }
        counters
    }

    /// What happened until a later moment.
    pub fn until(&self, later: &Self) -> Load {
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = |busy: u64, all: u64| if all == 0 { 0.0 } else { busy as f64 / all as f64 };
        let (mut busy, mut all, mut busiest) = (0, 0, 0.0_f64);
        for (before, after) in self.processors.iter().zip(&later.processors) {
            let (was_busy, passed) = (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
            busy += was_busy;
            all += passed;
            busiest = busiest.max(share(was_busy, passed));
        }
        Load {
            busy: share(busy, all),
            busiest,
            received: later.received.saturating_sub(self.received),
            sent: later.sent.saturating_sub(self.sent),
            loopback: later.loopback.saturating_sub(self.loopback),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_as_the_manual_says() {
        let stat = |one: u64, other: u64| {
            format!(
                "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 {one} 0 10 70 20 0 0 0 0 0\ncpu1 {other} 0 0 100 0 0 0 0 0 0\nintr 5\n"
            )
        };
        let net = |bytes: u64| {
            format!(
                "Inter-|   Receive  |  Transmit\n face |bytes\n    lo: 5 0 0 0 0 0 0 0 {bytes} 0 0 0 0 0 0 0\n  \
                 eth0: {bytes} 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n"
            )
        };
        let (before, after) = (Counters::of(&stat(0, 0), &net(100)), Counters::of(&stat(90, 0), &net(400)));
        assert_eq!(before.processors, [(10, 100), (0, 100)]);
        let load = before.until(&after);
        assert!((load.busiest - 1.0).abs() < 1e-9 && (load.busy - 1.0).abs() < 1e-9, "{load:?}");
        assert_eq!((load.received, load.sent, load.loopback), (300, 0, 300));
        assert_eq!(before.until(&before), Load::default());
    }

    #[test]
    fn this_machine_has_a_name_and_processors() {
        let machine = Machine::here();
        assert!(machine.processors > 0 && !machine.kernel.is_empty(), "{machine:?}");
        assert!(!Counters::now().processors.is_empty());
    }
}
