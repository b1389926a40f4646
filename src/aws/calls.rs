//! Counts calls, each attempt one, and tells them to `tracing` for `-v`.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// The counter.
#[derive(Debug, Default)]
pub(super) struct Calls(AtomicU64);

impl Calls {
    /// Calls so far.
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
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
        self.0.0.fetch_add(1, Ordering::Relaxed);
        if let Some(operation) = config.load::<Metadata>() {
            tracing::info!(service = operation.service(), operation = operation.name(), "AWS call");
        }
        Ok(())
    }
}
