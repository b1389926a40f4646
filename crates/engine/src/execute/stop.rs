//! A request to stop: after the first, no new step begins, calls in flight finish, and operations in AWS are not waited
//! for; the second ends the process.

use tokio::sync::watch;

/// Whether a stop was requested.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Not requested yet, and the sender that requests it.
    pub fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Whether no new step should begin.
    pub fn requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Completes when a stop is requested; never, if the sender is gone.
    pub async fn canceled(&self) {
        if self.0.clone().wait_for(|requested| *requested).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Listens for SIGINT and SIGTERM: the first requests the stop and calls `heard`, the second calls `now`, which
    /// ends the process.
    #[cfg(unix)]
    pub fn on_signals(heard: impl Fn() + Send + 'static, now: impl FnOnce() + Send + 'static) -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let (sender, stop) = Self::new();
        // One listener for the whole run: a signal between two listeners would be lost.
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return stop;
        };
        tokio::spawn(async move {
            let mut now = Some(now);
            loop {
                let come = tokio::select! {
                    come = interrupt.recv() => come,
                    come = terminate.recv() => come,
                };
                if come.is_none() {
                    break;
                }
                if !sender.send_replace(true) {
                    heard();
                } else if let Some(now) = now.take() {
                    now();
                }
            }
        });
        stop
    }
}
