//! The command that is run for each file that has arrived.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::ledger::Fetched;
use crate::said::{Said, Show};

/// A program and its arguments, without a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    program: String,
    arguments: Vec<String>,
}

/// The hook of a pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    pub command: Command,
    /// At least 1.
    pub attempts: u32,
    /// A command that runs longer is ended, which counts as a failure.
    pub timeout: Duration,
    /// How many run at once.
    pub at_once: usize,
}

/// The longest pause between two attempts; the first is a second, each next twice as long.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl std::str::FromStr for Command {
    type Err = &'static str;

    /// Splits at spaces, except between quotes (`'…'` or `"…"`, which have no other meaning than that). Nothing else is
    /// special, since no shell reads it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
        for c in text.chars() {
            match (quote, c) {
                (Some(end), c) if c == end => quote = None,
                (None, '\'' | '"') => {
                    quote = Some(c);
                    word.get_or_insert_default();
                }
                (None, c) if c.is_whitespace() => words.extend(word.take()),
                (_, c) => word.get_or_insert_default().push(c),
            }
        }
        if quote.is_some() {
            return Err("a quote is not closed");
        }
        words.extend(word);
        let mut words = words.into_iter();
        let program = words.next().filter(|program| !program.is_empty()).ok_or("the command is empty")?;
        if program.contains("{}") {
            return Err("the program itself cannot be `{}`");
        }
        let arguments: Vec<String> = words.collect();
        if runs_names(&program, &arguments) {
            return Err(
                "`{}` would be read as a part of a program, so that a customer's file name could run anything: write \
                        \"$SFTPCTL_FILE\" in its place",
            );
        }
        Ok(Self { program, arguments })
    }
}

/// Programs that run a text they are given after an option such as `-c`.
const INTERPRETERS: [&str; 19] = [
    "ash", "awk", "bash", "busybox", "dash", "fish", "ksh", "lua", "mksh", "node", "perl", "php", "python", "rbash",
    "ruby", "sh", "su", "tclsh", "zsh",
];
/// Programs that give all their words to a shell.
const SHELLS_ELSEWHERE: [&str; 3] = ["eval", "rsh", "ssh"];

/// Whether a file's name would become part of a text that the command runs: the one after an option of an interpreter that
/// ends as `-c`, `-ne`, PHP's `-r`, `--command` and `--eval` do; one with characters of a program; and, for a shell elsewhere,
/// every word.
fn runs_names(program: &str, arguments: &[String]) -> bool {
    let words: Vec<&str> = std::iter::once(program).chain(arguments.iter().map(String::as_str)).collect();
    let name = |word: &str| {
        let name = word.rsplit('/').next().unwrap_or_default();
        name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').to_owned()
    };
    let is_option = |word: &str| word.starts_with('-') && word.ends_with(['c', 'e', 'r', 'd', 'l']);
    let after = |names: &[&str]| {
        let at = words.iter().position(|word| names.contains(&name(word).as_str()));
        at.map_or(&[][..], |at| &words[at..])
    };
    let is_text =
        |word: &str| word.contains("{}") && word.contains(|c: char| c.is_whitespace() || "\"'`();".contains(c));
    let interpreted = after(&INTERPRETERS);
    interpreted.windows(2).any(|pair| matches!(pair, [option, text] if is_option(option) && text.contains("{}")))
        || interpreted.iter().any(|word| is_text(word))
        || after(&SHELLS_ELSEWHERE).iter().any(|word| word.contains("{}"))
}

impl Hook {
    /// Runs the command for a file until it succeeds. `show` gets each line that it prints.
    ///
    /// # Errors
    /// Why the last attempt failed. `is_stopping` ends the attempts early.
    pub(super) async fn run(
        &self,
        bucket: &str,
        file: &Fetched,
        path: &Path,
        (is_stopping, show): (&(dyn Fn() -> bool + Sync), Show<'_>),
    ) -> Result<(), String> {
        let attempt = |number| self.attempt(number, bucket, (file, path), show);
        retried(self.attempts, is_stopping, attempt).await
    }

    async fn attempt(
        &self,
        attempt: u32,
        bucket: &str,
        (file, path): (&Fetched, &Path),
        show: Show<'_>,
    ) -> Result<(), String> {
        let Command { program, arguments } = &self.command;
        let arguments = arguments.iter().map(|argument| match argument.as_str() {
            "{}" => path.as_os_str().to_owned(),
            // Paths below the target folder are UTF-8; that of the folder itself may be anything.
            _ => argument.replace("{}", &path.to_string_lossy()).into(),
        });
        let mut command = tokio::process::Command::new(program);
        command
            .args(arguments)
            .env("SFTPCTL_FILE", path)
            .env("SFTPCTL_BUCKET", bucket)
            .env("SFTPCTL_KEY", &file.key)
            .env("SFTPCTL_VERSION", file.version.as_deref().unwrap_or_default())
            .env("SFTPCTL_ETAG", &file.etag)
            .env("SFTPCTL_SIZE", file.size.to_string())
            .env("SFTPCTL_CRC64NVME", &file.crc64nvme)
            .env("SFTPCTL_ATTEMPT", attempt.to_string())
            .stdin(Stdio::null())
            // Ctrl-C is for the pull, which lets the command finish.
            .process_group(0)
            .kill_on_drop(true);
        let cannot = |error| format!("the hook cannot be started: {error}");
        let mut said = Said::of(&mut command).map_err(cannot)?;
        let mut child = command.spawn().map_err(cannot)?;
        drop(command);
        let ended = tokio::time::timeout(self.timeout, said.until_end_of(&mut child, show)).await;
        let outcome = match ended {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(format!("the hook failed ({status})")),
            Ok(Err(error)) => Err(format!("the hook was lost: {error}")),
            Err(_) => {
                // With what it has started: the group is its own.
                let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
                let _ = group.map(|group| kill_process_group(group, Signal::KILL));
                let _ = child.wait().await;
                Err(format!("the hook took longer than {} s", self.timeout.as_secs()))
            }
        };
        said.finish(show);
        outcome
    }
}

/// Makes attempts, numbered from 1, until one succeeds, with longer and longer pauses.
async fn retried<F: Future<Output = Result<(), String>>>(
    attempts: u32,
    is_stopping: &(dyn Fn() -> bool + Sync),
    attempt: impl Fn(u32) -> F,
) -> Result<(), String> {
    let (mut number, mut pause) = (1, Duration::from_secs(1));
    loop {
        let done = attempt(number).await;
        if done.is_ok() || number >= attempts || is_stopping() {
            return done;
        }
        #[expect(clippy::disallowed_methods, reason = "the pause between attempts of a hook")]
        tokio::time::sleep(pause).await;
        if is_stopping() {
            return done;
        }
        (number, pause) = (number + 1, (pause * 2).min(LONGEST_PAUSE));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    use super::super::sums::Compared;
    use super::*;

    #[test]
    fn a_command_is_split_without_a_shell() {
        let split = |text: &str| {
            let Command { program, arguments } = text.parse().unwrap();
            [vec![program], arguments].concat()
        };
        for (text, words) in [
            ("load {}", vec!["load", "{}"]),
            ("  load   --to 'a b'\t\"it's\" ", vec!["load", "--to", "a b", "it's"]),
            ("load '' x\"y z\"w", vec!["load", "", "xy zw"]),
            ("load $HOME `id` ; rm -rf > x\\ y", vec!["load", "$HOME", "`id`", ";", "rm", "-rf", ">", "x\\", "y"]),
        ] {
            assert_eq!(split(text), words, "{text}");
        }
        for text in ["", "  ", "load 'x", "''", "{}", "./{}"] {
            assert!(text.parse::<Command>().is_err(), "{text}");
        }
    }

    #[test]
    fn no_name_becomes_a_part_of_a_program() {
        for text in [
            "sh -c 'wc -c {} >/dev/null'",
            "sh -c {}",
            "/bin/bash -ec 'load {}'",
            "sudo -u loader sh -c 'load {}'",
            "python3.11 -c 'load(\"{}\")'",
            "perl -ne print;{}",
            "awk '/{}/ {print}'",
            "ssh etl load {}",
        ] {
            assert!(text.parse::<Command>().is_err(), "{text}");
        }
        for text in [
            "wc -c {}",
            "load --title 'the file {}' --file={}",
            "sh /opt/load.sh {}",
            "sh -c 'load \"$SFTPCTL_FILE\"'",
            "sh -c 'load \"$1\"' sh {}",
            "python3 /opt/load.py {}",
        ] {
            assert!(text.parse::<Command>().is_ok(), "{text}");
        }
    }

    fn file() -> Fetched {
        Fetched {
            key: "17578/a;$(id) b".into(),
            etag: "\"e\"".into(),
            modified: 7,
            version: Some("v1".into()),
            size: 3,
            mtime: 0,
            crc64nvme: "rosUhgp5mIg=".into(),
            compared: Compared::Crc64Nvme,
        }
    }

    async fn run(command: &str, path: &Path, timeout: Duration) -> Result<(), String> {
        let hook = Hook { command: command.parse().unwrap(), attempts: 1, timeout, at_once: 1 };
        hook.run("bucket", &file(), path, (&|| false, &|_| {})).await
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_hook_gets_the_file_and_its_facts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("17578-a;$(id) b");
        let script = "printf '%s|' \"$1\" \"$SFTPCTL_FILE\" \"$SFTPCTL_KEY\" \"$SFTPCTL_BUCKET\" \"$SFTPCTL_VERSION\" \
                      \"$SFTPCTL_SIZE\" \"$SFTPCTL_CRC64NVME\" \"$SFTPCTL_ETAG\" \"$SFTPCTL_ATTEMPT\" > \"$0\"";
        let out = dir.path().join("out");
        let script_file = dir.path().join("hook.sh");
        std::fs::write(&script_file, script).unwrap();
        let command = format!("sh -c '. {}' {} {{}}", script_file.display(), out.display());
        run(&command, &path, LONG).await.unwrap();
        let path = path.display();
        let expected = format!("{path}|{path}|17578/a;$(id) b|bucket|v1|3|rosUhgp5mIg=|\"e\"|1|");
        assert_eq!(std::fs::read_to_string(out).unwrap(), expected);
    }

    #[tokio::test]
    async fn failures_are_told() {
        let path = Path::new("/nonexistent");
        assert_eq!(run("false", path, LONG).await, Err("the hook failed (exit status: 1)".into()));
        assert_eq!(run("sleep 60", path, Duration::ZERO).await, Err("the hook took longer than 0 s".into()));
        let dir = tempfile::tempdir().unwrap();
        let (pipe, script) = (dir.path().join("pipe"), dir.path().join("hook.sh"));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        std::fs::write(&script, format!("sleep 60 > '{}' & wait", pipe.display())).unwrap();
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let mut reader = std::fs::File::options().read(true).custom_flags(flags).open(&pipe).unwrap();
        let slow = run(&format!("sh {}", script.display()), path, Duration::from_secs(1)).await;
        assert_eq!(slow, Err("the hook took longer than 1 s".into()));
        // The pipe ends when the program that the hook has started does, which has been killed.
        let began = std::time::Instant::now();
        while reader.read(&mut [0]).is_err() {
            assert!(began.elapsed() < LONG / 2, "what the hook has started goes on");
            std::thread::yield_now();
        }
        let missing = run("/nonexistent/program", path, LONG).await.unwrap_err();
        assert!(missing.starts_with("the hook cannot be started: "), "{missing}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_hook_is_tried_again_after_pauses() {
        let at_third = async |number| if number == 3 { Ok(()) } else { Err(format!("attempt {number}")) };
        let began = tokio::time::Instant::now();
        assert_eq!(retried(3, &|| false, at_third).await, Ok(()));
        assert_eq!(began.elapsed().as_secs(), 3);
        assert_eq!(retried(2, &|| false, at_third).await, Err("attempt 2".into()));
        assert_eq!(retried(3, &|| true, at_third).await, Err("attempt 1".into()), "no more when stopping");
    }
}
