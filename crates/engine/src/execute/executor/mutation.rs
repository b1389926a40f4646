//! One mutation of a step: recorded, called, and retried only if that cannot create a resource twice.

use std::sync::Arc;

use super::{Walk, lock};
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

/// The call.
#[derive(Clone, Copy)]
pub(super) enum Mutation<'a> {
    /// A change to what is wanted, and what exists.
    Apply(&'a Change, Option<&'a Live>),
    /// A step of a deletion.
    Delete(&'a Live, RemovalOptions),
}

/// The effect of a call that ended in an error.
enum Effect {
    /// It took effect in spite of the error.
    Took,
    /// It had no effect, or is safe to repeat.
    None,
    /// It is unknown, and repeating it could create the resource twice.
    Unknown(String),
}

impl Walk<'_> {
    /// Does one mutation, recorded first, and retries it while AWS says that something is still changing. AWS reports
    /// "exists already" in the same words as "is changing": so it reads before each retry, and leaves a change that it
    /// finds to the caller's next comparison. Returns the operation's name in the journal, which still needs its
    /// outcome.
    pub(super) async fn mutate(&mut self, mutation: Mutation<'_>) -> Result<String, StepError> {
        // Earlier events must not be reported as those of this operation.
        self.job.resource.progress(&self.context.aws, &mut self.seen).await;
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
                    // A copy, once a mutation: the lock must not be held while AWS answers.
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
                Ok(made) => {
                    // Durable before anything else can fail: the next run then needs no listing to find it.
                    if let Some(identity) = made {
                        context.journal.created(&call, resource.id(), &identity);
                        self.made = Some(identity);
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
            // The SDK's own second attempt may have been refused because the first had worked and its answer was lost.
            match self.effect(mutation, &error).await {
                Effect::Took => return Ok(call),
                // The intent stays open: the next run looks for the resource before it creates it again.
                Effect::Unknown(why) => {
                    return Err(StepError::Unseen { what: resource.title(), why: Some(why) });
                }
                Effect::None => {}
            }
            let again = if error.is_fenced() {
                // It was not sent. If no other run has taken the lock, it is renewed and the call may be sent.
                context.journal.ensure_held().await.map_err(StepError::from)
            } else if error.is_busy() && !self.late() {
                self.retry(error.to_string()).await
            } else if error.is_transient() && failures_left > 0 && !self.late() {
                failures_left -= 1;
                self.retry(error.to_string()).await
            } else if (error.is_busy() || error.is_transient()) && self.late() {
                Err(self.timed_out(&format!("refused ({error})")))
            } else {
                Err(error.clone().into())
            };
            if let Err(again) = again {
                context.journal.failed(&call, resource.id(), &error.to_string());
                return Err(again);
            }
            if error.is_busy() {
                let before = match mutation {
                    Mutation::Apply(_, live) => live,
                    Mutation::Delete(live, _) => Some(live),
                };
                if self.settled().await?.as_ref() != before {
                    return Ok(call);
                }
            }
        }
    }

    /// The effect of a call that ended in an error. A resource that AWS finds only by listing is looked for repeatedly,
    /// since creating it again would create a second one.
    async fn effect(&mut self, mutation: Mutation<'_>, error: &AwsError) -> Effect {
        if error.is_throttle() || error.is_credentials() {
            return Effect::None;
        }
        let (context, resource) = (self.context, Arc::clone(&self.job.resource));
        let live = match mutation {
            Mutation::Apply(_, None)
                if (error.is_transient() || error.is_cut_short()) && resource.found_by_listing() =>
            {
                let looked = wait::short(context.deadlines.unseen(), || resource.read(&context.aws, None)).await;
                match looked {
                    // It may have been created; the next run looks for it.
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
        let took = match (mutation, live) {
            (Mutation::Apply(_, None), Some(live)) => live.owner == Owner::Ours,
            (Mutation::Apply(change, Some(before)), Some(live)) => {
                *before != live && self.diff(Some(&live)).as_ref() != Some(change)
            }
            (Mutation::Delete(..), None) => true,
            _ => false,
        };
        if took { Effect::Took } else { Effect::None }
    }
}
