//! A request to stop: after the first, no new step begins, calls in flight finish, and operations in AWS are not waited
//! for; the second ends the process.

use tokio::sync::watch;

/// Whether a stop was requested.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// A stop that is not requested yet, and the sender that requests it.
    pub fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Whether no new step should begin.
    pub fn requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Completes when a stop is requested; never, if the sender has been dropped.
    pub async fn canceled(&self) {
        if self.0.clone().wait_for(|requested| *requested).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Listens for SIGINT and SIGTERM: the first requests the stop and calls `on_first`, the second calls `on_second`,
    /// which ends the process.
    #[cfg(unix)]
    pub fn on_signals(on_first: impl Fn() + Send + 'static, on_second: impl FnOnce() + Send + 'static) -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let (sender, stop) = Self::new();
        // One listener for the whole run: a signal between two listeners would be lost.
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return stop;
        };
        tokio::spawn(async move {
            let mut on_second = Some(on_second);
            loop {
                let signal = tokio::select! {
                    signal = interrupt.recv() => signal,
                    signal = terminate.recv() => signal,
                };
                if signal.is_none() {
                    break;
                }
                if !sender.send_replace(true) {
                    on_first();
                } else if let Some(on_second) = on_second.take() {
                    on_second();
                }
            }
        });
        stop
    }
}
