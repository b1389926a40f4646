//! A client of SFTP over a pair of pipes: any number of requests wait for their answers at once.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::packet::{self, Answer, Request};

/// How long an answer may take: a disk may be slow, but a server that says nothing for so long is lost.
const ANSWER: Duration = Duration::from_mins(5);

/// A connection to a server.
pub(super) struct Client {
    sending: Mutex<Sending>,
    shared: Arc<Mutex<Shared>>,
}

struct Sending {
    pipe: Box<dyn Write + Send>,
    next: u32,
}

#[derive(Default)]
struct Shared {
    waiting: HashMap<u32, SyncSender<Answer>>,
    /// Why there are no more answers.
    lost: Option<String>,
}

/// A request whose answer has not been taken yet.
pub(super) struct Pending {
    answer: Receiver<Answer>,
    shared: Arc<Mutex<Shared>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Client {
    /// Greets the server. `why` is asked once when there is nothing more to read: it says why.
    ///
    /// # Errors
    /// The server does not answer, or not with SFTP.
    pub(super) fn over(
        mut from: impl Read + Send + 'static,
        mut to: impl Write + Send + 'static,
        why: impl FnOnce() -> String + Send + 'static,
    ) -> io::Result<Self> {
        let greeted = to.write_all(&packet::hello()).and_then(|()| to.flush()).and_then(|()| read(&mut from));
        match greeted {
            Ok(body) => match packet::version(&body) {
                Some(3..) => {}
                _ => return Err(io::Error::other("the server does not speak SFTP version 3")),
            },
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(error),
            Err(_) => return Err(io::Error::new(io::ErrorKind::ConnectionAborted, why())),
        }
        let shared = Arc::<Mutex<Shared>>::default();
        let answers = Arc::clone(&shared);
        std::thread::Builder::new().name("sftp".to_owned()).spawn(move || {
            let ended = loop {
                match read(&mut from) {
                    Ok(body) => {
                        let Some((id, answer)) = packet::answer(&body) else {
                            break "the server does not keep to the protocol".to_owned();
                        };
                        // Of a request that nobody waits for any more there is no one to tell.
                        let waiting = locked(&answers).waiting.remove(&id);
                        let _ = waiting.map(|waiting| waiting.send(answer));
                    }
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => break error.to_string(),
                    Err(_) => break why(),
                }
            };
            let mut shared = locked(&answers);
            shared.lost.get_or_insert(ended);
            shared.waiting.clear();
        })?;
        Ok(Self { sending: Mutex::new(Sending { pipe: Box::new(to), next: 0 }), shared })
    }

    /// Why the connection is lost, if it is.
    pub(super) fn lost(&self) -> Option<String> {
        locked(&self.shared).lost.clone()
    }

    /// Sends a request.
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) fn send(&self, request: Request<'_>) -> io::Result<Pending> {
        let (sender, answer) = sync_channel(1);
        let mut sending = locked(&self.sending);
        let id = sending.next;
        sending.next = id.wrapping_add(1);
        {
            let mut shared = locked(&self.shared);
            if let Some(why) = &shared.lost {
                return Err(aborted(why));
            }
            shared.waiting.insert(id, sender);
        }
        let sent = sending.pipe.write_all(&request.encode(id)).and_then(|()| sending.pipe.flush());
        drop(sending);
        let pending = Pending { answer, shared: Arc::clone(&self.shared) };
        match sent {
            Ok(()) => Ok(pending),
            // The thread that reads knows why; and half a request would spoil those after it.
            Err(_) => Err(pending.take().err().unwrap_or_else(|| aborted("it was closed"))),
        }
    }

    /// Sends a request, and waits for its answer.
    ///
    /// # Errors
    /// As [`Pending::take`].
    pub(super) fn ask(&self, request: Request<'_>) -> io::Result<Answer> {
        self.send(request)?.take()
    }
}

impl Pending {
    /// Waits for the answer. A status is an error, except that of a success.
    ///
    /// # Errors
    /// The server refuses, or the connection is lost. At the end of a file or a folder: `UnexpectedEof`.
    pub(super) fn take(self) -> io::Result<Answer> {
        match self.answer.recv_timeout(ANSWER) {
            Ok(Answer::Status { code, message }) if code != 0 => Err(refused(code, &message)),
            Ok(answer) => Ok(answer),
            Err(ended) => {
                let mut shared = locked(&self.shared);
                if ended == RecvTimeoutError::Timeout {
                    let why = format!("the server has not answered for {} seconds", ANSWER.as_secs());
                    shared.lost.get_or_insert(why);
                }
                Err(aborted(shared.lost.as_deref().unwrap_or("it was closed")))
            }
        }
    }
}

fn aborted(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, why)
}

/// A status as an error (section 7 of the draft).
fn refused(code: u32, message: &str) -> io::Error {
    use io::ErrorKind::{NotFound, Other, PermissionDenied, UnexpectedEof, Unsupported};
    let (kind, words) = match code {
        1 => (UnexpectedEof, "end"),
        2 => (NotFound, "no such file"),
        3 => (PermissionDenied, "permission denied"),
        8 => (Unsupported, "not supported"),
        _ => (Other, "the server failed"),
    };
    io::Error::new(kind, if message.is_empty() { words.to_owned() } else { message.to_owned() })
}

/// A packet without its length. One that is empty or too long is `InvalidData`: the remote shell may have printed a text.
fn read(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if !(1..=packet::MOST).contains(&length) {
        let message = "the server sent something that is not SFTP; does a start file of its shell print a text?";
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let mut body = vec![0; usize::try_from(length).unwrap_or_default()];
    from.read_exact(&mut body)?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    fn server(script: impl FnOnce(UnixStream) + Send + 'static) -> io::Result<Client> {
        let (ours, theirs) = UnixStream::pair().unwrap();
        std::thread::spawn(move || script(theirs));
        let to = ours.try_clone().unwrap();
        Client::over(ours, to, || "connection reset".to_owned())
    }

    fn greet(stream: &mut UnixStream) {
        read(stream).unwrap();
        stream.write_all(&[0, 0, 0, 5, 2, 0, 0, 0, 3]).unwrap();
    }

    #[test]
    fn answers_reach_their_requests_in_any_order() {
        let client = server(|mut stream| {
            greet(&mut stream);
            let ids: Vec<u8> = (0..2).map(|_| read(&mut stream).unwrap()[4]).collect();
            for id in ids.iter().rev() {
                stream.write_all(&[0, 0, 0, 10, 102, 0, 0, 0, *id, 0, 0, 0, 1, b'a' + id]).unwrap();
            }
            let refused = read(&mut stream).unwrap()[4];
            stream.write_all(&[0, 0, 0, 9, 101, 0, 0, 0, refused, 0, 0, 0, 2]).unwrap();
        })
        .unwrap();
        let (one, other) = (client.send(Request::Open(b"1")).unwrap(), client.send(Request::Open(b"2")).unwrap());
        assert_eq!(one.take().unwrap(), Answer::Handle(vec![b'a']));
        assert_eq!(other.take().unwrap(), Answer::Handle(vec![b'b']));
        assert_eq!(client.ask(Request::Open(b"3")).unwrap_err().kind(), io::ErrorKind::NotFound);
        // The server is gone: whoever waits, and whoever asks after that, hears why.
        for _ in 0..2 {
            let error = client.ask(Request::Open(b"4")).unwrap_err();
            assert_eq!(
                (error.kind(), error.to_string().as_str()),
                (io::ErrorKind::ConnectionAborted, "connection reset")
            );
        }
        assert_eq!(client.lost().as_deref(), Some("connection reset"));
    }

    #[test]
    fn a_server_that_does_not_speak_sftp_is_refused() {
        let said = |bytes: &'static [u8]| {
            let refused = server(move |mut stream| {
                let _ = read(&mut stream);
                let _ = stream.write_all(bytes);
            });
            refused.err().unwrap().to_string()
        };
        assert!(said(b"Welcome to the old server\n").contains("not SFTP"));
        assert!(said(&[0, 0, 0, 5, 2, 0, 0, 0, 2]).contains("version 3"));
        assert_eq!(said(b""), "connection reset");
        let client = server(|mut stream| {
            greet(&mut stream);
            read(&mut stream).unwrap();
            stream.write_all(&[0, 0, 0, 6, 104, 0, 0, 0, 0, 9]).unwrap();
        });
        let error = client.unwrap().ask(Request::ReadDir(b"h")).unwrap_err();
        assert!(error.to_string().contains("protocol"), "{error}");
    }
}
