//! The files of a mount below `/etc`: systemd units and the record. Pure.
//!
//! A service and not a mount unit, which cannot be restarted when its program dies (systemd#30137).

use std::path::Path;

use sftpctl_core::spec::mounts::MountKind;

use super::launch::{launch, uses_disk};
use super::record::{FOLDER, Record};
use super::tool;

/// A file that an installation writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Absolute.
    pub path: String,
    pub text: String,
}

/// A link that an installation makes, which is what enables a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub path: String,
    pub target: String,
}

const UNITS: &str = "/etc/systemd/system";

/// How often a mount is checked, and what a check does. The canary writes, which makes versions and costs money, so it is
/// rarer; what it alone finds (a full disk, S3 that refuses to write) also fails the next write of the application.
const CHECKS: [(&str, &str, &str); 2] = [("check", "4s", " --no-canary"), ("canary", "10min", "")];

/// Seconds without an answer after which the timers call a mount hung, which they find 15 s after it began at the latest; and
/// seconds more until they abort it: restarting a mount that is only slow breaks the uploads in progress.
const DEADLINE: u32 = 9;
const CONFIRM: u32 = 10;

/// The first systemd that knows every directive of the units of a kind: `StartLimitIntervalSec` as a setting of `[Unit]` came
/// with 230, `Restart` for services of the type `oneshot` with 244 (systemd's NEWS). Older ones ignore the first, and do not
/// load a unit with the second.
pub fn least_systemd(kind: MountKind) -> u32 {
    if tool::stays(kind) { 230 } else { 244 }
}

/// The version in what `systemctl --version` prints: `systemd 252 (252.39-1~deb12u1)`.
pub fn systemd_version(text: &str) -> Option<u32> {
    let word = text.strip_prefix("systemd ")?.split(|c: char| !c.is_ascii_digit()).next()?;
    word.parse().ok()
}

/// The name of the service.
pub fn service(record: &Record) -> String {
    format!("sftpctl-mount-{}.service", record.mount.name())
}

fn unit(record: &Record, check: &str, kind: &str) -> String {
    format!("sftpctl-mount-{}-{check}.{kind}", record.mount.name())
}

/// The path of the record.
pub fn record_path(record: &Record) -> String {
    format!("{FOLDER}/{}.json", record.mount.name())
}

/// All files; `sftpctl` is the path of this program.
pub fn files(record: &Record, sftpctl: &Path) -> Vec<File> {
    let mut files = vec![
        File { path: record_path(record), text: serde_json::to_string_pretty(record).unwrap_or_default() + "\n" },
        File { path: format!("{UNITS}/{}", service(record)), text: service_text(record, sftpctl) },
    ];
    for (check, every, options) in CHECKS {
        let of = |kind: &str| format!("{UNITS}/{}", unit(record, check, kind));
        files.push(File { path: of("service"), text: check_text(record, sftpctl, options) });
        files.push(File { path: of("timer"), text: timer_text(record, every) });
    }
    files
}

/// All links.
pub fn links(record: &Record) -> Vec<Link> {
    let service = service(record);
    let link = |folder: &str, unit: &str| Link {
        path: format!("{UNITS}/{folder}.wants/{unit}"),
        target: format!("{UNITS}/{unit}"),
    };
    // The timers begin and end with the service, so that a service that somebody stops stays stopped.
    let timers = CHECKS.map(|(check, _, _)| link(&service, &unit(record, check, "timer")));
    std::iter::once(link("multi-user.target", &service)).chain(timers).collect()
}

const HEAD: &str = "# Written by `sftpctl mounts install`, which overwrites changes.\n";

fn service_text(record: &Record, sftpctl: &Path) -> String {
    let Some(launch) = launch(record) else { return String::new() };
    let (name, _) = tool::program(record.mount.kind);
    let (at, bucket, sftpctl) = (&record.mount.at, &record.bucket, quoted(&sftpctl.to_string_lossy()));
    let command: Vec<String> = launch.arguments.iter().map(|word| quoted(word)).collect();
    let variables = launch.environment.iter().map(|(name, value)| format!("Environment={name}={value}\n"));
    format!(
        "{HEAD}[Unit]
Description=Bucket {bucket} at {at} ({name})
Wants=network-online.target
After=network-online.target
{needs}StartLimitIntervalSec=0

[Service]
{kind}{variables}ExecStartPre=-/bin/umount --lazy --no-canonicalize {at}
ExecStart={command}
# Units that need the mount start when it answers.
ExecStartPost={sftpctl} mounts check --at {at} --no-canary --wait 60
ExecStop=/bin/umount --no-canonicalize {at}
ExecStopPost=-/bin/umount --lazy --no-canonicalize {at}
RestartSec=5
# Long enough for uploads to end.
TimeoutStopSec=600
KillMode=mixed
OOMScoreAdjust=-500
LimitNOFILE=65536
# Nothing here may need a mount namespace of its own, such as PrivateTmp: the mount would be invisible.

[Install]
WantedBy=multi-user.target
",
        needs = if uses_disk(record.mount.kind) {
            format!("RequiresMountsFor={}\n", record.mount.cache)
        } else {
            String::new()
        },
        kind = match tool::stays(record.mount.kind) {
            true => "Type=simple\nRestart=always\n",
            // The program ends when it has mounted; what it leaves behind is restarted by the watchdog of its package.
            false => "Type=oneshot\nRemainAfterExit=yes\nRestart=on-failure\nTimeoutStartSec=180\n",
        },
        variables = variables.collect::<String>(),
        command = command.join(" "),
    )
}

fn check_text(record: &Record, sftpctl: &Path, options: &str) -> String {
    let at = &record.mount.at;
    format!(
        "{HEAD}[Unit]
Description=Check of {at}
After={service}
# Not if somebody has stopped it.
Requisite={service}

[Service]
Type=oneshot
ExecStart={sftpctl} mounts heal --at {at} --deadline {DEADLINE} --confirm {CONFIRM}{options}
# Another heal is at work.
SuccessExitStatus=5
TimeoutStartSec=180
",
        service = service(record),
        sftpctl = quoted(&sftpctl.to_string_lossy()),
    )
}

fn timer_text(record: &Record, every: &str) -> String {
    let service = service(record);
    format!(
        "{HEAD}[Unit]
Description=Checks of {at}
PartOf={service}

[Timer]
OnActiveSec={every}
OnUnitInactiveSec={every}
AccuracySec=1s

[Install]
WantedBy={service}
",
        at = record.mount.at,
    )
}

/// A word of a unit's command line (systemd.service(5), "Command lines").
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@+=:,./_-".contains(c);
    if word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("\"{}\"", word.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$"))
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    #[test]
    fn systemd_has_to_know_the_directives() {
        for (text, version) in [
            ("systemd 252 (252.39-1~deb12u1)\n+PAM +AUDIT", Some(252)),
            ("systemd 219\n+PAM", Some(219)),
            ("systemd 257.4-1-arch (257.4)", Some(257)),
            ("OpenRC 0.54", None),
            ("", None),
        ] {
            assert_eq!(systemd_version(text), version, "{text}");
        }
        for kind in [MountKind::S3fs, MountKind::Mountpoint, MountKind::Rclone, MountKind::S3files] {
            let text = service_text(&record(kind, "3.2.0"), Path::new("/usr/bin/sftpctl"));
            // A service that ends by itself and is restarted.
            let needs_new = text.contains("Type=oneshot") && text.contains("Restart=on-failure");
            assert_eq!(least_systemd(kind), if needs_new { 244 } else { 230 }, "{kind:?}");
        }
    }

    #[test]
    fn a_service_restarts_and_is_protected() {
        let of_s3fs = record(MountKind::S3fs, "1.90");
        let files = files(&of_s3fs, Path::new("/opt/my tools/sftpctl"));
        let names: Vec<&str> = files.iter().map(|file| file.path.rsplit_once('/').unwrap().1).collect();
        assert_eq!(
            names,
            [
                "sftp.json",
                "sftpctl-mount-sftp.service",
                "sftpctl-mount-sftp-check.service",
                "sftpctl-mount-sftp-check.timer",
                "sftpctl-mount-sftp-canary.service",
                "sftpctl-mount-sftp-canary.timer"
            ]
        );
        for line in [
            "Restart=always",
            "StartLimitIntervalSec=0",
            "OOMScoreAdjust=-500",
            "RequiresMountsFor=/var/cache/sftpctl/sftp",
            "ExecStartPost=\"/opt/my tools/sftpctl\" mounts check --at /sftp --no-canary --wait 60",
        ] {
            assert!(files[1].text.lines().any(|found| found == line), "{line}: {}", files[1].text);
        }
        let of_s3_files = super::files(&record(MountKind::S3files, "3.2.0"), Path::new("/usr/bin/sftpctl"));
        let lines: Vec<&str> = of_s3_files[1].text.lines().collect();
        for line in ["Type=oneshot", "RemainAfterExit=yes", "Restart=on-failure"] {
            assert!(lines.contains(&line), "{line}: {lines:?}");
        }
        assert!(!of_s3_files[1].text.contains("RequiresMountsFor"), "{lines:?}");
        // The interval, the timer's accuracy and the deadline, with time for two programs to start.
        let interval: u32 = CHECKS[0].1.trim_end_matches('s').parse().unwrap();
        assert!(files[3].text.contains("AccuracySec=1s") && interval + 1 + DEADLINE < 15);
        assert!(files[2].text.contains("--no-canary") && !files[4].text.contains("--no-canary"));
        assert!(files[3].text.contains("PartOf=sftpctl-mount-sftp.service\n"), "{}", files[3].text);
        let links = links(&of_s3fs);
        assert_eq!(links[0].path, "/etc/systemd/system/multi-user.target.wants/sftpctl-mount-sftp.service");
        assert_eq!(links.len(), 3);
        assert_eq!(quoted("a%b $c\"d\\"), r#""a%%b $$c\"d\\""#);
    }
}
