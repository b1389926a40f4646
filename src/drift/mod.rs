//! What differs in AWS from what the environment file and its stacks say, and what is there besides.
//!
//! `model` is the report and its rules (pure), `stack` asks CloudFormation and reads what that cannot look at. What
//! could not be looked at is part of the report: silence must mean that a thing was seen and is as wanted.

pub mod model;
pub mod stack;
