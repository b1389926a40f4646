//! A running `sftpctl console`, and requests to it as they are on the wire.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;

use crate::site::{DEADLINE, Site, until};

/// A console, which is stopped when this is dropped.
pub struct Console {
    child: Child,
    pub address: String,
    pub port: u16,
}

/// An answer of the console: its status, its head in lower case, and its body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Console {
    /// The console of environment 99 on this site's local cloud, with more arguments.
    pub fn start(site: &Site, more: &[&str]) -> Self {
        let mut command = site.command(&["console", "--env", "99", "--local", "--output", "json"]);
        let mut child = command.args(more).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let started: Value = serde_json::from_str(&line).unwrap_or_else(|error| {
            let mut errors = String::new();
            child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
            panic!("{error}: {line}{errors}")
        });
        let address = started["address"].as_str().unwrap().to_owned();
        let port = address.split(['/', ':', '#']).filter_map(|part| part.parse().ok()).next().unwrap();
        Self { child, address, port }
    }

    pub fn token(&self) -> &str {
        self.address.split_once("#token=").unwrap().1
    }

    /// Sends a request, with a host of this machine unless there is one among the headers.
    pub fn send(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE * 2)).unwrap();
        let mut head = format!("{line} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head += &format!("Host: 127.0.0.1:{}\r\n", self.port);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        // A refusal may come before the whole body is sent.
        let _ = write!(stream, "{head}\r\n{body}");
        let mut answer = Vec::new();
        // What was sent and not read resets the connection after the answer.
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    /// A question of the page.
    pub fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path}"), &[("x-sftpctl-token", self.token())], "")
    }

    /// A change of the page.
    pub fn post(&self, path: &str, body: &str) -> Answer {
        let origin = format!("http://127.0.0.1:{}", self.port);
        let headers =
            [("x-sftpctl-token", self.token()), ("Content-Type", "application/json"), ("Origin", origin.as_str())];
        self.send(&format!("POST {path}"), &headers, body)
    }

    /// Ends it as Ctrl-C does. Returns how it ended, and what it wrote to its standard error.
    pub fn stop(mut self) -> (ExitStatus, String) {
        self.interrupt();
        let status = until("the console ends", || self.child.try_wait().unwrap());
        let mut errors = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        (status, errors)
    }

    /// Ctrl-C. It may go on until a change is completed.
    pub fn interrupt(&self) {
        Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
