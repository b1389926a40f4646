//! One mutation of a step: recorded, called, and retried only if that cannot create a resource twice.

use std::sync::Arc;

use super::{StepExecution, lock};
use crate::execute::error::StepError;
use crate::resources::resource::ResourceError;
use crate::wait;
use sftpctl_aws::AwsError;
use sftpctl_core::model::{Action, Change, Live, Owner, RemovalOptions};

/// Calls of one mutation that fail with a temporary error of AWS, each with the SDK's own attempts, before it counts as
/// failed.
const TEMPORARY_FAILURES: usize = 3;
/// The same if the SDK may not retry.
const TEMPORARY_FAILURES_WITHOUT_SDK: usize = 8;

#[derive(Clone, Copy)]
pub(super) enum Mutation<'a> {
    /// The planned change, and the existing resource.
    Apply(&'a Change, Option<&'a Live>),
    /// A step of a deletion.
    Delete(&'a Live, RemovalOptions),
}

/// The effect of a call that ended in an error.
enum Effect {
    /// It took effect in spite of the error.
    Applied,
    /// It had no effect, or is safe to repeat.
    None,
    /// Its effect is unknown, and repeating it could create the resource twice.
    Unknown(String),
}

impl StepExecution<'_> {
    /// Performs one mutation, recorded first, and retries it while AWS reports that a change is in progress. AWS
    /// reports "already exists" and "is changing" with the same error, so it reads before each retry, and leaves a
    /// change that it finds to the caller's next comparison. Returns the operation's name in the journal, where its
    /// outcome is still to be recorded.
    pub(super) async fn mutate(&mut self, mutation: Mutation<'_>) -> Result<String, StepError> {
        // Earlier events must not be reported as those of this operation.
        self.job.resource.progress(&self.context.aws, &mut self.reported_events).await;
        self.reported_events.undeleted.clear();
        let action = match mutation {
            Mutation::Apply(change, _) => change.action,
            Mutation::Delete(..) => Action::Delete,
        };
        let (context, resource) = (self.context, Arc::clone(&self.job.resource));
        let call = context.journal.intend(resource.id(), action, &resource.title()).await?;
        let mut failures_left =
            if resource.found_by_listing() { TEMPORARY_FAILURES_WITHOUT_SDK } else { TEMPORARY_FAILURES };
        loop {
            let result = match mutation {
                Mutation::Apply(change, None) => {
                    // A copy, once for each mutation: the lock must not be held during the call.
                    let actual = lock(self.actual).clone();
                    resource.create(&context.aws, &call, change, &actual).await
                }
                Mutation::Apply(change, live) => {
                    let actual = lock(self.actual).clone();
                    resource.apply(&context.aws, &call, change, live, &actual).await.map(|()| None)
                }
                Mutation::Delete(live, options) => {
                    resource.delete(&context.aws, &call, live, options).await.map(|()| None)
                }
            };
            let error = match result {
                Ok(created) => {
                    // Durable before anything else can fail, so that the next run finds it without a listing.
                    if let Some(identity) = created {
                        context.journal.created(&call, resource.id(), &identity);
                        self.created = Some(identity);
                        context.journal.flush().await?;
                    }
                    return Ok(call);
                }
                Err(ResourceError::Aws(error)) => error,
                Err(error) => {
                    context.journal.failed(&call, resource.id(), &error.to_string());
                    return Err(error.into());
                }
            };
            // The SDK's second attempt may have been refused because the first succeeded and its response was lost.
            match self.effect(mutation, &error).await {
                Effect::Applied => return Ok(call),
                // The intent stays open: the next run searches for the resource before it creates it again.
                Effect::Unknown(why) => {
                    return Err(StepError::NotVisible { what: resource.title(), why: Some(why) });
                }
                Effect::None => {}
            }
            let retry = if error.is_fenced() {
                // It was not sent. If no other run has taken the lock, it is renewed and the call may be sent.
                context.journal.ensure_held().await.map_err(StepError::from)
            } else if error.is_busy() && !self.is_past_deadline() {
                self.retry(error.to_string()).await
            } else if error.is_transient() && failures_left > 0 && !self.is_past_deadline() {
                failures_left -= 1;
                self.retry(error.to_string()).await
            } else if (error.is_busy() || error.is_transient()) && self.is_past_deadline() {
                Err(self.timed_out(&format!("refused ({error})")))
            } else {
                Err(error.clone().into())
            };
            if let Err(reason) = retry {
                context.journal.failed(&call, resource.id(), &error.to_string());
                return Err(reason);
            }
            if error.is_busy() {
                let before = match mutation {
                    Mutation::Apply(_, live) => live,
                    Mutation::Delete(live, _) => Some(live),
                };
                if self.wait_until_settled().await?.as_ref() != before {
                    return Ok(call);
                }
            }
        }
    }

    /// The effect of a call that ended in an error. A resource that AWS finds only by listing is searched for
    /// repeatedly, since creating it again would create a second one.
    async fn effect(&mut self, mutation: Mutation<'_>, error: &AwsError) -> Effect {
        if error.is_throttle() || error.is_credentials() {
            return Effect::None;
        }
        let (context, resource) = (self.context, Arc::clone(&self.job.resource));
        let live = match mutation {
            Mutation::Apply(_, None)
                if (error.is_transient() || error.is_cut_short()) && resource.found_by_listing() =>
            {
                let result = wait::short(context.deadlines.unseen(), || resource.read(&context.aws, None)).await;
                match result {
                    // It may have been created; the next run searches for it.
                    Ok(None) if error.is_cut_short() => return Effect::Unknown(error.to_string()),
                    Ok(live) => live,
                    Err(why) => return Effect::Unknown(why.to_string()),
                }
            }
            _ => match self.read().await {
                Ok(live) => live,
                Err(_) => return Effect::None,
            },
        };
        let applied = match (mutation, live) {
            (Mutation::Apply(_, None), Some(live)) => live.owner == Owner::Ours,
            (Mutation::Apply(change, Some(before)), Some(live)) => {
                *before != live && self.diff(Some(&live)).as_ref() != Some(change)
            }
            (Mutation::Delete(..), None) => true,
            _ => false,
        };
        if applied { Effect::Applied } else { Effect::None }
    }
}
