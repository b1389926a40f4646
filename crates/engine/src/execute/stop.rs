//! The wish to stop: once, no new step begins, calls in flight finish, and AWS's own work is not waited for; twice,
//! stop now.

use tokio::sync::watch;

/// Hands out the wish.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// A wish that never comes, and the sender for one that may.
    pub fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Whether no new step should begin.
    pub fn requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Ends when somebody wishes to stop; never, when nobody can any more.
    pub async fn canceled(&self) {
        if self.0.clone().wait_for(|requested| *requested).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Listens for SIGINT and SIGTERM: the first is the wish and is told through `heard`, the second ends the process
    /// through `now`.
    #[cfg(unix)]
    pub fn on_signals(heard: impl Fn() + Send + 'static, now: impl FnOnce() + Send + 'static) -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let (sender, stop) = Self::new();
        // One listener for the whole run: what comes between two would be lost.
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
