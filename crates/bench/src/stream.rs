//! Results over a connection: each line as it is measured, and an empty line every second, by which the reader knows
//! that the machine is there. A connection that is lost is no error: the run stops, and deletes what it has put.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often something is said.
pub const PULSE: Duration = Duration::from_secs(1);

/// The end of a connection that results are written to.
#[derive(Debug)]
pub struct Stream {
    shared: Arc<Shared>,
    /// The pulse ends with it.
    _alive: mpsc::Sender<()>,
}

#[derive(Debug)]
struct Shared {
    to: Mutex<File>,
    is_lost: AtomicBool,
}

impl Shared {
    fn write(&self, bytes: &[u8]) {
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        if to.write_all(bytes).is_err() {
            self.is_lost.store(true, Ordering::Relaxed);
        }
    }
}

impl Stream {
    /// Writes to a pipe or socket, beginning with an empty line at once.
    ///
    /// # Errors
    /// The thread of the pulse cannot be started.
    pub fn new(to: File, pulse: Duration) -> io::Result<Self> {
        let shared = Arc::new(Shared { to: Mutex::new(to), is_lost: AtomicBool::new(false) });
        let (alive, ended) = mpsc::channel::<()>();
        let of_pulse = Arc::clone(&shared);
        std::thread::Builder::new().name("pulse".to_owned()).spawn(move || {
            loop {
                of_pulse.write(b"\n");
                let is_over = !matches!(ended.recv_timeout(pulse), Err(RecvTimeoutError::Timeout));
                if is_over || of_pulse.is_lost.load(Ordering::Relaxed) {
                    break;
                }
            }
        })?;
        Ok(Self { shared, _alive: alive })
    }

    /// Standard output, which nothing else may write to from now on.
    ///
    /// # Errors
    /// It is closed, or the thread of the pulse cannot be started.
    pub fn stdout() -> io::Result<Self> {
        // Workers must not hold the connection open.
        let to = rustix::io::fcntl_dupfd_cloexec(io::stdout(), 3)?;
        Self::new(File::from(to), PULSE)
    }

    /// Writes bytes, unless the connection is lost.
    pub(crate) fn write(&self, bytes: &[u8]) {
        self.shared.write(bytes);
    }

    /// Whether nobody reads any more.
    pub fn is_lost(&self) -> bool {
        self.shared.is_lost.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::os::fd::OwnedFd;

    use super::*;

    #[test]
    fn a_stream_says_something_until_nobody_reads() {
        let (from, to) = std::io::pipe().unwrap();
        let stream = Stream::new(File::from(OwnedFd::from(to)), Duration::from_millis(1)).unwrap();
        let mut from = BufReader::new(from);
        let mut said = String::new();
        for _ in 0..3 {
            from.read_line(&mut said).unwrap();
        }
        assert_eq!(said, "\n\n\n");
        assert!(!stream.is_lost());
        stream.write(b"line\n");
        let lines = (&mut from).lines().map(|line| line.unwrap());
        assert_eq!(lines.filter(|line| !line.is_empty()).take(1).collect::<Vec<_>>(), ["line"]);
        drop(from);
        // The next pulse, or this, finds that out.
        stream.write(b"line\n");
        assert!(stream.is_lost());
    }

    #[test]
    fn the_pulse_ends_with_the_stream() {
        let (from, to) = std::io::pipe().unwrap();
        drop(Stream::new(File::from(OwnedFd::from(to)), Duration::from_millis(1)).unwrap());
        // The end comes only when the pulse has let go of the pipe.
        assert!(BufReader::new(from).lines().all(|line| line.unwrap().is_empty()));
    }
}
