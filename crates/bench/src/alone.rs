//! One process for a run on a machine. If the starter of a run over `ssh` has lost its connection, this machine's
//! `sshd` may notice later, and the run goes on until then; the same run again waits for it, since both have one
//! folder.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::Duration;

use tokio::time::{Instant, interval};

/// How often it is tried.
const EVERY: Duration = Duration::from_millis(100);

/// Held for as long as the run goes on: a socket whose name the kernel gives back when the process ends, however it
/// does.
#[derive(Debug)]
pub struct Alone(#[expect(dead_code, reason = "it is only held")] UnixListener);

impl Alone {
    /// Takes the name of a run, once no other process has it. `None` if `stops` asks to stop before.
    ///
    /// # Errors
    /// Another process still has it after `limit` (`WouldBlock`).
    pub async fn claim(run: &str, limit: Duration, stops: impl Fn() -> bool) -> io::Result<Option<Self>> {
        let address = SocketAddr::from_abstract_name(format!("sftpctl-bench-{run}"))?;
        let until = Instant::now() + limit;
        let mut tries = interval(EVERY);
        loop {
            tries.tick().await;
            match UnixListener::bind_addr(&address) {
                Ok(socket) => return Ok(Some(Self(socket))),
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => return Err(error),
                Err(_) if stops() => return Ok(None),
                Err(_) if Instant::now() >= until => {
                    let message = format!("the run {run} goes on in another process of this machine");
                    return Err(io::Error::new(io::ErrorKind::WouldBlock, message));
                }
                Err(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_run_has_one_process_and_the_next_waits_for_it() {
        let run = format!("test-{}", crate::runner::new_id());
        let go_on = || false;
        let first = Alone::claim(&run, Duration::ZERO, go_on).await.unwrap();
        assert!(first.is_some());
        let busy = Alone::claim(&run, EVERY * 2, go_on).await.unwrap_err();
        assert_eq!(busy.kind(), io::ErrorKind::WouldBlock);
        assert!(Alone::claim(&run, Duration::from_secs(3600), || true).await.unwrap().is_none());
        assert!(Alone::claim(&format!("{run}-other"), Duration::ZERO, go_on).await.unwrap().is_some());
        let waits = Alone::claim(&run, Duration::from_secs(60), go_on);
        let ends = async {
            tokio::task::yield_now().await;
            drop(first);
        };
        let (second, ()) = tokio::join!(waits, ends);
        assert!(second.unwrap().is_some());
    }
}
