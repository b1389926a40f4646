//! Quotas of the owners of homes, which S3 has not: as the program `quota` says them (quota(1), of the Linux quota tools).

use std::process::{Command, Stdio};

/// Bytes of a block in its output.
const BLOCK: u64 = 1024;

/// A user's quota on a file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    pub file_system: String,
    /// Bytes that the user has there, not only in the home.
    pub bytes: u64,
    /// `None`: no limit.
    pub soft_bytes: Option<u64>,
    pub hard_bytes: Option<u64>,
    pub files: u64,
    pub soft_files: Option<u64>,
    pub hard_files: Option<u64>,
}

/// The quotas of a user; `None` if there is no program to ask.
pub fn of(uid: u32) -> Option<Vec<Quota>> {
    let mut command = Command::new("quota");
    // Without file systems over the network, whose servers may not answer; a line for each; no words for times.
    command.args(["-l", "-w", "-p", "-u", &uid.to_string()]).env("LC_ALL", "C");
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    // It ends with 1 if a quota is exceeded.
    Some(parse(&String::from_utf8_lossy(&output.stdout)))
}

/// Reads the output of `quota -w -p`: file system, blocks, quota, limit, grace, files, quota, limit, grace.
fn parse(text: &str) -> Vec<Quota> {
    // A number that exceeds its quota has an asterisk.
    let number = |text: &str| text.trim_end_matches('*').parse::<u64>().ok();
    let limit = |value: u64| Some(value).filter(|value| *value > 0);
    let line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [file_system, numbers @ ..] = fields.as_slice() else { return None };
        let numbers: Option<Vec<u64>> = numbers.iter().map(|text| number(text)).collect();
        let [blocks, soft, hard, _, files, soft_files, hard_files, _] = *numbers?.as_slice() else { return None };
        let bytes = |blocks: u64| blocks.saturating_mul(BLOCK);
        Some(Quota {
            file_system: (*file_system).to_owned(),
            bytes: bytes(blocks),
            soft_bytes: limit(bytes(soft)),
            hard_bytes: limit(bytes(hard)),
            files,
            soft_files: limit(soft_files),
            hard_files: limit(hard_files),
        })
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As quota 4.06 writes it.
    #[test]
    fn quotas_are_read() {
        let text = "Disk quotas for user jan (uid 1001): \n     Filesystem  blocks   quota   limit   grace   files   quota   \
                    limit   grace\n      /dev/sda1  123456* 100000  200000  1700000000     120       0    1000       0\n";
        let expected = Quota {
            file_system: "/dev/sda1".to_owned(),
            bytes: 123_456 << 10,
            soft_bytes: Some(100_000 << 10),
            hard_bytes: Some(200_000 << 10),
            files: 120,
            soft_files: None,
            hard_files: Some(1000),
        };
        assert_eq!(parse(text), [expected]);
        assert_eq!(parse("Disk quotas for user jan (uid 1001): none\n"), []);
    }
}
