//! The environment file: its types, and every fault in it with line, column and a hint. Pure.

pub mod account_defaults;
pub mod arrivals;
pub mod assume_role;
mod checks;
pub mod decrypt;
mod defaults;
pub mod endpoint;
pub mod guard;
pub mod ignore;
pub mod malware;
pub mod model;
pub mod mounts;
mod moved;
pub mod names;
pub mod notify;
mod raw;
mod regions;
pub mod s3_files;
pub mod sftp_address;
pub mod state_place;
mod topics;
pub mod ttl;
pub mod waf;
mod warnings;

pub use crate::yaml::{Fault, Faults};

use model::Environment;

use crate::yaml::{self, Words};

const WORDS: Words = Words {
    what: "an environment file",
    is_one: "one environment",
    schema: "sftpctl schema",
    example: "`environments/99.yaml`",
    settings: schema,
    columns: &[],
};

/// Reads an environment file. `path` is only for messages.
///
/// # Errors
/// All faults of values, in the order of the file; faults of YAML structure, such as unknown settings, without those.
pub fn load(source: &str, path: &str) -> Result<Environment, Faults> {
    let raw = yaml::parse(source, path, &WORDS)?;
    let faults = checks::check(&raw, source);
    if faults.is_empty() { Ok(defaults::fill(raw)) } else { Err(Faults::new(source, path, &WORDS, faults)) }
}

/// Warnings about valid settings.
pub fn warnings(environment: &Environment) -> Vec<String> {
    warnings::all(environment)
}

/// The JSON Schema of the environment file, for editors.
pub fn schema() -> serde_json::Value {
    let mut schema = serde_json::to_value(schemars::schema_for!(raw::File)).unwrap_or_default();
    schema["title"] = "sftpctl environment".into();
    schema
}
