//! Proof in AWS that a resource without our tag is this environment's.
//!
//! Whoever can write the state can name any resource of the account in it. So what the state remembers, and whose tag
//! was removed by hand, is ours only if something of ours in AWS refers to it: a stack with our tag.

use sftpctl_aws::{Aws, AwsError, StackFacts, Tags};
use sftpctl_core::model::Owner;

use super::tags;

/// A stack of this environment, and what it refers to.
#[derive(Clone, Debug)]
pub struct Witness {
    pub region: String,
    /// The stack's name.
    pub stack: String,
    /// The environment's tags.
    pub tags: Tags,
}

impl Witness {
    /// The owner of a resource with these tags.
    ///
    /// # Arguments
    /// `what` is the resource in the message. `known` says whether the state has exactly this resource; only then, and
    /// without a tag of any environment, `refers` is asked.
    ///
    /// # Errors
    /// The stack cannot be read.
    pub(super) async fn owner<F>(&self, have: &Tags, what: &str, known: bool, refers: F) -> Result<Owner, AwsError>
    where
        F: Future<Output = Result<bool, AwsError>>,
    {
        if !known || have.contains_key(tags::ENVIRONMENT) {
            return Ok(tags::owner(have, &self.tags, what));
        }
        Ok(match refers.await? {
            true => Owner::Ours,
            false => Owner::Foreign(known_from_state_only(what, self)),
        })
    }

    /// Whether a parameter of the stack has this value.
    pub(super) async fn parameter(&self, aws: &Aws, name: &str, value: &str) -> Result<bool, AwsError> {
        let stack = self.own_stack(aws).await?;
        Ok(stack.is_some_and(|stack| stack.parameters.get(name).is_some_and(|have| have == value)))
    }

    /// Whether the stack has this resource, by its physical ID.
    pub(super) async fn contains(&self, aws: &Aws, physical: &str) -> Result<bool, AwsError> {
        let stack = aws.cloudformation(&self.region).stack_with(physical).await?;
        Ok(stack.is_some_and(|name| name == self.stack) && self.own_stack(aws).await?.is_some())
    }

    async fn own_stack(&self, aws: &Aws) -> Result<Option<StackFacts>, AwsError> {
        let stack = aws.cloudformation(&self.region).stack(&self.stack).await?;
        Ok(stack.filter(|stack| tags::owner(&stack.tags, &self.tags, &self.stack) == Owner::Ours))
    }
}

fn known_from_state_only(what: &str, witness: &Witness) -> String {
    let Witness { stack, region, tags } = witness;
    let environment = tags.get(tags::ENVIRONMENT).map_or("", String::as_str);
    format!(
        "{what} is known from the state only: it has no tag {}, and the stack {stack} in {region} does not refer to \
         it. If it is this environment's, give it the tag {}={environment}; if not, run \
         `sftpctl state rebuild --env {environment}`",
        tags::ENVIRONMENT,
        tags::ENVIRONMENT
    )
}
