//! The process that uses a target, one operation after the other. It may hang for ever, and then it is ended from
//! outside.

mod folder;
mod object;
mod sftp;

use std::collections::HashMap;
use std::io::{self, BufRead};
use std::path::PathBuf;
use std::time::Instant;

use rustix::time::ClockId;
use sftpctl_aws::AwsError;
use sftpctl_files::checksum;

use crate::content::{Content, Source};
use crate::size::Size;
use crate::target::Access;
use crate::wire::{Done, Failure, File, Hello, Line, Order, Step};

/// Bytes after which the worker says how far it is.
const SAY_EVERY: u64 = 8 << 20;

/// Says a line to the supervisor.
type Say<'a> = &'a mut (dyn FnMut(&Line) + Send);

/// What a worker is at, for the error that ends it.
struct Progress<'a> {
    say: Say<'a>,
    step: Step,
    bytes: u64,
    said: u64,
    began: Option<Instant>,
    /// Seconds since then that are not the operation's.
    aside: f64,
    seconds: f64,
}

impl<'a> Progress<'a> {
    fn new(say: Say<'a>) -> Self {
        Self { say, step: Step::Start, bytes: 0, said: 0, began: None, aside: 0.0, seconds: 0.0 }
    }

    fn step(&mut self, step: Step) {
        self.step = step;
        self.tell();
    }

    fn tell(&mut self) {
        self.said = self.bytes;
        (self.say)(&Line::At { step: self.step, bytes: self.bytes });
    }

    fn moved(&mut self, bytes: u64) {
        self.bytes = bytes;
        if bytes >= self.said + SAY_EVERY {
            self.tell();
        }
    }

    /// The clock runs between these two.
    fn begin(&mut self) {
        (self.began, self.aside) = (Some(Instant::now()), 0.0);
    }

    fn end(&mut self) {
        let taken = self.began.take().map_or(0.0, |began| began.elapsed().as_secs_f64());
        self.seconds = (taken - self.aside).max(0.0);
    }

    /// Work of the worker's own, whose processor time the clock does not count. What the kernel reads ahead meanwhile is
    /// there sooner.
    fn aside<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let before = cpu(ClockId::ThreadCPUTime);
        let result = work();
        self.aside += cpu(ClockId::ThreadCPUTime) - before;
        result
    }
}

/// Why an order was not carried out.
enum Fault {
    System(io::Error),
    Aws(AwsError),
    /// What came back is not what was put.
    Differs(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl From<AwsError> for Fault {
    fn from(error: AwsError) -> Self {
        Self::Aws(error)
    }
}

type Outcome = Result<(), Fault>;

/// The sources of files, one for each content and seed.
#[derive(Default)]
struct Sources {
    all: HashMap<(Content, u64), Source>,
    /// The checksums of files, which are computed once.
    sums: HashMap<(Content, u64, Size), u64>,
}

impl Sources {
    fn of(&mut self, file: &File) -> &Source {
        self.all.entry((file.content, file.seed)).or_insert_with(|| Source::new(file.content, file.seed))
    }

    fn sum(&mut self, file: &File) -> u64 {
        let key = (file.content, file.seed, file.size);
        if let Some(sum) = self.sums.get(&key) {
            return *sum;
        }
        let sum = self.of(file).checksum(file.size);
        self.sums.insert(key, sum);
        sum
    }
}

/// Compares what was read with what was put, whose checksum is `expected`.
fn same(file: &File, expected: u64, seen: &Seen) -> Outcome {
    if seen.bytes != file.size.0 {
        return Err(Fault::Differs(format!("{} bytes came back of {}", seen.bytes, file.size.0)));
    }
    if seen.sum.value() != expected {
        return Err(Fault::Differs("the checksum of what came back differs".to_owned()));
    }
    Ok(())
}

enum Client {
    Folder(PathBuf),
    Bucket(Box<object::Bucket>),
    Sftp(Box<sftp::Server>),
}

impl Client {
    async fn of(hello: Hello, askpass: PathBuf) -> Self {
        match hello.access {
            Access::Folder { path } => Self::Folder(path.join(hello.folder)),
            access @ Access::Bucket { .. } => {
                Self::Bucket(Box::new(object::Bucket::connect(access, &hello.folder).await))
            }
            access @ Access::Sftp { .. } => Self::Sftp(Box::new(sftp::Server::new(access, &hello.folder, askpass))),
        }
    }

    async fn carry_out(&mut self, order: &Order, sources: &mut Sources, at: &mut Progress<'_>) -> Result<Free, Fault> {
        // Before the clock begins.
        let expected = match order {
            Order::Get(file) | Order::GetCached(file) => Some((file, sources.sum(file))),
            _ => None,
        };
        let Reply { free, seen } = match self {
            Self::Folder(path) => folder::carry_out(path, order, sources, at),
            Self::Bucket(bucket) => bucket.carry_out(order, sources, at).await,
            Self::Sftp(server) => server.carry_out(order, sources, at),
        }?;
        if let Some((file, sum)) = expected {
            at.step(Step::Check);
            same(file, sum, &seen.unwrap_or_default())?;
        }
        Ok(free)
    }
}

/// Bytes that are free on the target, where it says it.
type Free = Option<u64>;

/// What a client says of an order.
#[derive(Default)]
struct Reply {
    free: Free,
    /// What was read, of a get.
    seen: Option<Seen>,
}

impl Reply {
    /// Of a get.
    fn of(seen: Seen) -> Self {
        Self { free: None, seen: Some(seen) }
    }
}

/// Takes orders from `from` until it ends. `askpass` is the program that prints the password for `ssh`.
///
/// # Errors
/// The lines cannot be read, or are not those of a supervisor.
pub async fn run(mut from: impl BufRead, askpass: PathBuf, mut say: impl FnMut(&Line) + Send) -> io::Result<()> {
    let mut line = String::new();
    let mut next = |line: &mut String| -> io::Result<bool> {
        line.clear();
        Ok(from.read_line(line)? > 0)
    };
    if !next(&mut line)? {
        return Ok(());
    }
    let mut client = Client::of(serde_json::from_str(&line)?, askpass).await;
    let mut sources = Sources::default();
    say(&Line::Done(Done::default()));
    while next(&mut line)? {
        let order: Order = serde_json::from_str(&line)?;
        let before = cpu(ClockId::ProcessCPUTime);
        let mut at = Progress::new(&mut say);
        let outcome = client.carry_out(&order, &mut sources, &mut at).await;
        let Progress { step, bytes, seconds, .. } = at;
        let answer = match outcome {
            Ok(free) => Line::Done(Done { seconds, bytes, free, cpu: cpu(ClockId::ProcessCPUTime) - before }),
            Err(fault) => Line::Failed(failure(step, bytes, fault)),
        };
        say(&answer);
    }
    Ok(())
}

/// Processor seconds of this process and its threads, or of this thread.
fn cpu(clock: ClockId) -> f64 {
    let seconds = |time: rustix::time::Timespec| {
        #[expect(clippy::cast_precision_loss, reason = "seconds of a process")]
        let seconds = time.tv_sec as f64;
        #[expect(clippy::cast_precision_loss, reason = "less than a billion")]
        let rest = time.tv_nsec as f64;
        seconds + rest / 1e9
    };
    seconds(rustix::time::clock_gettime(clock))
}

fn failure(step: Step, bytes: u64, fault: Fault) -> Failure {
    let (errno, message, differs) = match fault {
        Fault::System(error) => (error.raw_os_error(), words(&error), false),
        Fault::Aws(error) => (None, error.to_string(), false),
        Fault::Differs(message) => (None, message, true),
    };
    Failure { step, bytes, errno, message, differs }
}

/// The words of the operating system, without the number.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// A checksum of what is read, and its length.
#[derive(Default)]
struct Seen {
    sum: checksum::Running,
    bytes: u64,
}

impl Seen {
    fn add(&mut self, piece: &[u8]) {
        self.sum.update(piece);
        self.bytes += piece.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answers to orders, without the steps before them.
    async fn answers(folder: &std::path::Path, orders: &[Order]) -> Vec<Line> {
        let hello = Hello { access: Access::Folder { path: folder.to_owned() }, folder: "run".into() };
        let lines = orders.iter().map(|order| serde_json::to_string(order).unwrap());
        let input = std::iter::once(serde_json::to_string(&hello).unwrap()).chain(lines).collect::<Vec<_>>().join("\n");
        let mut said = Vec::new();
        run(input.as_bytes(), PathBuf::new(), |line| {
            if !matches!(line, Line::At { .. }) {
                said.push(line.clone());
            }
        })
        .await
        .unwrap();
        said
    }

    #[test]
    fn the_clock_does_not_count_work_of_its_own() {
        let (mut say, long) = (|_: &Line| {}, 0.05);
        let mut at = Progress::new(&mut say);
        let began = Instant::now();
        at.begin();
        at.aside(|| {
            let from = cpu(ClockId::ThreadCPUTime);
            while cpu(ClockId::ThreadCPUTime) - from < long {}
        });
        at.end();
        assert!(at.seconds + long <= began.elapsed().as_secs_f64(), "{}", at.seconds);
    }

    fn file(size: u64, seed: u64) -> File {
        File { name: "a".into(), size: Size(size), content: Content::Binary, seed }
    }

    #[tokio::test]
    async fn a_folder_is_filled_read_checked_and_emptied() {
        let dir = tempfile::tempdir().unwrap();
        let size = 2_500_000;
        let orders = [
            Order::Prepare,
            Order::Put(file(size, 1)),
            Order::Get(file(size, 1)),
            Order::GetCached(file(size, 1)),
            Order::Delete("a".into()),
            Order::Finish,
        ];
        let said = answers(dir.path(), &orders).await;
        assert_eq!(said.len(), orders.len() + 1);
        for (number, line) in said.iter().enumerate() {
            let Line::Done(done) = line else { panic!("{number}: {line:?}") };
            assert_eq!(done.bytes == size, (2..=4).contains(&number), "{number}: {done:?}");
            assert_eq!(done.free.is_some(), number == 1);
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
    }

    #[tokio::test]
    async fn other_content_and_missing_files_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let put = [Order::Prepare, Order::Put(file(1000, 1)), Order::Get(file(1000, 2)), Order::Get(file(1001, 1))];
        let said = answers(dir.path(), &put).await;
        for line in &said[3..] {
            assert!(matches!(line, Line::Failed(Failure { differs: true, .. })), "{line:?}");
        }
        let gone = answers(dir.path(), &[Order::Delete("a".into()), Order::Get(file(1000, 1))]).await;
        let Line::Failed(failure) = &gone[2] else { panic!("{gone:?}") };
        assert_eq!((failure.step, failure.errno), (Step::Open, Some(2)));
        assert_eq!(failure.message, "No such file or directory");
    }

    /// `/dev/full` answers every write as a full disk does.
    #[tokio::test]
    async fn a_full_disk_is_said_in_the_words_of_the_system() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("run")).unwrap();
        std::os::unix::fs::symlink("/dev/full", dir.path().join("run/a")).unwrap();
        let said = answers(dir.path(), &[Order::Put(file(1000, 1))]).await;
        let Line::Failed(failure) = &said[1] else { panic!("{said:?}") };
        assert_eq!((failure.step, failure.errno), (Step::Write, Some(28)));
        assert_eq!(failure.message, "No space left on device");
    }
}
