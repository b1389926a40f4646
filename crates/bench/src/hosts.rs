//! One plan on several machines at once, over the installed `ssh`: the plan goes over standard input, and the results
//! come back as they are measured. Standard input stays open: at its end a machine stops, and deletes what it has put.
//! One that has results of an earlier run already is sent them after the plan, and goes on with what is not in them.
//! A machine says something every second ([`crate::stream`]); one that does not is given up, and the others go on.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use sftpctl_core::shell_word::shell_word;
use sftpctl_files::homes::sftp::ssh::OPTIONS;
use sftpctl_files::homes::sftp::words;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::record;
use crate::supervisor::Program;

/// The line after the plan, and that after earlier results: YAML's end of a document.
pub const END_OF_PLAN: &str = "...";
/// Bytes of results that are taken from a machine.
const MOST: usize = 256 << 20;
/// Bytes of what a machine is sent that go over the connection within its time.
const PIECE: usize = 64 << 10;
/// Bytes of a line of messages.
const LONGEST: usize = 2000;
/// How long to wait for those at its end: a process in the background may keep the pipe open (`ControlPersist`).
const LAST_WORDS: Duration = Duration::from_secs(2);
/// The exit code of `ssh` for an error of its own (ssh(1)).
const SSH_FAILED: i32 = 255;
/// The exit code of a run that was stopped.
const STOPPED: i32 = 130;
/// What helps if a machine does not let in.
const DENIED: &str = "`ssh` asks nothing here: the user there has to admit a key that is in your agent or has no \
                      passphrase";

/// What all machines are told.
#[derive(Clone, Debug)]
pub struct Options {
    /// The text of the plan file.
    pub plan: String,
    /// When they begin; `None` means at once.
    pub start_at: Option<String>,
}

/// A machine that measures.
#[derive(Debug)]
pub struct Machine {
    /// As `ssh` knows it, and in the results.
    pub name: String,
    /// How `ssh` is started, up to the machine's name.
    pub ssh: Program,
    /// The program `sftpctl` there.
    pub program: String,
    /// How long it may say nothing; twice that for the way there and the log-in.
    pub silence: Duration,
    /// Where its results go.
    pub results: File,
    /// The lines of results that it goes on from; empty if it begins.
    pub earlier: String,
}

/// Completes once a machine is asked to stop.
pub type Stops = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is heard of a machine while it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It has the plan.
    Ready,
    /// A line of messages.
    Said(String),
}

/// Who hears that; the first argument is the machine's name.
pub type Hear = Arc<dyn Fn(&str, Heard) + Send + Sync>;

/// How it ended on a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With an exit code of `sftpctl bench run`.
    Code(i32),
    /// Otherwise, and why.
    Failed(String),
}

/// How the installed `ssh` is started: it never asks, and not even what it forwards by its configuration is forwarded.
pub fn ssh(config: Option<&Path>, silence: Duration) -> Program {
    let connect = format!("ConnectTimeout={}", silence.as_secs().max(1));
    let mut arguments: Vec<String> = ["-T", "-o", &connect].map(str::to_owned).to_vec();
    for option in OPTIONS {
        arguments.extend(["-o".to_owned(), option.to_owned()]);
    }
    if let Some(config) = config {
        arguments.extend(["-F".to_owned(), config.display().to_string()]);
    }
    arguments.push("--".to_owned());
    Program { path: "ssh".into(), arguments }
}

/// The command on a machine, for its shell.
pub fn command(program: &str, host: &str, start_at: Option<&str>, resumes: bool) -> String {
    let mut command = format!("{} bench run --over-ssh --host-name {}", shell_word(program), shell_word(host));
    if resumes {
        command.push_str(" --resume");
    }
    if let Some(start_at) = start_at {
        command.push_str(&format!(" --start-at {start_at}"));
    }
    command
}

/// Runs the plan on all machines until all have ended. `stops` is called once for each of them.
pub async fn run(
    options: Options,
    machines: Vec<Machine>,
    hear: Hear,
    stops: impl Fn() -> Stops,
) -> Vec<(String, Ended)> {
    let options = Arc::new(options);
    let mut all = JoinSet::new();
    for (at, machine) in machines.into_iter().enumerate() {
        let (options, hear, stops) = (Arc::clone(&options), Arc::clone(&hear), stops());
        all.spawn(async move {
            let name = machine.name.clone();
            let ended = one(machine, &options, &hear, stops).await;
            (at, name, ended)
        });
    }
    let mut ended = Vec::new();
    while let Some(one) = all.join_next().await {
        ended.extend(one.ok());
    }
    ended.sort_by_key(|(at, ..)| *at);
    ended.into_iter().map(|(_, host, ended)| (host, ended)).collect()
}

async fn one(machine: Machine, options: &Options, hear: &Hear, stops: Stops) -> Ended {
    let (host, silence) = (machine.name.clone(), machine.silence);
    let mut ssh = Command::new(&machine.ssh.path);
    let resumes = !machine.earlier.is_empty();
    let there = command(&machine.program, &host, options.start_at.as_deref(), resumes);
    ssh.args(&machine.ssh.arguments).arg(&host).arg(there);
    // In a group of its own: Ctrl-C is for this process, and a kill is also for the `ssh` to a jump host.
    ssh.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match ssh.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ended::Failed("there is no program `ssh`; install OpenSSH's client".to_owned());
        }
        Err(error) => return Ended::Failed(error.to_string()),
    };
    let (Some(input), Some(output), Some(messages)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Ended::Failed("`ssh` has no pipes".to_owned());
    };
    let last = Arc::<Mutex<Vec<String>>>::default();
    let mut listener = tokio::spawn(listen(host, messages, Arc::clone(&last), Arc::clone(hear)));
    let taken = take(machine, (input, output), options, hear, stops).await;
    let (status, has_plan) = match taken {
        Ok(has_plan) => (timeout(silence, child.wait()).await, has_plan),
        Err(reason) => {
            end(&mut child).await;
            listener.abort();
            return Ended::Failed(reason);
        }
    };
    let Ok(Ok(status)) = status else {
        end(&mut child).await;
        listener.abort();
        return Ended::Failed("its `ssh` did not end".to_owned());
    };
    if timeout(LAST_WORDS, &mut listener).await.is_err() {
        listener.abort();
    }
    if !has_plan && status.code() != Some(SSH_FAILED) {
        return Ended::Code(STOPPED);
    }
    let said = last.lock().unwrap_or_else(PoisonError::into_inner).clone();
    of_status(status.code(), &said)
}

/// What an exit code, and the last that was said, mean.
fn of_status(code: Option<i32>, said: &[String]) -> Ended {
    match code {
        // As `sftpctl bench run` ends if it has begun.
        Some(code @ (0 | 1 | 6 | STOPPED)) => Ended::Code(code),
        Some(code) => {
            let advice = match code {
                SSH_FAILED => {
                    let said = said.join("\n");
                    let is_denied = said.contains("Permission denied (");
                    words::advice(&said).or_else(|| is_denied.then(|| DENIED.to_owned()))
                }
                126 | 127 => Some("install sftpctl there, or pass its path with --program".to_owned()),
                _ => None,
            };
            Ended::Failed(words::reason(said, advice).unwrap_or_else(|| format!("exit code {code}")))
        }
        None => Ended::Failed("its `ssh` was killed".to_owned()),
    }
}

/// Sends the plan and earlier results, and writes the results into the file until there are no more. The result is
/// whether all was sent: a machine that is stopped before that has only a part of the plan, and cannot end as one that
/// measured.
async fn take(
    machine: Machine,
    (mut input, mut output): (ChildStdin, ChildStdout),
    options: &Options,
    hear: &Hear,
    mut stops: Stops,
) -> Result<bool, String> {
    let Machine { name: host, silence, mut results, earlier, .. } = machine;
    let silent = |limit: Duration| format!("it has said nothing for {} s, and was given up", limit.as_secs_f64());
    // What follows YAML's end of a document is no part of the plan.
    let plan: String = options
        .plan
        .lines()
        .take_while(|line| line.trim_end() != END_OF_PLAN)
        .fold(String::new(), |plan, line| plan + line + "\n");
    let mut text = format!("{plan}{END_OF_PLAN}\n");
    if !earlier.is_empty() {
        text.push_str(&format!("{earlier}{END_OF_PLAN}\n"));
    }
    let to_begin = silence * 2;
    let mut is_stopped = false;
    for piece in text.as_bytes().chunks(PIECE) {
        let sent = tokio::select! {
            biased;
            () = &mut stops => {
                is_stopped = true;
                break;
            }
            sent = timeout(to_begin, input.write_all(piece)) => sent.map_err(|_| silent(to_begin))?,
        };
        // It has ended, and its words say why.
        if sent.is_err() {
            break;
        }
    }
    let mut input = (!is_stopped).then_some(input);
    let mut piece = vec![0; 16 << 10];
    let (mut is_ready, mut left) = (false, MOST);
    let mut line = Vec::new();
    loop {
        let limit = if is_ready { silence } else { to_begin };
        let read = tokio::select! {
            read = timeout(limit, output.read(&mut piece)) => read,
            () = &mut stops, if input.is_some() => {
                input = None;
                continue;
            }
        };
        let count = match read {
            Err(_) => return Err(silent(limit)),
            Ok(Err(error)) => return Err(error.to_string()),
            Ok(Ok(0)) => return Ok(!is_stopped),
            Ok(Ok(count)) => count,
        };
        if !is_ready {
            is_ready = true;
            hear(&host, Heard::Ready);
        }
        left = left.checked_sub(count).ok_or_else(|| format!("it sends more than {} MB", MOST >> 20))?;
        for byte in piece.iter().take(count) {
            line.push(*byte);
            if *byte == b'\n' {
                let whole = std::mem::take(&mut line);
                write(&mut results, &whole)?;
            }
        }
    }
}

/// Writes a line of results. Empty ones are signs of life.
fn write(results: &mut File, line: &[u8]) -> Result<(), String> {
    let text = line.trim_ascii();
    if text.is_empty() {
        return Ok(());
    }
    let begins = || -> String { String::from_utf8_lossy(text).chars().take(80).collect() };
    if serde_json::from_slice::<serde_json::Value>(text).is_err() {
        return Err(format!(
            "it prints what is no result, such as a start file of its shell: {:?}; let the file print nothing for shells that \
             are not interactive",
            begins()
        ));
    }
    // The whole file could not be read any more.
    if let Err(why) = record::line(&String::from_utf8_lossy(text)) {
        return Err(format!(
            "it sends what is no result: {why}: {:?}; install this version of sftpctl there",
            begins()
        ));
    }
    results.write_all(line).map_err(|error| format!("its results cannot be written here: {error}"))
}

/// Passes on what a machine says, and keeps the last lines.
async fn listen(host: String, mut messages: ChildStderr, last: Arc<Mutex<Vec<String>>>, hear: Hear) {
    let mut line = Vec::new();
    let mut piece = [0; 1024];
    let whole = |line: &mut Vec<u8>| {
        let text = String::from_utf8_lossy(line).trim_end().to_owned();
        line.clear();
        if text.is_empty() {
            return;
        }
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        last.push(text.clone());
        // The warning of a changed host key has 14 lines.
        let too_many = last.len().saturating_sub(20);
        last.drain(..too_many);
        drop(last);
        hear(&host, Heard::Said(text));
    };
    while let Ok(count @ 1..) = messages.read(&mut piece).await {
        for byte in piece.iter().take(count) {
            if *byte == b'\n' || line.len() >= LONGEST {
                whole(&mut line);
            }
            if *byte != b'\n' {
                line.push(*byte);
            }
        }
    }
    whole(&mut line);
}

/// Kills `ssh` and what it has started, which ends the connection.
async fn end(child: &mut Child) {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        let _ = kill_process_group(pid, Signal::KILL);
    }
    let _ = timeout(LAST_WORDS, child.wait()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How a script in the place of `ssh` ended, what its results are, and what was heard.
    async fn with(script: &str, silence: Duration) -> (Ended, String, Vec<Heard>) {
        resumed(script, "", silence, Stopped::Never).await
    }

    /// When it is asked to stop.
    #[derive(Clone, Copy, PartialEq)]
    enum Stopped {
        Never,
        AtOnce,
        OnceReady,
    }

    /// The same after earlier results.
    async fn resumed(script: &str, earlier: &str, silence: Duration, stopped: Stopped) -> (Ended, String, Vec<Heard>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("results");
        let options = Options { plan: "version: 1".into(), start_at: Some("2027-01-15T02:00:00Z".into()) };
        let machine = Machine {
            name: "app-1".into(),
            ssh: Program { path: "/bin/sh".into(), arguments: vec!["-c".into(), script.into()] },
            program: "sftpctl".into(),
            silence,
            results: File::create(&path).unwrap(),
            earlier: earlier.into(),
        };
        let heard = Arc::<Mutex<Vec<Heard>>>::default();
        let keep = Arc::clone(&heard);
        let (stop, _) = tokio::sync::watch::channel(stopped == Stopped::AtOnce);
        let stop = Arc::new(stop);
        let told = Arc::clone(&stop);
        let hear: Hear = Arc::new(move |host, said| {
            assert_eq!(host, "app-1");
            if said == Heard::Ready && stopped == Stopped::OnceReady {
                told.send_replace(true);
            }
            keep.lock().unwrap().push(said);
        });
        let stops = || -> Stops {
            let mut stop = stop.subscribe();
            Box::pin(async move { _ = stop.wait_for(|stop| *stop).await })
        };
        let mut ended = run(options, vec![machine], hear, stops).await;
        let results = std::fs::read_to_string(&path).unwrap();
        let heard = heard.lock().unwrap().clone();
        (ended.remove(0).1, results, heard)
    }

    const LONG: Duration = Duration::from_secs(60);
    const LINE: &str = r#"{"type":"end","run":"a","at":1.0,"stopped":false}"#;

    #[tokio::test]
    async fn the_plan_goes_there_and_results_come_back_without_signs_of_life() {
        let script = format!(
            "read plan; read end; [ \"$plan $end\" = 'version: 1 ...' ] || exit 2; printf '\n\n%s\n\n%s\n\n' '{LINE}' \
             '{LINE}'; echo note >&2; exit 6"
        );
        let (ended, results, heard) = with(&script, LONG).await;
        assert_eq!((ended, results), (Ended::Code(6), format!("{LINE}\n{LINE}\n")));
        assert!(heard.contains(&Heard::Ready) && heard.contains(&Heard::Said("note".into())), "{heard:?}");
    }

    /// More than the pipe holds, and than goes over at once.
    #[tokio::test]
    async fn earlier_results_go_there_after_the_plan() {
        let earlier = "{\"a line of results\":1}\n".repeat(PIECE / 8);
        let script = r#"while read -r line; do case "$line" in
            ...) ends=$((ends + 1)); [ $ends = 2 ] && break;;
            *) lines=$((lines + 1));;
            esac; done; echo $lines lines >&2"#;
        let (ended, _, heard) = resumed(script, &earlier, LONG, Stopped::Never).await;
        assert_eq!(ended, Ended::Code(0));
        assert!(heard.contains(&Heard::Said(format!("{} lines", PIECE / 8 + 1))), "{heard:?}");
    }

    #[tokio::test]
    async fn a_machine_that_says_nothing_is_given_up() {
        let (ended, ..) = with("exec sleep 600", Duration::from_millis(100)).await;
        assert_eq!(ended, Ended::Failed("it has said nothing for 0.2 s, and was given up".into()));
        let script = format!("echo '{LINE}'; printf half; exec sleep 600");
        let (ended, results, _) = with(&script, Duration::from_secs(1)).await;
        assert_eq!(ended, Ended::Failed("it has said nothing for 1 s, and was given up".into()));
        assert_eq!(results, format!("{LINE}\n"), "what it had measured is kept");
    }

    #[tokio::test]
    async fn a_stop_is_the_end_of_its_input() {
        let script = "echo; [ $(cat | wc -l) = 2 ] || exit 2; exit 6";
        assert_eq!(resumed(script, "", LONG, Stopped::OnceReady).await.0, Ended::Code(6));
    }

    /// It says that what it has is no plan.
    #[tokio::test]
    async fn a_machine_that_is_stopped_before_it_has_the_plan_has_not_failed() {
        let stopped = async |script: &str| resumed(script, "", LONG, Stopped::AtOnce).await.0;
        assert_eq!(stopped("cat >/dev/null; echo no plan >&2; exit 2").await, Ended::Code(STOPPED));
        assert_eq!(stopped("echo refused >&2; exit 255").await, Ended::Failed("refused".into()));
    }

    /// The results of a machine would be no file of results any more.
    #[tokio::test]
    async fn what_a_shell_prints_is_no_result() {
        let (ended, results, _) = with(&format!("echo Welcome; echo '{LINE}'; cat"), LONG).await;
        let Ended::Failed(reason) = ended else { panic!() };
        assert!(reason.contains("\"Welcome\""), "{reason}");
        assert_eq!(results, "");
        let (ended, results, _) = with(&format!("echo '{}'; cat", LINE.replace("1.0", "-1.0")), LONG).await;
        let Ended::Failed(reason) = ended else { panic!() };
        assert!(reason.contains("seconds must be 0 or more"), "{reason}");
        assert_eq!(results, "");
    }

    #[tokio::test]
    async fn the_reason_is_in_its_own_words_with_what_to_do() {
        let (ended, ..) = with("echo 'sh: sftpctl: not found' >&2; exit 127", LONG).await;
        let reason = "sh: sftpctl: not found: install sftpctl there, or pass its path with --program";
        assert_eq!(ended, Ended::Failed(reason.into()));
        let (ended, ..) = with("echo 'Host key verification failed.' >&2; exit 255", LONG).await;
        let Ended::Failed(reason) = ended else { panic!() };
        assert!(reason.contains("the host key is not known"), "{reason}");
        let (ended, ..) = with("echo 'a@b: Permission denied (publickey).' >&2; exit 255", LONG).await;
        assert_eq!(ended, Ended::Failed(format!("a@b: Permission denied (publickey): {DENIED}")));
        assert_eq!(with("exit 3", LONG).await.0, Ended::Failed("exit code 3".into()));
    }

    #[test]
    fn names_are_words_of_the_remote_shell() {
        let start_at = Some("2027-01-15T02:00:00Z");
        assert_eq!(
            command("/opt/my tools/sftpctl", "a b", start_at, false),
            "'/opt/my tools/sftpctl' bench run --over-ssh --host-name 'a b' --start-at 2027-01-15T02:00:00Z"
        );
        assert_eq!(command("sftpctl", "a", None, true), "sftpctl bench run --over-ssh --host-name a --resume");
    }
}
