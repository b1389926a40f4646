//! `sftpctl package`: the authorizer's zip file, built and checked.

use std::path::PathBuf;

use clap::Args;

use super::common::Look;
use crate::exit::{CliError, Exit};
use crate::report::output::{self, Output};
use sftpctl_engine::package::{self, PackageError};

/// Which binary, and where to.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  scripts/build-authorizer && sftpctl package --binary target/lambda/sftp-authorizer\n  \
    sftpctl package --binary target/aarch64-unknown-linux-gnu/lambda/sftp-authorizer --architecture arm64\n\n\
    The same binary always gives the same bytes. `deploy` does this by itself."
)]
pub(super) struct PackageArgs {
    /// The authorizer's binary [default: sftp-authorizer beside this program]
    #[arg(long, value_name = "PATH", env = "SFTPCTL_PACKAGE")]
    binary: Option<PathBuf>,
    /// Processor architecture that it must be for
    #[arg(long, value_name = "NAME", default_value = "x86_64", value_parser = ["x86_64", "arm64"])]
    architecture: String,
    /// The most that the zip file may have, in MB
    #[arg(long, value_name = "N", default_value_t = 2.0)]
    max_size: f64,
    /// The zip file
    #[arg(long, value_name = "FILE", default_value = "sftp-authorizer.zip")]
    out: PathBuf,
}

/// Checks, zips, writes.
pub(super) fn run(args: &PackageArgs, look: Look) -> Result<Exit, CliError> {
    let path = package::locate(args.binary.as_deref());
    let (content, digest) = package::build(&path, &args.architecture)
        .and_then(|package| Ok((package.zip()?, package.digest().to_owned())))
        .and_then(|(zip, digest)| match zip.len() {
            bytes if bytes as f64 > args.max_size * 1e6 => Err(PackageError::Large { bytes, most: args.max_size }),
            _ => Ok((zip, digest)),
        })
        .map_err(|error| CliError::from_error(Exit::Usage, &error, Some(error.hint().to_owned())))?;
    std::fs::write(&args.out, content.as_slice())
        .map_err(|error| CliError::new(Exit::Usage, format!("cannot write {}: {error}", args.out.display())))?;
    let (out, bytes) = (args.out.display().to_string(), content.len());
    match look.output {
        Output::Json => {
            output::json("package/1", &serde_json::json!({ "file": out, "bytes": bytes, "digest": digest }))
        }
        _ => output::data(&format!("{out}: {:.2} MB, digest {digest}", bytes as f64 / 1e6)),
    }
    Ok(Exit::Ok)
}
