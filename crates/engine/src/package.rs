//! The authorizer's package: checks the binary, and zips it reproducibly.

mod elf;

use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;

use crate::limited;
use sftpctl_core::hex;

/// The version of glibc in `provided.al2023`: a binary that needs a newer one does not start there.
const GLIBC: (u32, u32) = (2, 34);

/// Largest binary in bytes: Lambda takes 250 MB, unzipped (Lambda developer guide, "Lambda quotas").
const LARGEST: u64 = 250 << 20;

/// Bytes of a binary that is packed for speed if it is larger. The authorizer as it is deployed has some 5 MB, a debug
/// build of it 32 MB: each command would spend more time on packing it than on all the rest.
const PACKED_FAST_ABOVE: usize = 16 << 20;

/// The package could not be created.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    #[error("the authorizer's binary is not at {}", .0.display())]
    Missing(PathBuf),
    #[error("cannot read {}", .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// Lambda could not run the binary.
    #[error("{}: {reason}", path.display())]
    Unfit { path: PathBuf, reason: String },
    #[error("the zip file is {:.2} MB, larger than {most} MB: a cold start loads all of it", *bytes as f64 / 1e6)]
    Large { bytes: usize, most: f64 },
    #[error("cannot write the zip file: {0}")]
    Zip(#[from] zip::result::ZipError),
    #[error("cannot write the zip file: {0}")]
    Io(#[from] std::io::Error),
}

impl PackageError {
    pub fn hint(&self) -> &'static str {
        "build it with `scripts/build-authorizer`, or name another with --package"
    }
}

/// The path of the binary: `chosen`, or beside the running program.
pub fn locate(chosen: Option<&Path>) -> PathBuf {
    if let Some(path) = chosen {
        return path.to_owned();
    }
    let folder = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned)).unwrap_or_default();
    folder.join("sftp-authorizer")
}

/// A zip file with the binary. Every run needs its digest, to compare it with what is in AWS.
#[derive(Debug)]
pub struct Package {
    digest: String,
    zip: Vec<u8>,
    sha256: String,
}

impl Package {
    /// A package of any bytes, unchecked; takes some tenths of a second of CPU time.
    ///
    /// # Errors
    /// The zip writer failed.
    pub fn new(binary: &[u8]) -> Result<Self, PackageError> {
        let zip = zip(binary)?;
        let sha256 = STANDARD.encode(Sha256::digest(&zip));
        Ok(Self { digest: hex::encode(&Sha256::digest(binary)[..6]), zip, sha256 })
    }

    /// The first 12 hex digits of the binary's SHA-256.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The zip file; the same bytes for the same binary.
    pub fn zip(&self) -> &[u8] {
        &self.zip
    }

    /// The zip file's SHA-256 in base64, as S3 and Lambda (`CodeSha256`) give it.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

/// Reads and checks the binary, and zips it.
///
/// # Errors
/// The binary does not exist or cannot be read, or Lambda could not run it.
pub fn build(path: &Path, architecture: &str) -> Result<Package, PackageError> {
    Package::new(&read(path, architecture)?)
}

/// Reads and checks the binary.
///
/// # Errors
/// It does not exist or cannot be read, or Lambda could not run it.
pub fn read(path: &Path, architecture: &str) -> Result<Vec<u8>, PackageError> {
    let binary = match limited::read(path, LARGEST) {
        Ok(binary) => binary,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(PackageError::Missing(path.to_owned()));
        }
        Err(error) => return Err(PackageError::Unreadable(path.to_owned(), error)),
    };
    check(&binary, architecture).map_err(|reason| PackageError::Unfit { path: path.to_owned(), reason })?;
    Ok(binary)
}

/// A zip file with one entry, of fixed time and mode, so that the same binary gives the same bytes.
fn zip(binary: &[u8]) -> Result<Vec<u8>, PackageError> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        // A cold start loads all of it. Measured on the authorizer as it is deployed: 2.05 MB at the usual level, 1.97
        // MB.
        .compression_level(Some(if binary.len() > PACKED_FAST_ABOVE { 1 } else { 9 }))
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o755);
    writer.start_file("bootstrap", options)?;
    writer.write_all(binary)?;
    Ok(writer.finish()?.into_inner())
}

/// Checks that Lambda can run it: an ELF program for the right machine that does not need a newer glibc. The string
/// table contains the names of the versions that a program needs, such as `GLIBC_2.34`; in a static program they are
/// its own.
fn check(binary: &[u8], architecture: &str) -> Result<(), String> {
    let machine = match binary {
        [0x7f, b'E', b'L', b'F', 2, 1, ..] if binary.len() > 20 => u16::from_le_bytes([binary[18], binary[19]]),
        _ => return Err("it is not a 64-bit ELF program".to_owned()),
    };
    let name = match machine {
        62 => "x86_64",
        183 => "arm64",
        _ => "another machine",
    };
    if name != architecture {
        return Err(format!("it is built for {name}, the environment requires {architecture}"));
    }
    if elf::is_static(binary) {
        return Ok(());
    }
    if let Some(version) = newer_abi_version(binary) {
        return Err(format!(
            "it needs {version} of a glibc newer than {}.{}, which provided.al2023 has",
            GLIBC.0, GLIBC.1
        ));
    }
    let newest = newest_glibc(binary);
    match newest.filter(|version| *version > GLIBC) {
        Some((major, minor)) => {
            Err(format!("it needs glibc {major}.{minor}; provided.al2023 has {}.{}", GLIBC.0, GLIBC.1))
        }
        None => Ok(()),
    }
}

/// The name of a version that marks a feature of the loader instead of a number. The first, `GLIBC_ABI_DT_RELR`, was
/// added in glibc 2.36.
fn newer_abi_version(binary: &[u8]) -> Option<String> {
    const MARK: &[u8] = b"\0GLIBC_ABI_";
    let at = memchr::memmem::find(binary, MARK)? + 1;
    let rest = &binary[at..];
    let end = rest.iter().take(64).position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(&rest[..end]).into_owned())
}

fn newest_glibc(binary: &[u8]) -> Option<(u32, u32)> {
    const MARK: &[u8] = b"\0GLIBC_";
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<u32>().ok();
    memchr::memmem::find_iter(binary, MARK)
        .filter_map(|at| {
            let rest = &binary[at + MARK.len()..];
            let end = rest.iter().take(12).position(|byte| *byte == 0)?;
            let mut parts = rest[..end].split(|byte| *byte == b'.');
            Some((number(parts.next()?)?, number(parts.next()?)?))
        })
        .max()
}

#[cfg(test)]
mod tests {
    use super::elf::tests::{LOADED, elf as with_segments};
    use super::*;

    fn elf(machine: u16, needs: &str) -> Vec<u8> {
        with_segments(machine, LOADED, format!("\0GLIBC_2.17\0{needs}\0").as_bytes())
    }

    #[test]
    fn only_binaries_for_lambda_are_packed() {
        assert_eq!(check(&elf(62, "GLIBC_2.34"), "x86_64"), Ok(()));
        assert!(check(&elf(62, "GLIBC_2.36"), "x86_64").is_err_and(|e| e.contains("needs glibc 2.36")));
        let relr = check(&elf(62, "GLIBC_ABI_DT_RELR"), "x86_64");
        assert!(relr.is_err_and(|e| e.contains("GLIBC_ABI_DT_RELR")));
        let alone = with_segments(62, &[(1, &[])], b"\0GLIBC_ABI_DT_RELR\0GLIBC_2.36\0");
        assert_eq!(check(&alone, "x86_64"), Ok(()));
        assert!(check(&elf(183, ""), "x86_64").is_err_and(|e| e.contains("built for arm64")));
        assert!(check(b"#!/bin/sh", "x86_64").is_err());
    }

    #[test]
    fn zip_is_reproducible() {
        let first = zip(b"program").unwrap();
        assert_eq!(first, zip(b"program").unwrap());
        let mut archive = zip::ZipArchive::new(Cursor::new(first)).unwrap();
        let entry = archive.by_index(0).unwrap();
        assert_eq!(entry.name().unwrap(), "bootstrap");
        assert_eq!(entry.unix_mode().map(|mode| mode & 0o777), Some(0o755));
    }
}
