//! Counts every attempt of a call, logs calls for `-v`, and blocks those that a run may no longer send.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

/// The error of a call that was not sent, because its run may no longer change anything.
pub(super) const FENCED: &str = "this run no longer holds the lock";

/// Whether a run may no longer change anything.
pub type Fence = dyn Fn() -> bool + Send + Sync;

#[derive(Default)]
pub(super) struct Calls {
    count: AtomicU64,
    fence: Mutex<Option<Box<Fence>>>,
    header: OnceLock<(&'static str, String)>,
}

impl std::fmt::Debug for Calls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Calls").field("count", &self.count()).finish_non_exhaustive()
    }
}

impl Calls {
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Sets a header of every request; once.
    pub(super) fn set_header(&self, name: &'static str, value: &str) {
        let _ = self.header.set((name, value.to_owned()));
    }

    /// Sets the fence, which is checked before every call that changes something.
    pub(super) fn set_fence(&self, fence: Option<Box<Fence>>) {
        *self.fence.lock().unwrap_or_else(PoisonError::into_inner) = fence;
    }

    fn refuses(&self, operation: &str) -> bool {
        const READS: [&str; 8] = ["Get", "List", "Describe", "Head", "Query", "Scan", "Test", "Assume"];
        let reads = READS.iter().any(|word| operation.starts_with(word));
        !reads && self.fence.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|over| over())
    }
}

/// The interceptor in every client.
#[derive(Clone, Debug)]
pub(super) struct CountCalls(pub(super) std::sync::Arc<Calls>);

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for CountCalls {
    fn name(&self) -> &'static str {
        "CountCalls"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some((name, value)) = self.0.header.get() {
            context.request_mut().headers_mut().insert(*name, value.clone());
        }
        Ok(())
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.count.fetch_add(1, Ordering::Relaxed);
        if let Some(operation) = config.load::<Metadata>() {
            // The last moment before the request is sent: a run that was paused until another run took over stops here.
            if config.load::<Fenced>().is_none() && self.0.refuses(operation.name()) {
                return Err(FENCED.into());
            }
            tracing::info!(service = operation.service(), operation = operation.name(), "AWS call");
        }
        Ok(())
    }
}

/// Marks a call that fences itself: it takes effect only if no other run wrote in between. A run whose lease may
/// have expired must be able to renew it, and to find out whether another run has followed.
#[derive(Clone, Copy, Debug)]
struct Fenced;

impl Storable for Fenced {
    type Storer = StoreReplace<Self>;
}

/// Marks one call with [`Fenced`].
#[derive(Debug)]
pub(super) struct FencesItself;

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for FencesItself {
    fn name(&self) -> &'static str {
        "FencesItself"
    }

    fn read_before_execution(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(Fenced);
        Ok(())
    }
}
