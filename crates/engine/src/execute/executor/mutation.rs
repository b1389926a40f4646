//! One mutation of a step: announced, called, and called again only where that cannot make a thing twice.

use std::sync::Arc;

use super::{Walk, lock};
use crate::execute::error::StepError;
use crate::resources::resource::ResourceError;
use crate::wait;
use sftpctl_aws::AwsError;
use sftpctl_core::model::{Action, Change, Live, Owner, RemovalOptions};

/// Calls of one mutation that end in AWS's own trouble, each with the SDK's attempts, before we say that it failed.
const TROUBLES: usize = 3;
/// The same where the SDK may not try again by itself.
const TROUBLES_ALONE: usize = 8;

/// What is called.
#[derive(Clone, Copy)]
pub(super) enum Mutation<'a> {
    /// A change towards what is wanted, and what is there.
    Apply(&'a Change, Option<&'a Live>),
    /// A step of a deletion.
    Delete(&'a Live, RemovalOptions),
}

/// What came of a call that ended in an error.
enum Effect {
    /// It did its work all the same.
    Took,
    /// It did nothing, or may be made again without harm.
    None,
    /// Nobody can say, and made again it would be there twice.
    Unknown(String),
}

impl Walk<'_> {
    /// One mutation, announced first, and tried again while AWS says that something is still changing. "Exists already"
    /// is said in the same words as "is changing": so it looks before it tries again, and leaves what it finds changed
    /// to the caller's next comparison. Returns its name in the journal, which wants its outcome.
    pub(super) async fn mutate(&mut self, mutation: Mutation<'_>) -> Result<String, StepError> {
        // What happened before is not told as if this operation had done it.
        self.job.resource.progress(&self.context.aws, &mut self.seen).await;
        let action = match mutation {
            Mutation::Apply(change, _) => change.action,
            Mutation::Delete(..) => Action::Delete,
        };
        let (context, resource) = (self.context, Arc::clone(&self.job.resource));
        let call = context.journal.intend(resource.id(), action, &resource.title()).await?;
        let mut troubles = if resource.found_by_listing() { TROUBLES_ALONE } else { TROUBLES };
        loop {
            let result = match mutation {
                Mutation::Apply(change, None) => {
                    // A copy, since the call is waited for: one a mutation.
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
                    // Durable before anything else can go wrong: a run after this one needs no listing to find it.
                    if let Some(identity) = made {
                        context.journal.made(&call, resource.id(), &identity);
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
                // The intent stays open: the next run looks for it before it makes it again.
                Effect::Unknown(why) => {
                    return Err(StepError::Unseen { what: resource.title(), why: Some(why) });
                }
                Effect::None => {}
            }
            let again = if error.is_fenced() {
                // It was not sent. Where nobody has followed, the lock is renewed and the call may go.
                context.journal.sure().await.map_err(StepError::from)
            } else if error.is_busy() && !self.late() {
                self.retry(error.to_string()).await
            } else if error.is_transient() && troubles > 0 && !self.late() {
                troubles -= 1;
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

    /// What a call did that ended in an error. What AWS finds by listing only is looked for a while, since making it
    /// again would make a second one.
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
                    // It did make it; the next run looks on.
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
