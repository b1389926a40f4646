//! Places for state that fail in various ways.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use sftpctl_engine::state::blob::{Blob, Blobs, Expect, Version};
use sftpctl_engine::state::error::StateError;
use sftpctl_engine::state::lease::Lease;
use tokio::sync::watch;

/// A place that fails every write after the first `left`.
#[derive(Debug)]
pub(super) struct Failing {
    pub(super) inner: Arc<dyn Blobs>,
    /// The writes that still succeed. Renewals of a lock are not counted: how many there are depends on how fast the
    /// machine is, and each would take the place of a write that the test wants to fail.
    pub(super) left: Arc<AtomicUsize>,
    /// The runs that have taken a lock here.
    pub(super) holders: Mutex<HashSet<String>>,
}

impl Failing {
    pub(super) fn new(inner: &Arc<dyn Blobs>, left: &Arc<AtomicUsize>) -> Self {
        Self { inner: Arc::clone(inner), left: Arc::clone(left), holders: Mutex::default() }
    }

    /// Whether this is a lock that its holder keeps.
    fn is_renewal(&self, name: &str, content: &[u8]) -> bool {
        if !name.ends_with(".lock") {
            return false;
        }
        let lease: Lease = serde_json::from_slice(content).unwrap();
        !self.holders.lock().unwrap().insert(lease.holder.run) && !lease.released
    }
}

#[async_trait]
impl Blobs for Failing {
    fn address(&self, name: &str) -> String {
        self.inner.address(name)
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    async fn get(&self, name: &str) -> Result<Option<Blob>, StateError> {
        self.inner.get(name).await
    }

    async fn put(&self, name: &str, content: &[u8], expect: Expect<'_>) -> Result<Version, StateError> {
        let cost = usize::from(!self.is_renewal(name, content));
        let next = |left: usize| left.checked_sub(cost).filter(|_| left > 0);
        let spent = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next).is_err();
        if spent {
            return Err(StateError::Damaged { address: self.address(name), reason: "killed".into() });
        }
        self.inner.put(name, content, expect).await
    }

    async fn names(&self) -> Result<Vec<String>, StateError> {
        self.inner.names().await
    }

    async fn check(&self) -> Result<(), StateError> {
        self.inner.check().await
    }
}

/// A place that reports itself as shared, like a folder that other machines have mounted.
#[derive(Debug)]
pub(super) struct Mounted(pub(super) Arc<dyn Blobs>);

#[async_trait]
impl Blobs for Mounted {
    fn address(&self, name: &str) -> String {
        self.0.address(name)
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn get(&self, name: &str) -> Result<Option<Blob>, StateError> {
        self.0.get(name).await
    }

    async fn put(&self, name: &str, content: &[u8], expect: Expect<'_>) -> Result<Version, StateError> {
        self.0.put(name, content, expect).await
    }

    async fn names(&self) -> Result<Vec<String>, StateError> {
        self.0.names().await
    }

    async fn check(&self) -> Result<(), StateError> {
        self.0.check().await
    }
}

/// A shared storage that ignores one of the two conditions.
#[derive(Debug)]
pub(super) struct Heedless {
    pub(super) inner: Arc<dyn Blobs>,
    /// Ignores that a document must be absent; otherwise, that it must have a version.
    pub(super) overwrites: bool,
}

#[async_trait]
impl Blobs for Heedless {
    fn address(&self, name: &str) -> String {
        self.inner.address(name)
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn get(&self, name: &str) -> Result<Option<Blob>, StateError> {
        self.inner.get(name).await
    }

    async fn put(&self, name: &str, content: &[u8], expect: Expect<'_>) -> Result<Version, StateError> {
        if self.overwrites != matches!(expect, Expect::Absent) {
            return self.inner.put(name, content, expect).await;
        }
        let current = self.inner.get(name).await?;
        self.inner.put(name, content, Expect::found(current.as_ref().map(|blob| &blob.version))).await
    }

    async fn names(&self) -> Result<Vec<String>, StateError> {
        self.inner.names().await
    }

    async fn check(&self) -> Result<(), StateError> {
        self.inner.check().await
    }
}

/// A place from the view of one process. Calls wait while the process is stopped; a document may be slow, or the
/// answers to its writes may be lost.
#[derive(Debug)]
pub(super) struct Unreliable {
    inner: Arc<dyn Blobs>,
    stopped: watch::Sender<bool>,
    stops_at: Mutex<Option<&'static str>>,
    slow: watch::Sender<Option<&'static str>>,
    hangs_at: Mutex<Option<&'static str>>,
    lost: Mutex<BTreeMap<&'static str, usize>>,
    written: Mutex<Vec<(String, Vec<u8>)>>,
}

impl Unreliable {
    pub(super) fn new(inner: &Arc<dyn Blobs>) -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::clone(inner),
            stopped: watch::channel(false).0,
            stops_at: Mutex::default(),
            slow: watch::channel(None).0,
            hangs_at: Mutex::default(),
            lost: Mutex::default(),
            written: Mutex::default(),
        })
    }

    /// As SIGSTOP: reads and writes wait.
    pub(super) fn stop(&self) {
        self.stopped.send_replace(true);
    }

    /// Stops when this document is read.
    pub(super) fn stop_at(&self, name: &'static str) {
        *self.stops_at.lock().unwrap() = Some(name);
    }

    /// As SIGCONT.
    pub(super) fn resume(&self) {
        self.stopped.send_replace(false);
    }

    /// Waits until the process has stopped.
    pub(super) async fn wait_until_stopped(&self) {
        self.stopped.subscribe().wait_for(|stopped| *stopped).await.unwrap();
    }

    /// Calls on this document wait until another document, or `None`, is set.
    pub(super) fn slow(&self, name: Option<&'static str>) {
        self.slow.send_replace(name);
    }

    /// The next write of this document never returns.
    pub(super) fn hang_at(&self, name: &'static str) {
        *self.hangs_at.lock().unwrap() = Some(name);
    }

    pub(super) fn hangs(&self) -> bool {
        self.hangs_at.lock().unwrap().is_none()
    }

    /// The answers to the next `count` writes of this document are lost: the writes take effect, but return an error.
    pub(super) fn lose(&self, name: &'static str, count: usize) {
        self.lost.lock().unwrap().insert(name, count);
    }

    /// Whether all answers that should be lost were lost.
    pub(super) fn has_lost_all(&self) -> bool {
        self.lost.lock().unwrap().values().all(|count| *count == 0)
    }

    /// The contents written to this document, in order.
    pub(super) fn written(&self, name: &str) -> Vec<Vec<u8>> {
        let written = self.written.lock().unwrap();
        written.iter().filter(|(document, _)| document == name).map(|(_, content)| content.clone()).collect()
    }

    async fn pass(&self, name: &str) {
        self.slow.subscribe().wait_for(|slow| *slow != Some(name)).await.unwrap();
        self.stopped.subscribe().wait_for(|stopped| !stopped).await.unwrap();
    }
}

#[async_trait]
impl Blobs for Unreliable {
    fn address(&self, name: &str) -> String {
        self.inner.address(name)
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    async fn get(&self, name: &str) -> Result<Option<Blob>, StateError> {
        if self.stops_at.lock().unwrap().take_if(|at| *at == name).is_some() {
            self.stop();
        }
        self.pass(name).await;
        self.inner.get(name).await
    }

    async fn put(&self, name: &str, content: &[u8], expect: Expect<'_>) -> Result<Version, StateError> {
        if self.hangs_at.lock().unwrap().take_if(|at| *at == name).is_some() {
            std::future::pending::<()>().await;
        }
        self.pass(name).await;
        let version = self.inner.put(name, content, expect).await?;
        self.written.lock().unwrap().push((name.to_owned(), content.to_vec()));
        if let Some(left) = self.lost.lock().unwrap().get_mut(name).filter(|left| **left > 0) {
            *left -= 1;
            let source = std::io::Error::other("the answer was lost");
            return Err(StateError::Io { action: "write", address: self.address(name), source });
        }
        Ok(version)
    }

    async fn names(&self) -> Result<Vec<String>, StateError> {
        self.inner.names().await
    }

    async fn check(&self) -> Result<(), StateError> {
        self.inner.check().await
    }
}
