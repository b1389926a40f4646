//! Counts calls, each attempt one, and tells them to `tracing` for `-v`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

/// What a call is refused with, before it is sent, when its run may not change anything any more.
pub(super) const FENCED: &str = "the lock of this run is over";

/// Whether a run may change nothing any more.
pub type Fence = dyn Fn() -> bool + Send + Sync;

/// The counter, and what stands before every call that changes something.
#[derive(Default)]
pub(super) struct Calls {
    count: AtomicU64,
    fence: Mutex<Option<Box<Fence>>>,
}

impl std::fmt::Debug for Calls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Calls").field("count", &self.count()).finish_non_exhaustive()
    }
}

impl Calls {
    /// Calls so far.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Asked from now on before every call that changes something.
    pub(super) fn set_fence(&self, fence: Option<Box<Fence>>) {
        *self.fence.lock().unwrap_or_else(PoisonError::into_inner) = fence;
    }

    fn refuses(&self, operation: &str) -> bool {
        const READS: [&str; 8] = ["Get", "List", "Describe", "Head", "Query", "Scan", "Test", "Assume"];
        let reads = READS.iter().any(|word| operation.starts_with(word));
        !reads && self.fence.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|over| over())
    }
}

/// What the SDK calls; holds the counter.
#[derive(Clone, Debug)]
pub(super) struct CountCalls(pub(super) std::sync::Arc<Calls>);

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for CountCalls {
    fn name(&self) -> &'static str {
        "CountCalls"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.count.fetch_add(1, Ordering::Relaxed);
        if let Some(operation) = config.load::<Metadata>() {
            // The last moment before the bytes go: a run that was paused until another took its place stops here.
            if config.load::<Fenced>().is_none() && self.0.refuses(operation.name()) {
                return Err(FENCED.into());
            }
            tracing::info!(service = operation.service(), operation = operation.name(), "AWS call");
        }
        Ok(())
    }
}

/// Marks a call that fences itself: it takes effect only where nobody else wrote in between. A run whose lease may be over
/// must be able to renew it, and to find out whether anybody has followed it.
#[derive(Clone, Copy, Debug)]
struct Fenced;

impl Storable for Fenced {
    type Storer = StoreReplace<Self>;
}

/// Puts the mark on one call.
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
