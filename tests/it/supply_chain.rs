//! What the releases are built from, and what the tests install: it is pinned, listed, and the lists are true.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use sftpctl_testkit::programs::root;

use crate::site::{shown, succeeded, tool};

/// The crates whose programs are released, with the names of these programs.
const RELEASED: [(&str, &str); 4] = [
    ("sftpctl", "sftpctl"),
    ("sftpctl-console", "sftpctl-console"),
    ("sftpctl-local", "sftpctl-local-cloud"),
    ("sftp-authorizer", "sftp-authorizer"),
];

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    succeeded("cargo", &output);
    String::from_utf8(output.stdout).unwrap()
}

/// The checksum of each package in Cargo.lock, by name and version; this workspace's own have none.
fn locked() -> BTreeMap<(String, String), Option<String>> {
    let text = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let field = |package: &str, name: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(&format!("{name} = \"")))?;
        Some(line.trim_end_matches('"').to_owned())
    };
    let packages = text.split("[[package]]\n").skip(1);
    packages
        .map(|package| {
            let key = (field(package, "name").unwrap(), field(package, "version").unwrap());
            (key, field(package, "checksum"))
        })
        .collect()
}

/// Each crate of Cargo's tree for a package, with its name and version.
fn tree(package: &str, edges: &str) -> BTreeSet<(String, String)> {
    let target = "x86_64-unknown-linux-gnu";
    let lines = cargo(&["tree", "--locked", "-p", package, "--target", target, "-e", edges, "--prefix", "none"]);
    let crates = lines.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>());
    crates.map(|parts| (parts[0].to_owned(), parts[1].trim_start_matches('v').to_owned())).collect()
}

/// What has production credentials has nothing in it that serves, or that imitates AWS.
#[test]
fn program_has_no_server_among_its_dependencies() {
    let crates = |package: &str| tree(package, "normal").into_iter().map(|(name, _)| name).collect::<BTreeSet<_>>();
    let servers = ["russh", "russh-sftp", "axum", "sftpctl-console", "sftpctl-local-cloud", "sftpctl-testkit"];
    let program = crates("sftpctl");
    assert!(program.contains("aws-sdk-transfer") && !servers.iter().any(|name| program.contains(*name)), "{program:?}");
    let local = crates("sftpctl-local-cloud");
    assert!(local.contains("russh") && local.contains("axum"), "{local:?}");
    // What serves a page cannot call AWS: it starts the program that can.
    let console = crates("sftpctl-console");
    assert!(console.contains("axum") && !console.contains("sftpctl-aws"), "{console:?}");
    assert!(!console.iter().any(|name| name.starts_with("aws-") || name.starts_with("rustls")), "{console:?}");
}

#[test]
fn bill_of_materials_has_every_crate_of_a_release_once() {
    let folder = tempfile::tempdir().unwrap();
    let output = tool("python3", "python3").arg(root().join("scripts/sbom")).arg(folder.path()).output().unwrap();
    succeeded("scripts/sbom", &output);
    let locked = locked();
    for (program, package) in RELEASED {
        let text = fs::read_to_string(folder.path().join(format!("{program}.cdx.json"))).unwrap();
        // Neither the checkout's folder nor Cargo's, nor a user's, in whatever place.
        for foreign in ["file:", "/home/", "/root", "/tmp", &root().display().to_string()] {
            assert!(!text.contains(foreign), "{program}: {foreign}");
        }
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["bomFormat"], "CycloneDX");
        assert_eq!(document["metadata"]["component"]["name"], program);
        let components = document["components"].as_array().unwrap();
        let mut listed = BTreeSet::from([(package.to_owned(), env!("CARGO_PKG_VERSION").to_owned())]);
        let mut linked = listed.clone();
        for component in components {
            let field = |name: &str| component[name].as_str().unwrap().to_owned();
            let key = (field("name"), field("version"));
            let checksum = locked.get(&key).unwrap_or_else(|| panic!("{key:?} is not in Cargo.lock"));
            assert_eq!(component["hashes"][0]["content"].as_str(), checksum.as_deref(), "{key:?}");
            assert_eq!(component["purl"].is_string(), checksum.is_some(), "{key:?}: a package URL of our own crate");
            assert!(!component["licenses"][0]["expression"].as_str().unwrap().is_empty(), "{key:?}");
            if field("scope") == "required" {
                linked.insert(key.clone());
            }
            assert!(listed.insert(key.clone()), "{program}: {key:?} twice");
        }
        assert_eq!(listed, tree(package, "normal,build"), "{program}");
        assert_eq!(linked, tree(package, "normal,no-proc-macro"), "{program}");
        // Each is a dependency of another.
        let edges = document["dependencies"].as_array().unwrap().iter();
        let used: BTreeSet<&str> =
            edges.flat_map(|entry| entry["dependsOn"].as_array().unwrap()).map(|name| name.as_str().unwrap()).collect();
        let refs = components.iter().map(|component| component["bom-ref"].as_str().unwrap());
        assert_eq!(used, refs.collect(), "{program}");
        // Of all programs, only the local cloud has an SSH server.
        assert_eq!(linked.iter().any(|(name, _)| name == "russh"), program == "sftpctl-local");
    }
}

/// The rows of docs/dependencies.md as they must begin: name, version, licence and repository of each crate that a
/// crate of a release depends on directly.
fn direct_dependencies() -> BTreeSet<String> {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--locked", "--format-version", "1"])).unwrap();
    let by_id = |list: &Value| -> BTreeMap<String, Value> {
        let entries = list.as_array().unwrap().iter();
        entries.map(|entry| (entry["id"].as_str().unwrap().to_owned(), entry.clone())).collect()
    };
    let (packages, nodes) = (by_id(&metadata["packages"]), by_id(&metadata["resolve"]["nodes"]));
    let released =
        |package: &Value| package["source"].is_null() && RELEASED.iter().any(|(_, name)| package["name"] == *name);
    let mut open: Vec<&String> = packages.iter().filter(|(_, package)| released(package)).map(|(id, _)| id).collect();
    assert_eq!(open.len(), RELEASED.len());
    let (mut seen, mut rows) = (BTreeSet::new(), BTreeSet::new());
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        for dependency in nodes[id]["deps"].as_array().unwrap() {
            if dependency["dep_kinds"].as_array().unwrap().iter().all(|kind| kind["kind"] == "dev") {
                continue;
            }
            let (id, package) = packages.get_key_value(dependency["pkg"].as_str().unwrap()).unwrap();
            if package["source"].is_null() {
                open.push(id);
                continue;
            }
            let text = |name: &str| package[name].as_str().unwrap();
            let repository = text("repository").split("github.com/").last().unwrap().split("/tree/").next().unwrap();
            let repository = repository.trim_end_matches('/').trim_end_matches(".git");
            rows.insert(format!("| {} | {} | {} | {repository} |", text("name"), text("version"), text("license")));
        }
    }
    rows
}

#[test]
fn documented_dependencies_are_those_of_the_releases() {
    let document = fs::read_to_string(root().join("docs/dependencies.md")).unwrap();
    let rows = document.lines().filter(|line| line.starts_with("| ")).skip(1);
    let documented: BTreeSet<String> = rows
        .map(|row| {
            let cells: Vec<&str> = row.split(" | ").collect();
            assert!(cells.len() == 6 && cells[4].len() > 2 && cells[5].len() > 4, "no use or no reason: {row}");
            format!("{} |", cells[..4].join(" | "))
        })
        .collect();
    let wanted = direct_dependencies();
    let missing: Vec<_> = wanted.difference(&documented).collect();
    let outdated: Vec<_> = documented.difference(&wanted).collect();
    assert!(
        missing.is_empty() && outdated.is_empty(),
        "docs/dependencies.md lacks {missing:#?}, and has {outdated:#?}"
    );
}

/// What pip and npm install has hashes, and the files name no address, which would bind them to one package index.
#[test]
fn lock_files_have_hashes_and_no_addresses() {
    let folder = root().join("supply-chain");
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let mut names = Vec::new();
    for entry in fs::read_dir(folder.join("python")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().unwrap() != "in" {
            continue;
        }
        names.push(path.file_stem().unwrap().to_str().unwrap().to_owned());
        let text = read(&path.with_extension("txt"));
        assert!(!text.contains("://"), "{}", path.display());
        assert!(text.contains("\n--require-hashes\n--only-binary :all:\n"), "{}", path.display());
        let packages = text.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_alphanumeric()));
        assert!(packages.clone().count() > 0);
        // Each is continued by its hashes.
        let hashed = |line: &&str| text.contains(&format!("\n{line}\n    --hash=sha256:")) && line.contains("==");
        assert!(packages.clone().all(|line| hashed(&line)), "{}", path.display());
        // Whatever was asked for is there, in the version that was asked for.
        for wanted in read(&path).lines().filter(|line| line.contains("==")) {
            let (name, version) = wanted.split_once("==").unwrap();
            let wanted = format!("{}=={version} \\", name.split('[').next().unwrap());
            assert!(
                packages.clone().any(|line| line == wanted),
                "{}: run scripts/lock-tools: {wanted}",
                path.display()
            );
        }
    }
    names.sort();
    assert_eq!(names, ["local-cloud", "moto", "probe", "sdist", "tests", "uv", "zigbuild"]);

    let read = |name: &str| -> Value { serde_json::from_str(&read(&folder.join("node").join(name))).unwrap() };
    let (manifest, lock) = (read("package.json"), read("package-lock.json"));
    assert!(!lock.to_string().contains("://"));
    let mut packages = lock["packages"].as_object().unwrap().clone();
    assert_eq!(packages.remove("").unwrap()["dependencies"], manifest["dependencies"]);
    assert!(packages.len() >= manifest["dependencies"].as_object().unwrap().len());
    for (name, package) in packages {
        assert!(package["integrity"].as_str().is_some_and(|hash| hash.starts_with("sha512-")), "{name}");
    }
}

/// The script that builds the authorizer, with a program in place of Cargo that writes `content` as the built binary.
fn build_authorizer(content: &str) -> (std::process::Output, String) {
    let folder = tempfile::tempdir().unwrap();
    let stub = folder.path().join("cargo");
    let script = "#!/bin/sh\n[ \"$1\" = fetch ] && exit\nmkdir -p \"$CARGO_TARGET_DIR/lambda\"\n\
                  printf %s \"$CONTENT\" >\"$CARGO_TARGET_DIR/lambda/sftp-authorizer\"\n\
                  { echo \"$*\"; echo \"$CARGO_ENCODED_RUSTFLAGS\" | tr '\\037' '\\n'; } >\"$CARGO_TARGET_DIR/seen\"\n";
    fs::write(&stub, script).unwrap();
    fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).unwrap();
    let cargo_home = folder.path().join("cargo home of somebody");
    fs::create_dir_all(cargo_home.join("registry/src/mirror-1234")).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let output = Command::new(root().join("scripts/build-authorizer"))
        .env("PATH", path)
        .env("CARGO_HOME", &cargo_home)
        .env("CARGO_TARGET_DIR", folder.path())
        .env("CONTENT", content.replace("CARGO_HOME", &cargo_home.display().to_string()))
        .env("RUSTFLAGS", "-Cdebuginfo=0")
        .output()
        .unwrap();
    let seen = fs::read_to_string(folder.path().join("seen")).unwrap();
    (output, seen.replace(&cargo_home.display().to_string(), "CARGO_HOME"))
}

/// The build itself takes minutes: scripts/check-reproducible does it twice, in different folders, and compares.
#[test]
fn authorizer_is_built_without_the_paths_of_this_machine() {
    let (output, seen) = build_authorizer("/source/src/main.rs /cargo/src/ring-0.17");
    succeeded("scripts/build-authorizer", &output);
    let checkout = root().display().to_string();
    assert!(seen.starts_with("build --locked --profile lambda --package sftp-authorizer "), "{seen}");
    for map in [
        format!("{checkout}=/source"),
        "CARGO_HOME=/cargo".into(),
        "CARGO_HOME/registry/src/mirror-1234=/cargo/src".into(),
    ] {
        assert!(seen.contains(&format!("\n--remap-path-prefix={map}\n")), "{map}: {seen}");
    }
    assert!(seen.contains("\n-Cdebuginfo=0\n"), "the caller's own flags are kept: {seen}");
    for content in [format!("{checkout}/src/main.rs"), "CARGO_HOME/registry/src/mirror-1234/ring-0.17".to_owned()] {
        let (refused, _) = build_authorizer(&content);
        assert_eq!(refused.status.code(), Some(1), "{}", shown(&refused));
        assert!(shown(&refused).contains("another checkout would build different bytes"), "{}", shown(&refused));
    }
}
