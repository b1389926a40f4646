//! `sftpctl package`: builds and checks the authorizer's zip file.

use std::path::PathBuf;

use serde::Serialize;

use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use sftpctl_engine::package::{self, PackageError};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl package --binary target/lambda/sftp-authorizer\n  \
    sftpctl package --binary sftp-authorizer-arm64 --architecture arm64 --out arm64.zip\n\n\
    `scripts/build-authorizer` builds the binary. The same binary always gives the same bytes. `deploy` packages it by \
    itself.")]
pub(super) struct Args {
    /// The authorizer's binary [default: sftp-authorizer beside this program]
    #[arg(long, value_name = "PATH", env = "SFTPCTL_PACKAGE")]
    binary: Option<PathBuf>,
    /// Processor architecture that the binary must be for
    #[arg(long, value_name = "NAME", default_value = "x86_64", value_parser = ["x86_64", "arm64"])]
    architecture: String,
    /// Largest zip file, in MB
    #[arg(long, value_name = "MB", default_value_t = 2.0)]
    max_size: f64,
    /// Where to write the zip file
    #[arg(long, value_name = "FILE", default_value = "sftp-authorizer.zip")]
    out: PathBuf,
}

/// The package, as `package/1`.
#[derive(Serialize)]
struct PackageView<'a> {
    file: &'a str,
    bytes: usize,
    /// First 12 hex digits of the binary's SHA-256, as in the object's key.
    digest: &'a str,
    /// SHA-256 of the file in base64, as Lambda's `CodeSha256`.
    sha256: &'a str,
}

/// Checks the binary, zips it, and writes the file.
pub(super) fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    let path = package::locate(args.binary.as_deref());
    let package = package::build(&path, &args.architecture)
        .and_then(|package| match package.zip().len() {
            bytes if bytes as f64 > args.max_size * 1e6 => Err(PackageError::Large { bytes, most: args.max_size }),
            _ => Ok(package),
        })
        .map_err(|error| {
            CliError::from_error(Exit::Usage, &error, Some(error.hint().replace("--package", "--binary")))
        })?;
    std::fs::write(&args.out, package.zip())
        .map_err(|error| CliError::new(Exit::Usage, format!("cannot write {}: {error}", args.out.display())))?;
    let (out, bytes) = (args.out.display().to_string(), package.zip().len());
    let view = PackageView { file: &out, bytes, digest: package.digest(), sha256: package.sha256() };
    let shown =
        || format!("{out}: {:.2} MB, digest {}, SHA-256 {}", bytes as f64 / 1e6, package.digest(), package.sha256());
    printer.emit("package/1", &view, shown);
    Ok(Exit::Ok)
}
