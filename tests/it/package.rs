//! The authorizer's zip file.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use crate::site::{built, shown, tool, with_input};

fn package(dir: &Path, arguments: &[&str]) -> std::process::Output {
    std::process::Command::new(sftpctl_testkit::programs::sftpctl())
        .arg("package")
        .args(arguments)
        .current_dir(dir)
        .output()
        .unwrap()
}

#[test]
fn packages_are_reproducible_and_unsuitable_binaries_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let binary = built("sftp-authorizer").display().to_string();
    for out in ["one.zip", "two.zip"] {
        let output = package(dir.path(), &["--binary", &binary, "--out", out, "--max-size", "200"]);
        assert!(output.status.success(), "{}", shown(&output));
    }
    // An unoptimized program is too large for a fast cold start.
    let large = package(dir.path(), &["--binary", &binary, "--out", "large.zip"]);
    assert!(large.status.code() == Some(2) && shown(&large).contains("larger than 2 MB"), "{}", shown(&large));
    assert!(!dir.path().join("large.zip").exists());
    let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    assert!(read("one.zip") == read("two.zip"));
    let script = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); \
                  print([(e.filename, oct(e.external_attr >> 16)) for e in z.infolist()])";
    let listed = tool("python3", "python3").args(["-c", script, "one.zip"]).current_dir(dir.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&listed.stdout).trim(), "[('bootstrap', '0o100755')]");

    let other = package(dir.path(), &["--binary", &binary, "--architecture", "arm64"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(shown(&other).contains("arm64"), "{}", shown(&other));
    std::fs::write(dir.path().join("script"), "#!/bin/sh\n").unwrap();
    let script = package(dir.path(), &["--binary", "script"]);
    assert_eq!(script.status.code(), Some(2), "{}", shown(&script));
    let missing = package(dir.path(), &["--binary", "nowhere"]);
    assert!(missing.status.code() == Some(2) && shown(&missing).contains("build"), "{}", shown(&missing));

    // A binary that needs a newer C library than Lambda has.
    let source = b"#include <stdio.h>\nint main(void){puts(\"\");return 0;}\n";
    let built = with_input(tool("cc", "gcc").args(["-x", "c", "-", "-o", "new"]).current_dir(dir.path()), source);
    assert!(built.status.success(), "{}", shown(&built));
    let old = read("new");
    let needed = old.windows(11).position(|window| window.starts_with(b"GLIBC_2.34\0")).unwrap();
    let mut newer = old;
    newer[needed + 8..needed + 10].copy_from_slice(b"99");
    std::fs::write(dir.path().join("newer"), newer).unwrap();
    let newer = package(dir.path(), &["--binary", "newer"]);
    assert!(newer.status.code() == Some(2) && shown(&newer).contains("2.99"), "{}", shown(&newer));

    // A statically linked program needs no C library, whatever symbol names it contains.
    for (flag, out) in [("-static", "alone"), ("-static-pie", "anywhere")] {
        let arguments = ["-x", "c", "-", flag, "-o", out];
        let built = with_input(tool("cc", "gcc").args(arguments).current_dir(dir.path()), source);
        assert!(built.status.success(), "{}", shown(&built));
        let names = read(out).windows(11).any(|window| window == b"\0GLIBC_ABI_");
        assert!(names, "{out} has no such names, so it shows nothing");
        let packed = package(dir.path(), &["--binary", out]);
        assert!(packed.status.success(), "{out}: {}", shown(&packed));
    }
}
