//! `sftpctl-console` as a program, with `/bin/sh` in the place of `sftpctl`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// A console whose program is `/bin/sh`.
fn started(folder: &std::path::Path, more: &[&str]) -> (Child, u16, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sftpctl-console"));
    command.args(["--program", "/bin/sh", "--environment", "99"]).args(more).args(["--", "--env", "99"]);
    command.current_dir(folder).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut address).unwrap();
    let address = address.trim().to_owned();
    let (place, token) = address.strip_prefix("http://127.0.0.1:").unwrap().split_once("/#token=").unwrap();
    (child, place.parse().unwrap(), token.to_owned())
}

fn end(mut child: Child) -> String {
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(child.wait().unwrap().success());
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    errors
}

#[test]
fn the_address_alone_is_on_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, port, token) = started(folder.path(), &[]);
    assert_eq!(token.len(), 64);
    drop(TcpStream::connect(("127.0.0.1", port)).unwrap());
    let mut out = child.stdout.take().unwrap();
    let errors = end(child);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    assert!(errors.contains("The console of environment 99") && errors.contains("It changes nothing"), "{errors}");
    assert!(!errors.contains(&token), "{errors}");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

/// `/bin/sh` does not know the options of a command, and says so on its standard error.
#[test]
fn a_program_that_answers_something_else_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (child, port, token) = started(folder.path(), &["--write"]);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(
        stream,
        "GET /api/guard HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nx-sftpctl-token: {token}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("\"command\":\"sftpctl guard list --env 99 --top=20\""), "{answer}");
    assert!(answer.contains("the command failed and does not say why"), "{answer}");
    let errors = end(child);
    assert!(errors.contains("Whoever has the address can, too"), "{errors}");
}

#[test]
fn wrong_arguments_are_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_sftpctl-console")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--program <PATH>"));
}
