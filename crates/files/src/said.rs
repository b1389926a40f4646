//! What a program prints that this one has started: lines, which can be shown one by one without harm.

use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitStatus;

use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};

/// Bytes of a line; a longer one is divided.
const LONGEST: usize = 8 << 10;
/// Bytes that are read at once.
const PIECE: usize = 4 << 10;
/// Bytes that the system keeps of what was printed (pipe(7)).
const KEPT: usize = 64 << 10;

/// What takes a line, without its end.
pub type Show<'a> = &'a (dyn Fn(&str) + Sync);

/// The standard output and the standard error of a program, in one.
#[derive(Debug)]
pub struct Said {
    pipe: Receiver,
    /// The beginning of a line.
    begun: Vec<u8>,
    is_over: bool,
}

impl Said {
    /// What a command is going to print. Until `command` is dropped, there may be more.
    ///
    /// # Errors
    /// There is no pipe.
    pub fn of(command: &mut Command) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        command.stdout(writer.try_clone()?).stderr(writer);
        Ok(Self { pipe: Receiver::from_owned_fd(OwnedFd::from(reader))?, begun: Vec::new(), is_over: false })
    }

    /// Shows lines until the program ends.
    ///
    /// # Errors
    /// The system does not say how it ended.
    pub async fn until_end_of(&mut self, child: &mut Child, show: Show<'_>) -> io::Result<ExitStatus> {
        let mut piece = [0; PIECE];
        loop {
            tokio::select! {
                status = child.wait() => return status,
                read = self.pipe.read(&mut piece), if !self.is_over => match read {
                    Ok(count @ 1..) => self.take(piece.get(..count).unwrap_or_default(), show),
                    Ok(0) | Err(_) => self.is_over = true,
                },
            }
        }
    }

    /// Shows what is left after the end of the program. What others print that it has left behind is not waited for, nor
    /// shown.
    pub fn finish(mut self, show: Show<'_>) {
        let mut piece = [0; PIECE];
        for _ in 0..=KEPT / PIECE {
            match rustix::io::read(&self.pipe, &mut piece) {
                Ok(count @ 1..) => self.take(piece.get(..count).unwrap_or_default(), show),
                Ok(0) => {
                    self.is_over = true;
                    break;
                }
                Err(_) => break,
            }
        }
        if !self.begun.is_empty() {
            shown(&self.begun, show);
        }
        if !self.is_over {
            let mut pipe = self.pipe;
            // Otherwise the next line that one of them prints would end it (signal(7), SIGPIPE).
            tokio::spawn(async move { tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await });
        }
    }

    fn take(&mut self, bytes: &[u8], show: Show<'_>) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(piece);
            if let Some(line) = self.begun.strip_suffix(b"\n") {
                shown(line, show);
                self.begun.clear();
            }
            while self.begun.len() >= LONGEST {
                let rest = self.begun.split_off(whole(&self.begun, LONGEST));
                shown(&self.begun, show);
                self.begun = rest;
            }
        }
    }
}

/// The bytes up to `most` that do not end within a character.
fn whole(bytes: &[u8], most: usize) -> usize {
    let bytes = bytes.get(..most).unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => error.valid_up_to(),
        _ => bytes.len(),
    }
}

fn shown(line: &[u8], show: Show<'_>) {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // A tab is a control character, which would be shown by its number.
    show(&String::from_utf8_lossy(line).replace('\t', "    "));
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;
    use std::sync::Mutex;

    use super::*;

    async fn lines(script: &str) -> Vec<String> {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null());
        let mut said = Said::of(&mut command).unwrap();
        let mut child = command.spawn().unwrap();
        drop(command);
        let lines = Mutex::new(Vec::new());
        let show = |line: &str| lines.lock().unwrap().push(line.to_owned());
        assert!(said.until_end_of(&mut child, &show).await.unwrap().success());
        said.finish(&show);
        lines.into_inner().unwrap()
    }

    #[tokio::test]
    async fn all_that_was_printed_arrives_in_order() {
        assert_eq!(
            lines(r"printf 'a\tb\r\n'; printf 'c\033[31m\n\n' >&2; printf '\377\nend'").await,
            ["a    b", "c\u{1b}[31m", "", "\u{fffd}", "end"]
        );
        let numbers = lines("seq 1 20000").await;
        assert_eq!((numbers.len(), numbers.last().map(String::as_str)), (20_000, Some("20000")));
        assert_eq!(lines("true").await, [""; 0]);
    }

    /// An endless line would fill the memory, and a character would be lost where it is divided.
    #[tokio::test]
    async fn long_line_is_divided_between_characters() {
        let text = "aä日".repeat(20_000);
        let divided = lines(&format!("printf %s '{text}'")).await;
        assert!(
            divided.len() > 10
                && divided
                    .iter()
                    .all(|line| line.len() <= LONGEST && line.len() > LONGEST - 4 || Some(line) == divided.last())
        );
        assert_eq!(divided.concat(), text);
    }

    /// A program in the background has the pipe, too, and may never end.
    #[tokio::test]
    async fn what_is_left_behind_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let (pipe, script) = (dir.path().join("pipe"), dir.path().join("script"));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // It goes on after the pipe was opened, and can then still print.
        let text = format!("(read go < '{0}'; echo late; echo alive > '{0}') & echo early", pipe.display());
        std::fs::write(&script, text).unwrap();
        assert_eq!(lines(&format!(". '{}'", script.display())).await, ["early"]);
        let alive = tokio::task::spawn_blocking(move || {
            std::fs::write(&pipe, "go\n").unwrap();
            std::fs::read_to_string(&pipe).unwrap()
        });
        assert_eq!(alive.await.unwrap(), "alive\n");
    }
}
