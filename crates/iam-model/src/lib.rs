//! A strict local model of AWS IAM policy evaluation.
//!
//! It answers one question: may this caller perform this action on this
//! resource, given the role's identity policies, an optional session policy and
//! an optional resource policy (a bucket policy, a Lambda or API Gateway resource
//! policy, or a role's trust policy)?
//!
//! Anything that it does not know, be it an element, an operator, a condition key, a variable or a type, is an error
//! and never a silent "no match": a skipped statement would make a local test pass for a policy that AWS rejects or
//! reads differently. If the outcome depends on something that AWS does not document, the answer is an error too.
//!
//! The parts, from the inside out:
//!
//! * [`json`] reads JSON and refuses repeated keys, which `serde_json` would merge.
//! * [`keys`] is the list of condition keys this model knows, and the request context.
//! * [`pattern`] matches `*` and `?`; [`template`] adds policy variables.
//! * [`operand`] holds the typed values of conditions: numbers, dates, addresses, ARNs.
//! * [`operator`] and [`condition`] are the `Condition` block.
//! * [`caller`] is the caller of a request; [`principal`] are the principals that a policy names.
//! * [`statement`] and [`policy`] turn JSON text into a typed [`policy::Policy`].
//! * [`request`] is a request, and the findings of each policy about it.
//! * [`evaluate`] combines the policies into an [`evaluate::Decision`].
//!
//! Not modelled, by design: service and resource control policies, permissions
//! boundaries, VPC endpoint policies, ACLs, Block Public Access and KMS grants.

mod caller;
mod condition;
mod error;
mod evaluate;
mod json;
mod keys;
mod operand;
mod operator;
mod pattern;
mod policy;
mod principal;
mod request;
mod statement;
mod template;

pub use caller::Caller;
pub use evaluate::{Decision, evaluate};
pub use policy::Policy;
pub use request::Request;

#[cfg(test)]
mod generate;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod scenarios_single;
