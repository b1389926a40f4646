//! A worker from outside: its orders have a deadline, and at its end the worker is killed, or abandoned if the kernel
//! does not let it go.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, timeout, timeout_at};

use crate::wire::{Done, Failure, Hello, Line, Order, Step};

/// How long a killed process may take to end: one that does not is in the kernel.
const END: Duration = Duration::from_secs(1);

/// How a worker is started: a program and its arguments.
#[derive(Clone, Debug)]
pub struct Program {
    pub path: PathBuf,
    pub arguments: Vec<String>,
}

/// How an order ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    Done(Done),
    Failed(Failure),
    /// It was not carried out before its deadline.
    Stuck {
        step: Step,
        bytes: u64,
        /// How long it was waited for.
        seconds: f64,
        /// The worker that even a kill did not end.
        abandoned: Option<u32>,
    },
    /// The worker ended by itself, or was killed by somebody else.
    Died {
        step: Step,
        bytes: u64,
        status: String,
    },
}

/// A running worker.
pub struct Worker {
    child: Child,
    orders: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    step: Step,
    bytes: u64,
}

impl Worker {
    /// Starts a worker; it has greeted before the deadline.
    ///
    /// # Errors
    /// It could not be started, or did not greet.
    pub async fn start(program: &Program, hello: &Hello, deadline: Duration) -> io::Result<Self> {
        let mut command = Command::new(&program.path);
        command.args(&program.arguments).current_dir("/");
        // In a group of its own: Ctrl-C is for the supervisor, and a kill is also for `ssh`.
        command.process_group(0);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let (Some(orders), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("a worker has no pipes"));
        };
        let lines = BufReader::new(output).lines();
        let mut worker = Self { child, orders, lines, step: Step::Start, bytes: 0 };
        let text = serde_json::to_string(hello)?;
        match worker.ask(&text, deadline).await {
            Ended::Done(_) => Ok(worker),
            Ended::Stuck { .. } => Err(io::Error::new(io::ErrorKind::TimedOut, "a worker did not start in time")),
            Ended::Failed(failure) => Err(io::Error::other(failure.message)),
            Ended::Died { status, .. } => Err(io::Error::other(format!("a worker did not start: {status}"))),
        }
    }

    /// Has an order carried out. After [`Ended::Stuck`] and [`Ended::Died`] the worker is no more.
    pub async fn carry_out(&mut self, order: &Order, deadline: Duration) -> Ended {
        match serde_json::to_string(order) {
            Ok(text) => self.ask(&text, deadline).await,
            Err(error) => Ended::Died { step: Step::Start, bytes: 0, status: error.to_string() },
        }
    }

    async fn ask(&mut self, text: &str, deadline: Duration) -> Ended {
        (self.step, self.bytes) = (Step::Start, 0);
        let end = Instant::now() + deadline;
        let sent = timeout_at(end, self.orders.write_all(format!("{text}\n").as_bytes())).await;
        if matches!(sent, Ok(Err(_))) {
            return self.died().await;
        }
        loop {
            match timeout_at(end, self.lines.next_line()).await {
                Err(_) => return self.stuck(deadline).await,
                Ok(Ok(Some(line))) => match serde_json::from_str(&line) {
                    Ok(Line::At { step, bytes }) => (self.step, self.bytes) = (step, bytes),
                    Ok(Line::Done(done)) => return Ended::Done(done),
                    Ok(Line::Failed(failure)) => return Ended::Failed(failure),
                    Err(_) => return self.died().await,
                },
                Ok(Ok(None) | Err(_)) => return self.died().await,
            }
        }
    }

    async fn stuck(&mut self, deadline: Duration) -> Ended {
        let pid = self.child.id();
        let abandoned = if self.end().await { None } else { pid };
        Ended::Stuck { step: self.step, bytes: self.bytes, seconds: deadline.as_secs_f64(), abandoned }
    }

    async fn died(&mut self) -> Ended {
        let status = match timeout(END, self.child.wait()).await {
            Ok(Ok(status)) => status.to_string(),
            _ => "it closed its output".to_owned(),
        };
        self.end().await;
        Ended::Died { step: self.step, bytes: self.bytes, status }
    }

    /// Kills the worker and what it has started; whether it has ended.
    async fn end(&mut self) -> bool {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        timeout(END, self.child.wait()).await.is_ok()
    }

    /// Ends the worker, which has nothing to do.
    pub async fn dismiss(mut self) {
        let Self { child, orders, .. } = &mut self;
        let _ = orders.shutdown().await;
        let ended = timeout(END, child.wait()).await.is_ok();
        if !ended {
            self.end().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Access;

    fn shell(script: &str) -> Program {
        Program { path: "/bin/sh".into(), arguments: vec!["-c".into(), script.into()] }
    }

    fn hello() -> Hello {
        Hello { access: Access::Folder { path: "/".into() }, folder: "run".into() }
    }

    const GREETED: &str = r#"read hello; echo '{"done":{"seconds":0,"bytes":0}}'; read order;"#;
    const LONG: Duration = Duration::from_secs(60);

    async fn worker(script: &str) -> Worker {
        Worker::start(&shell(&format!("{GREETED} {script}")), &hello(), LONG).await.unwrap()
    }

    #[tokio::test]
    async fn a_worker_that_hangs_is_ended_where_it_was() {
        let mut worker = worker(r#"echo '{"at":{"step":"write","bytes":5}}'; exec sleep 600"#).await;
        let pid = worker.child.id().unwrap();
        let ended = worker.carry_out(&Order::Login, Duration::from_secs(2)).await;
        assert_eq!(ended, Ended::Stuck { step: Step::Write, bytes: 5, seconds: 2.0, abandoned: None });
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "it is gone");
    }

    #[tokio::test]
    async fn a_worker_that_was_killed_or_talks_nonsense_has_died() {
        let mut killed = worker("kill -9 $$").await;
        let Ended::Died { status, .. } = killed.carry_out(&Order::Login, LONG).await else { panic!() };
        assert!(status.contains("signal: 9"), "{status}");
        let mut odd = worker("echo nonsense; sleep 60").await;
        assert!(matches!(odd.carry_out(&Order::Login, LONG).await, Ended::Died { .. }));
        let missing = Program { path: "/nowhere/sftpctl".into(), arguments: Vec::new() };
        assert!(Worker::start(&missing, &hello(), LONG).await.is_err());
        let silent = Worker::start(&shell("exit 3"), &hello(), LONG).await.err().unwrap();
        assert!(silent.to_string().contains("exit status: 3"), "{silent}");
    }

    #[tokio::test]
    async fn orders_are_answered_one_after_the_other() {
        let script = r#"echo '{"done":{"seconds":2.5,"bytes":7}}'; read order; echo '{"failed":{"step":"open","bytes":0,"errno":107,"message":"gone"}}'; read order"#;
        let mut worker = worker(script).await;
        let Ended::Done(done) = worker.carry_out(&Order::Prepare, LONG).await else { panic!() };
        assert_eq!(done.bytes, 7);
        let Ended::Failed(failure) = worker.carry_out(&Order::Login, LONG).await else { panic!() };
        assert_eq!((failure.step, failure.errno), (Step::Open, Some(107)));
        worker.dismiss().await;
    }
}
