//! `sftpctl package`: what Lambda can run, the same bytes every time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use crate::site::{shown, succeeded};

const BINARY: &str = env!("CARGO_BIN_EXE_sftp-authorizer");

fn package(folder: &Path, binary: &str, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sftpctl"));
    command.args(["package", "--binary", binary]).args(more).current_dir(folder).output().unwrap()
}

#[test]
fn the_same_program_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for out in ["one.zip", "two.zip"] {
        succeeded(out, &package(folder.path(), BINARY, &["--out", out]));
    }
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert!(read("one.zip") == read("two.zip"));
    let listed = Command::new("python3").args(["-m", "zipfile", "-l", "one.zip"]).current_dir(folder.path()).output();
    let listed = succeeded("zipfile", &listed.unwrap());
    assert!(listed.lines().count() == 2 && listed.contains("bootstrap"), "{listed}");
}

#[test]
fn what_lambda_cannot_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |what: &str, content: &[u8], more: &[&str], said: &str| {
        std::fs::write(folder.path().join("program"), content).unwrap();
        let output = package(folder.path(), "program", more);
        assert_eq!(output.status.code(), Some(2), "{what}: {}", shown(&output));
        assert!(shown(&output).contains(said), "{what}: {}", shown(&output));
        assert!(!folder.path().join("sftp-authorizer.zip").exists(), "{what}");
    };
    let binary = std::fs::read(BINARY).unwrap();
    refused("another machine", &binary, &["--architecture", "arm64"], "it is built for x86_64");
    refused("a script", b"#!/bin/sh\n", &[], "no 64-bit ELF");
    let newer = [&binary[..], b"\0GLIBC_2.38\0"].concat();
    refused("a newer glibc", &newer, &[], "it needs glibc 2.38");
    let output = package(folder.path(), "not-there", &[]);
    assert!(shown(&output).contains("scripts/build-authorizer"), "{}", shown(&output));
}
