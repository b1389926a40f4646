//! Connections that hold what they can, while a customer is served.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;

use super::limits::front_memory;
use super::noise;
use crate::site::{DEADLINE, Running, Site, succeeded};

const WEST: &str = "us-west-2";
/// Connections without a log-in that the local cloud keeps.
const WAITING: usize = 200;

/// Connections to a port that send these bytes and nothing else.
fn silent(port: u16, count: usize, bytes: &[u8]) -> Vec<TcpStream> {
    let connect = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    };
    std::iter::repeat_with(connect).take(count).collect()
}

#[test]
fn customer_is_served_during_a_flood() {
    let site = Site::deployed("");
    let port = site.port(WEST);
    let (customer, hoarder) = (site.add(5201, "customer", "secret"), site.add(5202, "hoarder", "secret"));
    let before = front_memory(&site);

    let mut hoards = site.paramiko(port, &hoarder);
    let hoards = hoards.arg("hoards").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut hoards = Running(hoards);
    let mut printed = BufReader::new(hoards.0.stdout.take().unwrap());
    let mut line = String::new();
    printed.read_line(&mut line).unwrap();
    assert_eq!(line, "open\n");

    let _heads = silent(site.cloud_port, 200, b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n");
    let mut flood = silent(port, WAITING + 50, b"");
    let content = noise(3_000_001, 5201);
    std::fs::write(site.dir.path().join("up.bin"), &content).unwrap();
    succeeded("a customer", &site.sftp(port, &customer, "put up.bin\nget up.bin back.bin\n"));
    assert!(std::fs::read(site.dir.path().join("back.bin")).unwrap() == content, "the file was changed in transit");
    // One by one, and the customer again: nobody is shut out while the flood lasts.
    flood.extend(silent(port, WAITING, b"SSH-2.0-flood\r\n"));
    succeeded("a customer", &site.sftp(port, &customer, "ls\n"));

    // The oldest have ended, the newest have not.
    let mut greeting = Vec::new();
    let oldest = flood.first_mut().unwrap();
    oldest.set_read_timeout(Some(DEADLINE)).unwrap();
    match oldest.read_to_end(&mut greeting) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "it is still open"),
    }
    let newest = flood.last_mut().unwrap();
    newest.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut first = [0; 8];
    newest.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"SSH-2.0-");
    assert!(site.logs().contains("too many connections without a log-in"), "{}", site.logs());

    // What the hoarder has begun it can finish.
    hoards.0.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    line.clear();
    printed.read_line(&mut line).unwrap();
    assert_eq!(line, "finished\n");
    let grown = front_memory(&site).saturating_sub(before) / 1024;
    // Without a budget its 256 files would take 8 to 12 MB each.
    assert!(grown < 400, "the front grew by {grown} MB");
}

/// The library takes in what a client sends whether or not it reads the answers.
#[test]
fn client_that_reads_no_answers_holds_little_memory_and_gives_it_back() {
    let site = Site::deployed("");
    let (port, deaf) = (site.port(WEST), site.add(5203, "deaf", "secret"));
    let before = front_memory(&site);
    for _ in 0..3 {
        let sent: u64 = site.paramiko_ok(port, &deaf, &["deaf"]).trim().parse().unwrap();
        assert!(sent > 1 << 20 && sent < 64 << 20, "the server took {sent} bytes");
    }
    let grown = front_memory(&site).saturating_sub(before) / 1024;
    assert!(grown < 150, "the front grew by {grown} MB");
    assert!(site.admits(port, &deaf));
}
