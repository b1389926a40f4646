//! Large uploads, aborted uploads, and many sessions at once.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;
use std::os::unix::fs::FileExt as _;
use std::process::Stdio;

use super::shared;
use crate::site::{DEADLINE, Running, Site, succeeded, tool, until};

const WEST: &str = "us-west-2";
const BUCKET: &str = "pl-pt99-5-uploads";

/// The most memory that the front has used so far, in kB (proc(5), `VmHWM`).
pub(crate) fn front_memory(site: &Site) -> u64 {
    let pid = site.status()["pid"].as_u64().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn gigabyte_upload_uses_little_memory() {
    // A cloud of its own: while MiniStack stores a gigabyte, log-ins wait for its table for longer than they may.
    let site = Site::deployed("");
    let login = site.add(5001, "heavy", "secret");
    // Sparse on disk, a gigabyte on the wire and in the bucket; every megabyte holds its number, so order matters.
    let file = std::fs::File::create(site.dir.path().join("large")).unwrap();
    file.set_len(1 << 30).unwrap();
    for block in 0..1024_u64 {
        file.write_at(format!("megabyte {block}").as_bytes(), block << 20).unwrap();
    }
    file.write_at(b"end", (1 << 30) - 3).unwrap();
    let before = front_memory(&site);
    succeeded("put", &site.sftp(site.port(WEST), &login, "put large\n"));
    let grown = front_memory(&site).saturating_sub(before) / 1024;
    // Eight parts of 8 MiB in flight would be more than half of this.
    assert!(grown < 200, "the front grew by {grown} MB for an upload of 1 GB");
    let listed = succeeded("ls", &site.sftp(site.port(WEST), &login, "ls -l large\n"));
    assert!(listed.contains("1073741824"), "{listed}");
    succeeded("get", &site.sftp(site.port(WEST), &login, "get large back\n"));
    let sum = |name: &str| {
        let output = tool("sha256sum", "coreutils").arg(site.dir.path().join(name)).output().unwrap();
        succeeded(name, &output).split(' ').next().unwrap().to_owned()
    };
    assert_eq!(sum("large"), sum("back"));
    std::fs::remove_file(site.dir.path().join("back")).unwrap();
    succeeded("rm", &site.sftp(site.port(WEST), &login, "rm large\n"));
}

/// "A partial upload occurs when a file is open when the session disconnects" (Transfer API reference, `WorkflowDetails`).
#[test]
fn what_had_arrived_of_a_broken_upload_is_an_object() {
    let site = shared();
    let login = site.add(5002, "broken.off", "secret");
    for size in ["100000", "30000000"] {
        site.paramiko_ok(site.port(WEST), &login, &["breaks-off", &format!("half-{size}"), size]);
    }
    until("the last upload is an object", || {
        (site.oracle("door.py", &["keys", BUCKET, "5002/"]) == r#"["5002/", "5002/half-100000", "5002/half-30000000"]"#)
            .then_some(())
    });
    assert_eq!(site.oracle("door.py", &["uploads", BUCKET]), "0");
    let listed = succeeded("ls", &site.sftp(site.port(WEST), &login, "ls -l\n"));
    assert!(listed.contains(" 100000 ") && listed.contains(" 30000000 "), "{listed}");
}

#[test]
fn fifty_customers_can_connect_at_once() {
    let site = shared();
    let login = site.add(5003, "crowd", "secret");
    site.paramiko_ok(site.port(WEST), &login, &["crowd", "50"]);
}

#[test]
fn idle_unresponsive_and_unauthenticated_connections_are_closed() {
    let times = ["--sftp-idle-time", "8s", "--sftp-unresponsive-time", "4s", "--sftp-log-in-time", "15s"];
    let site = Site::with_times(&[&["--server-start-time", "200ms"], &times[..]].concat());
    site.deploy();
    let port = site.port(WEST);
    let ended = |why: &str, user: &str| {
        let log = std::fs::read_to_string(site.dir.path().join(".sftpctl/local/front.log")).unwrap();
        let is = |line: &&str| line.contains("ended") && line.contains(why) && line.contains(user);
        log.lines().find(is).map(str::to_owned)
    };
    let mut silent = TcpStream::connect(("127.0.0.1", port)).unwrap();

    // OpenSSH answers every keep-alive request.
    let idler = site.add(5101, "idler", "secret");
    let mut command = site.openssh("ssh", &idler);
    command.args(["-s", "-p", &port.to_string(), "idler@127.0.0.1", "sftp"]);
    let mut idle = Running(command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());

    // A stopped process cannot.
    let stopped = site.add(5102, "stopped", "secret");
    let mut command = site.paramiko(port, &stopped);
    let command = command.args(["stays", "x"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut stopped = Running(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(stopped.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "open");
    succeeded("stop", &tool("kill", "procps").args(["-STOP", &stopped.0.id().to_string()]).output().unwrap());
    until("the stopped client is disconnected", || ended("unresponsive", "stopped"));

    until("the idle client ends", || idle.0.try_wait().unwrap());
    assert!(ended("idle", "idler").is_some(), "{}", site.logs());
    assert_eq!(ended("unresponsive", "idler"), None);

    silent.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut greeting = Vec::new();
    silent.read_to_end(&mut greeting).unwrap();
    assert!(greeting.starts_with(b"SSH-2.0-"));
}
