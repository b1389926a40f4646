//! `sftpctl bench run --over-ssh`: the other end of `bench hosts --start`. The plan comes over standard input, then
//! with `--resume` earlier results, and the end of standard input is the end of the connection.

use std::io::{self, BufRead, BufReader, Read as _};

use crate::commands::input_file::{LARGE, SMALL};
use crate::error::CliError;
use crate::exit::Exit;
use sftpctl_bench::hosts::END_OF_PLAN;
use sftpctl_bench::record::{Results, parse};
use sftpctl_engine::execute::stop::Stop;

/// What came over the connection.
pub(super) struct Taken {
    /// The text of the plan file.
    pub(super) plan: String,
    /// The results to go on from.
    pub(super) before: Results,
    /// Requested at the end of the connection.
    pub(super) connection: Stop,
}

/// The plan, earlier results if the run resumes, and the stop that is requested at the end of standard input.
pub(super) fn take(resumes: bool) -> Result<Taken, CliError> {
    let mut input = BufReader::new(io::stdin());
    let missing = |what: &str, error: &dyn std::fmt::Display| {
        CliError::new(Exit::Usage, format!("no {what} came over standard input: {error}"))
            .hint("sftpctl bench hosts --start begins such a run; by hand: sftpctl bench run --plan FILE")
    };
    let plan = document(&mut input, SMALL).map_err(|error| missing("plan", &error))?;
    let mut before = Results::default();
    if resumes {
        let text = document(&mut input, LARGE).map_err(|error| missing("earlier results", &error))?;
        before = parse(&text).map_err(|error| missing("earlier results", &error.message))?;
    }
    let (sender, stop) = Stop::new();
    // A read of standard input cannot be ended, so that the runtime must not wait for this thread.
    let watched = std::thread::Builder::new().name("connection".to_owned()).spawn(move || {
        let mut rest = [0; 512];
        loop {
            match input.read(&mut rest) {
                Ok(1..) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break,
            }
        }
        sender.send_replace(true);
    });
    watched.map_err(|error| CliError::new(Exit::Failed, format!("the connection cannot be watched: {error}")))?;
    Ok(Taken { plan, before, connection: stop })
}

/// The text up to the line that ends it, of at most so many bytes.
fn document(input: &mut impl BufRead, most: u64) -> io::Result<String> {
    let mut limited = input.take(most);
    let mut text = Vec::new();
    loop {
        let begins = text.len();
        if limited.read_until(b'\n', &mut text)? == 0 {
            let message = format!("it has no line `{END_OF_PLAN}` at its end");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        if text.get(begins..).is_some_and(|line| line.trim_ascii_end() == END_OF_PLAN.as_bytes()) {
            text.truncate(begins);
            return String::from_utf8(text).map_err(|_| io::Error::other("it is not UTF-8"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_ends_with_its_line_and_the_rest_is_left() {
        let mut input = &b"version: 1\ntargets: {}\n...\n{}\n...\nrest"[..];
        assert_eq!(document(&mut input, SMALL).unwrap(), "version: 1\ntargets: {}\n");
        assert_eq!(document(&mut input, SMALL).unwrap(), "{}\n");
        assert_eq!(input, b"rest");
        for broken in [&b"version: 1\n"[..], b"", b"version: 1\n.."] {
            assert_eq!(document(&mut &*broken, SMALL).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
        assert!(document(&mut &b"\xff\n...\n"[..], SMALL).is_err());
        let long = document(&mut &b"version: 1\n...\n"[..], 12).unwrap_err();
        assert_eq!(long.kind(), io::ErrorKind::UnexpectedEof, "it is cut off");
    }
}
