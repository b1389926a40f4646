//! What is packaged: the version and its commit, the programs, their manual pages and completions, the formula, the
//! image.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sftpctl_testkit::programs::root;

use crate::site::{built, shown, succeeded, tool};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The build script of the programs, compiled into a folder of its own.
struct BuildScript(tempfile::TempDir);

impl BuildScript {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut rustc = tool("rustc", "rustc");
        rustc.args(["--edition", "2024", "--out-dir"]).arg(folder.path()).arg(root().join("build.rs"));
        succeeded("rustc", &rustc.output().unwrap());
        Self(folder)
    }

    /// The version that a build in a folder would print, and the files whose change makes it anew.
    fn version(&self, folder: &Path, variables: &[(&str, &str)]) -> (String, Vec<String>) {
        let mut script = Command::new(self.0.path().join("build"));
        script.env("CARGO_PKG_VERSION", "1.2.3").env("CARGO_MANIFEST_DIR", folder).env("PROFILE", "release");
        // The folder of the tests may be inside a repository, and may not be asked.
        script
            .env_remove("SFTPCTL_COMMIT")
            .env("GIT_CEILING_DIRECTORIES", self.0.path())
            .envs(variables.iter().copied());
        let output = script.current_dir(folder).output().unwrap();
        succeeded("build.rs", &output);
        let text = String::from_utf8(output.stdout).unwrap();
        let after = |start: &str| {
            text.lines().filter_map(|line| line.strip_prefix(start)).map(str::to_owned).collect::<Vec<_>>()
        };
        let version = after("cargo::rustc-env=SFTPCTL_VERSION=");
        assert_eq!(version.len(), 1, "{text}");
        (version[0].clone(), after("cargo::rerun-if-changed="))
    }
}

/// Runs git in a folder, without anybody's settings.
fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut git = tool("git", "git");
    git.args(["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]).args(arguments);
    git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null").current_dir(folder);
    let output = git.output().unwrap();
    succeeded("git", &output);
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[test]
fn version_has_the_commit_wherever_one_is_known() {
    let script = BuildScript::new();
    let top = script.0.path().join("checkout");
    let member = top.join("crates/console");
    fs::create_dir_all(&member).unwrap();
    fs::create_dir_all(top.join("packaging")).unwrap();
    fs::copy(root().join("packaging/commit"), top.join("packaging/commit")).unwrap();
    fs::copy(root().join(".gitattributes"), top.join(".gitattributes")).unwrap();
    fs::write(member.join("main.rs"), "fn main() {}\n").unwrap();
    assert_eq!(script.version(&member, &[]), ("1.2.3".to_owned(), Vec::new()), "sources without git");

    git(&top, &["init", "--quiet"]);
    assert_eq!(script.version(&member, &[]).0, "1.2.3", "a repository without a commit");
    git(&top, &["add", "."]);
    git(&top, &["commit", "--quiet", "--message", "first"]);
    let commit = git(&top, &["rev-parse", "HEAD"]);
    let named = format!("1.2.3 ({})", &commit[..12]);
    let (version, watched) = script.version(&member, &[]);
    assert_eq!(version, named);
    for name in [".git/HEAD", ".git/refs/heads/main", "crates"] {
        assert!(watched.iter().any(|path| path.ends_with(&format!("/{name}"))), "{name}: {watched:?}");
    }
    assert_eq!(script.version(&top, &[]).0, named, "the same for the program at the root");
    // Notes beside the sources change nothing in the programs; the sources do.
    fs::write(top.join("notes.txt"), "").unwrap();
    assert_eq!(script.version(&member, &[]).0, named);
    fs::write(member.join("main.rs"), "fn main() { loop {} }\n").unwrap();
    assert_eq!(script.version(&member, &[]).0, format!("1.2.3 ({}, changed)", &commit[..12]));
    // What a pipeline says goes first; a build for the tests asks nobody.
    assert_eq!(script.version(&member, &[("SFTPCTL_COMMIT", "0123abc")]).0, "1.2.3 (0123abc)");
    assert_eq!(script.version(&member, &[("PROFILE", "debug")]), ("1.2.3 (debug build)".to_owned(), Vec::new()));
}

#[test]
fn version_of_an_unpacked_archive_is_that_of_its_commit() {
    let script = BuildScript::new();
    let (other, archive) = (script.0.path().join("other"), script.0.path().join("archive.tar"));
    fs::create_dir_all(other.join("vendor/packaging")).unwrap();
    fs::copy(root().join("packaging/commit"), other.join("vendor/packaging/commit")).unwrap();
    fs::copy(root().join(".gitattributes"), other.join("vendor/.gitattributes")).unwrap();
    git(&other, &["init", "--quiet"]);
    git(&other, &["add", "."]);
    git(&other, &["commit", "--quiet", "--message", "somebody else's repository"]);
    // Sources inside the repository of something else are not of its commit.
    assert_eq!(script.version(&other.join("vendor"), &[]).0, "1.2.3");

    git(&other.join("vendor"), &["init", "--quiet"]);
    git(&other.join("vendor"), &["add", "."]);
    git(&other.join("vendor"), &["commit", "--quiet", "--message", "ours"]);
    let commit = git(&other.join("vendor"), &["rev-parse", "HEAD"]);
    git(&other.join("vendor"), &["archive", "--output", archive.to_str().unwrap(), "HEAD"]);
    let unpacked = script.0.path().join("unpacked");
    fs::create_dir(&unpacked).unwrap();
    succeeded("tar", &tool("tar", "tar").arg("-xf").arg(&archive).arg("-C").arg(&unpacked).output().unwrap());
    assert_eq!(script.version(&unpacked, &[]).0, format!("1.2.3 ({})", &commit[..12]));
}

#[test]
fn every_program_says_its_version() {
    for name in ["sftpctl", "sftpctl-console", "sftpctl-local"] {
        for option in ["--version", "-V"] {
            let output = Command::new(built(name)).arg(option).output().unwrap();
            succeeded(name, &output);
            let said = String::from_utf8(output.stdout).unwrap();
            assert!(said.starts_with(&format!("{name} {VERSION}")), "{said}");
        }
    }
}

/// What a package holds, by the path below `/usr` or below its own folder.
struct Package(BTreeMap<String, PathBuf>);

impl Package {
    /// Unpacks an archive of a release, and the Debian package, below a folder; the prefix is left out of the paths.
    fn unpacked(from: &Path, folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        let is_deb = from.extension().unwrap() == "deb";
        let mut command = if is_deb { tool("dpkg-deb", "dpkg") } else { tool("tar", "tar") };
        if is_deb {
            command.arg("--extract").arg(from).arg(folder);
        } else {
            command.arg("-xzf").arg(from).arg("-C").arg(folder);
        }
        succeeded("unpacking", &command.output().unwrap());
        let tops: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(tops.len(), 1, "one folder at the top: {tops:?}");
        let mut files = BTreeMap::new();
        let mut open = vec![tops[0].clone()];
        while let Some(folder) = open.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    open.push(path);
                } else {
                    files.insert(path.strip_prefix(&tops[0]).unwrap().to_str().unwrap().to_owned(), path);
                }
            }
        }
        Self(files)
    }

    fn names(&self, folder: &str) -> BTreeSet<&str> {
        self.0.keys().filter_map(|path| path.strip_prefix(folder)).collect()
    }

    /// A file's text, also of one that gzip compressed.
    fn text(&self, path: &str) -> String {
        let file = self.0.get(path).unwrap_or_else(|| panic!("there is no {path}: {:?}", self.0.keys()));
        if path.ends_with(".gz") {
            return succeeded("gzip", &tool("gzip", "gzip").arg("-dc").arg(file).output().unwrap());
        }
        fs::read_to_string(file).unwrap()
    }
}

/// The programs of this build in a folder, each behind a script that runs it, since a debug build has hundreds of
/// megabytes.
fn programs(folder: &Path) -> PathBuf {
    let programs = folder.join("programs");
    fs::create_dir_all(&programs).unwrap();
    for name in ["sftpctl", "sftpctl-console", "sftpctl-local", "sftp-authorizer"] {
        let script = format!("#!/bin/sh\nexec '{}' \"$@\"\n", built(name).display());
        fs::write(programs.join(name), script).unwrap();
        fs::set_permissions(programs.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    programs
}

/// Packs the programs of this build.
fn packed(folder: &Path, options: &[&str]) -> Output {
    let mut package = tool("python3", "python3");
    package.arg(root().join("scripts/package")).arg("--programs").arg(programs(folder)).args(options);
    package.env("PYTHONDONTWRITEBYTECODE", "1").env("TZ", "Asia/Tokyo").output().unwrap()
}

/// The names of the manual pages of a command and all those below it that are not hidden.
fn pages(command: &clap::Command, name: &str, all: &mut BTreeSet<String>) {
    all.insert(format!("{name}.1.gz"));
    for below in command.get_subcommands().filter(|below| below.get_name() != "help" && !below.is_hide_set()) {
        pages(below, &format!("{name}-{}", below.get_name()), all);
    }
}

#[test]
fn packages_hold_each_program_with_its_pages_completions_and_licences() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    succeeded("scripts/package", &packed(folder.path(), &["--trial", "--out", out.to_str().unwrap()]));
    let file = |name: &str| -> PathBuf {
        let found: Vec<_> = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path()).collect();
        let matching = |path: &&PathBuf| {
            let file = path.file_name().unwrap().to_str().unwrap();
            let (start, end) = name.split_once('*').unwrap();
            file.starts_with(start) && file.ends_with(end)
        };
        found.iter().find(matching).unwrap_or_else(|| panic!("no {name}: {found:?}")).clone()
    };
    for (name, programs, with_commands) in [
        ("sftpctl", ["sftp-authorizer", "sftpctl", "sftpctl-console"].as_slice(), "sftpctl"),
        ("sftpctl-local", &["sftpctl-local"], "sftpctl-local"),
    ] {
        let deb = file(&format!("{name}_{VERSION}-1_*.deb"));
        let package = Package::unpacked(&deb, &folder.path().join(format!("{name}-deb")));
        // Nothing with production credentials is installed with an emulator.
        assert_eq!(package.names("bin/"), programs.iter().copied().collect(), "{name}");
        let manual = package.names("share/man/man1/");
        for program in programs {
            let page = package.text(&format!("share/man/man1/{program}.1.gz"));
            // The console's is the page of `sftpctl console`, which has no version of its own.
            let version = if *program == "sftpctl-console" { "" } else { VERSION };
            assert!(page.contains(".TH") && page.contains(version), "{program}: {page}");
            let bom: serde_json::Value =
                serde_json::from_str(&package.text(&format!("share/doc/{name}/{program}.cdx.json"))).unwrap();
            let licences = package.text(&format!("share/doc/{name}/THIRD-PARTY-LICENCES.txt.gz"));
            let components = bom["components"].as_array().unwrap();
            let linked = components.iter().filter(|one| one["scope"] == "required" && one["purl"].is_string());
            for one in linked {
                let text = |key: &str| one[key].as_str().unwrap();
                assert!(licences.contains(&format!("{} {} (", text("name"), text("version"))), "{program}: {one}");
            }
        }
        let completions = [
            format!("share/bash-completion/completions/{with_commands}"),
            format!("share/zsh/vendor-completions/_{with_commands}"),
            format!("share/fish/vendor_completions.d/{with_commands}.fish"),
        ];
        for completion in completions {
            assert!(package.text(&completion).contains(with_commands), "{completion}");
        }
        let documents = |file: &str| package.text(&format!("share/doc/{name}/{file}"));
        assert!(documents("copyright").contains("License: MIT or Apache-2.0"));
        assert!(documents("changelog.gz").contains(&format!("## [{VERSION}] - ")));
        assert!(documents("changelog.Debian.gz").starts_with(&format!("{name} ({VERSION}-1) ")));
        if name == "sftpctl" {
            let mut wanted = BTreeSet::new();
            pages(&sftpctl::commands::command(), "sftpctl", &mut wanted);
            // The page of `sftpctl local` is in the package of the program that it runs.
            wanted.retain(|page| !page.starts_with("sftpctl-local"));
            let missing: Vec<_> = wanted.iter().filter(|page| !manual.contains(page.as_str())).collect();
            assert!(missing.is_empty() && wanted.len() > 80, "{missing:?}");
            assert!(!manual.iter().any(|page| page.starts_with("sftpctl-local")), "{manual:?}");
            for document in ["README.md", "docs/packages.md", "environments/99.yaml", "examples/shop.yaml"] {
                let there = fs::read_to_string(root().join(document)).unwrap();
                assert!(package.text(&format!("share/sftpctl/{document}")) == there, "{document}");
            }
            // Debian's slim images leave out the others.
            let in_doc = package.names("share/doc/sftpctl/");
            assert!(!in_doc.iter().any(|path| path.contains('/') || path.ends_with(".md")), "{in_doc:?}");
        } else {
            assert!(manual.contains("sftpctl-local-faults-add.1.gz"), "{manual:?}");
        }
        let field = |field: &str| {
            let output = tool("dpkg-deb", "dpkg").arg("--field").arg(&deb).arg(field).output().unwrap();
            succeeded("dpkg-deb", &output).trim_end().to_owned()
        };
        let depends = field("Depends");
        let depends: Vec<&str> = depends.split(", ").collect();
        let wanted = match name {
            "sftpctl" => vec!["ca-certificates".to_owned()],
            _ => vec![format!("sftpctl (= {VERSION}-1)"), "python3 (>= 3.10)".to_owned(), "python3-venv".to_owned()],
        };
        assert!(wanted.iter().all(|one| depends.contains(&one.as_str())), "{name}: {depends:?}");
        assert_eq!((field("Package"), field("Version")), (name.to_owned(), format!("{VERSION}-1")));

        // The archive for other systems has the same, and the licences that Debian has already.
        let tar =
            Package::unpacked(&file(&format!("{name}-{VERSION}-*.tar.gz")), &folder.path().join(format!("{name}-tar")));
        let debian = ["copyright", "changelog.Debian.gz"].map(|file| format!("share/doc/{name}/{file}"));
        let same: BTreeSet<String> = package.0.keys().filter(|path| !debian.contains(path)).cloned().collect();
        let in_tar = tar.0.keys().filter(|path| !path.contains("/LICENSE-"));
        let in_tar: BTreeSet<String> =
            in_tar.map(|path| path.replace("zsh/site-functions", "zsh/vendor-completions")).collect();
        assert_eq!(in_tar, same, "{name}");
        assert_eq!(tar.names(&format!("share/doc/{name}/LICENSE-")), ["APACHE", "MIT"].into());
    }
    let sums = tool("sha256sum", "coreutils").args(["--check", "--quiet", "SHA256SUMS"]).current_dir(&out).output();
    succeeded("sha256sum", &sums.unwrap());
    // Packed again, in another place and at another time, the bytes are the same.
    let again = folder.path().join("again");
    let options = ["--trial", "--only", "sftpctl-local", "--out", again.to_str().unwrap()];
    succeeded("scripts/package", &packed(folder.path(), &options));
    let sums = |folder: &Path| {
        let text = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
        text.lines().filter(|line| line.contains("sftpctl-local")).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    assert_eq!(sums(&again), sums(&out));
    assert_eq!(sums(&again).len(), 3);
    // The formula builds from these sources.
    let formula = fs::read_to_string(out.join("sftpctl.rb")).unwrap();
    let sources = format!("sftpctl-{VERSION}.tar.gz");
    let sum = fs::read_to_string(out.join("SHA256SUMS")).unwrap();
    let sum = sum.lines().find_map(|line| line.strip_suffix(&format!("  {sources}"))).unwrap();
    assert!(formula.contains(&format!("sha256 \"{sum}\"")), "{formula}");
}

#[test]
fn programs_that_no_release_should_have_are_not_packed() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let arguments = ["--out", out.to_str().unwrap()];
    let refused = packed(folder.path(), &arguments);
    assert!(refused.status.code() == Some(1) && shown(&refused).contains("--trial"), "{}", shown(&refused));
    // A program that was built at another time.
    let old = folder.path().join("old");
    fs::write(&old, format!("#!/bin/sh\necho sftpctl-local {VERSION} '(0123456789ab)'\n")).unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o755)).unwrap();
    let mut package = tool("python3", "python3");
    package.arg(root().join("scripts/package")).arg("--programs").arg(folder.path().join("programs")).args(arguments);
    fs::rename(&old, folder.path().join("programs/sftpctl-local")).unwrap();
    let refused = package.arg("--trial").output().unwrap();
    assert!(refused.status.code() == Some(1) && shown(&refused).contains("several versions"), "{}", shown(&refused));
    fs::remove_file(folder.path().join("programs/sftpctl-console")).unwrap();
    let refused = package.output().unwrap();
    assert!(refused.status.code() == Some(1) && shown(&refused).contains("not built: "), "{}", shown(&refused));
    assert!(!out.join("SHA256SUMS").exists());
}

/// Whatever names the version names this one.
#[test]
fn version_is_the_same_everywhere() {
    let read = |name: &str| fs::read_to_string(root().join(name)).unwrap();
    let formula = read("packaging/homebrew/sftpctl.rb");
    assert!(formula.contains(&format!("/sftpctl-{VERSION}.tar.gz\"\n")), "{formula}");
    // What it installs is shown by scripts/try-formula, which runs it.
    for document in ["README.md", "docs/packages.md"] {
        let text = read(document);
        let debs: BTreeSet<&str> = text
            .split("sftpctl_")
            .skip(1)
            .filter_map(|rest| rest.split_once("-1_amd64.deb"))
            .map(|(version, _)| version)
            .collect();
        assert_eq!(debs, [VERSION].into(), "{document}");
    }
    let changes = read("CHANGELOG.md");
    let (unreleased, released) = (changes.find("\n## [Unreleased]\n"), changes.find(&format!("\n## [{VERSION}] - 20")));
    assert!(unreleased.is_some() && unreleased < released, "{unreleased:?}, {released:?}");
}

/// The recorded session of the README: small, told in words, and without anything of the machine that it ran on.
#[test]
fn recorded_session_is_small_and_says_what_it_shows() {
    let picture = fs::read_to_string(root().join("docs/session.svg")).unwrap();
    assert!(picture.len() < 20_000, "{} B", picture.len());
    for part in
        ["role=\"img\"", "<title id=\"t\">", "<desc id=\"d\">", "prefers-reduced-motion", "$ sftpctl deploy --env 99"]
    {
        assert!(picture.contains(part), "{part}");
    }
    assert!(
        !["/tmp/", "/root", "/home/", "<script", "http://127"].iter().any(|word| picture.contains(word)),
        "{picture}"
    );
    // Its words have the numbers of what it shows, and so has the text in its place in the README.
    let (_, words) = picture.split_once("<desc id=\"d\">").unwrap();
    let described = tool("python3", "python3")
        .args(["-c", DESCRIBES])
        .current_dir(root())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert_eq!(succeeded("the description", &described), words.split("</desc>").next().unwrap());
    let steps = picture.split_once(">Plan: ").unwrap().1.split(' ').next().unwrap();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let text = readme.lines().find_map(|line| line.strip_suffix("](docs/session.svg)")).unwrap();
    assert!(text.contains(&format!(" creates {steps} resources in ")), "{text}");
}

/// Prints how scripts/record-session describes the lines of docs/session.svg.
const DESCRIBES: &str = r#"
import html, importlib.machinery, importlib.util, pathlib, re, sys
loader = importlib.machinery.SourceFileLoader("record_session", "scripts/record-session")
script = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
loader.exec_module(script)
rows = re.findall(r"<text [^>]*>(.*?)</text>", pathlib.Path("docs/session.svg").read_text())
lines = [(0, html.unescape(re.sub(r"<[^>]*>", "", row)), False) for row in rows]
sys.stdout.write(script.description(lines))
"#;

/// What the image has: its own command for it is run, with the programs of this build, and folders of the test.
#[test]
fn image_has_the_programs_and_documents() {
    let image = fs::read_to_string(root().join("Dockerfile")).unwrap();
    let (_, run) = image.split_once("\nRUN scripts/package ").unwrap();
    let run = run.split("\n\n").next().unwrap().replace("\\\n", " ");
    let folder = tempfile::tempdir().unwrap();
    let (packages, installed) = (folder.path().join("packages"), folder.path().join("installed"));
    let run = run.replace("/packages", packages.to_str().unwrap()).replace("/installed", installed.to_str().unwrap());
    programs(folder.path());
    let script =
        format!("python3 scripts/package --trial --programs '{}' {run}", folder.path().join("programs").display());
    let mut bash = tool("bash", "bash");
    bash.args(["-e", "-c", &script]).current_dir(root()).env("PYTHONDONTWRITEBYTECODE", "1");
    succeeded("the image's command", &bash.output().unwrap());
    for path in [
        "bin/sftpctl",
        "bin/sftpctl-console",
        "bin/sftp-authorizer",
        "share/man/man1/sftpctl.1.gz",
        "share/sftpctl/environments/99.yaml",
    ] {
        assert!(installed.join(path).is_file(), "{path}");
    }
    assert!(!installed.join("bin/sftpctl-local").exists());
    // The programs say the commit, although the sources come without git.
    let commit = image.find("\nARG SFTPCTL_COMMIT=\n");
    assert!(commit.is_some() && commit < image.find("\nRUN scripts/package "), "{image}");
    assert!(image.contains("COPY --from=build /installed/ /usr/local/"), "{image}");
    assert!(fs::read_to_string(root().join(".dockerignore")).unwrap().lines().any(|line| line == ".git"));
}

/// What could not be packed is refused before anything is built, which takes many minutes.
#[test]
fn targets_that_cannot_be_packed_are_refused_at_once() {
    let other = if cfg!(target_arch = "x86_64") { "aarch64" } else { "x86_64" };
    for (target, message) in [
        (format!("{other}-unknown-linux-gnu"), "do not run on this machine"),
        (format!("{}-unknown-freebsd", std::env::consts::ARCH), "packages are for Linux on x86_64 or aarch64"),
        ("riscv64gc-unknown-linux-gnu".to_owned(), "no Debian architecture is known for riscv64gc-unknown-linux-gnu"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut package = tool("python3", "python3");
        package.arg(root().join("scripts/package")).args(["--target", &target]).env("PYTHONDONTWRITEBYTECODE", "1");
        // Cargo would build into this folder.
        let output = package.env("CARGO_TARGET_DIR", folder.path()).output().unwrap();
        assert!(output.status.code() == Some(1) && shown(&output).contains(message), "{target}: {}", shown(&output));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{target}");
    }
}

/// The packages are tried in a root of their own, never in that of this machine, by whatever name.
#[test]
fn packages_are_not_tried_in_this_machines_root() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/", folder.path().join("root")).unwrap();
    for name in [Path::new("/"), &folder.path().join("root")] {
        let mut script = tool("bash", "bash");
        let output = script.arg(root().join("scripts/try-package")).arg(folder.path()).arg(name).output().unwrap();
        assert!(output.status.code() == Some(1) && shown(&output).contains("is this machine's own root"), "{output:?}");
    }
}
