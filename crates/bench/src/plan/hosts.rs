//! The machines that a plan file names for `bench hosts`. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;
use sftpctl_core::yaml::Checker;

/// The seconds of [`Host::silence`] that are possible.
pub const SILENCE: std::ops::RangeInclusive<u32> = 2..=3600;
/// What a machine's name may be.
pub const NAME_HINT: &str = "write MACHINE, USER@MACHINE or an alias of your ssh_config, which also takes a port";

/// A machine, and how it is reached where that differs from the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// As `ssh` knows it.
    pub name: String,
    /// A file for `ssh -F`, in place of the user's.
    pub ssh_config: Option<PathBuf>,
    /// The program `sftpctl` there.
    pub program: Option<String>,
    /// Seconds that it may say nothing.
    pub silence: Option<u32>,
}

/// How a machine of `bench hosts` is reached.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHost {
    /// File for `ssh -F`, in place of the user's
    ssh_config: Option<PathBuf>,
    /// The program sftpctl on the machine, by its path or name [default: sftpctl]
    #[schemars(with = "Option<String>")]
    program: Option<Spanned<String>>,
    /// Seconds that it may say nothing before it is given up [default: 30]
    #[schemars(with = "Option<u32>")]
    silence: Option<Spanned<u32>>,
}

/// Whether this is a machine for `ssh`, and not an option or something for a shell.
pub fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@._-:%[]".contains(c);
    !name.is_empty() && name.len() <= 200 && !name.starts_with('-') && name.chars().all(is_plain)
}

/// The machines of a plan file, by their names.
pub(super) fn hosts(raw: Option<&Spanned<BTreeMap<String, Spanned<RawHost>>>>, check: &mut Checker<'_>) -> Vec<Host> {
    let Some(raw) = raw else { return Vec::new() };
    if raw.value.is_empty() {
        check.fault(raw, "`hosts` names no machine").hint = Some("write `app-1: {}` below it, or remove it".into());
    }
    let mut all = Vec::new();
    for (name, host) in &raw.value {
        if !is_name(name) {
            check.key_fault(name, host, format!("`{name}` is not a machine for ssh")).hint = Some(NAME_HINT.into());
        }
        let RawHost { ssh_config, program, silence } = &host.value;
        check.between(silence.as_ref(), "the number of seconds of silence", *SILENCE.start(), *SILENCE.end());
        if let Some(program) = program.as_ref().filter(|program| program.value.trim().is_empty()) {
            check.fault(program, "`program` is empty").hint = Some("write the path of sftpctl, or remove it".into());
        }
        all.push(Host {
            name: name.clone(),
            ssh_config: ssh_config.clone(),
            program: program.as_ref().map(|program| program.value.clone()),
            silence: silence.as_ref().map(|silence| silence.value),
        });
    }
    all
}
