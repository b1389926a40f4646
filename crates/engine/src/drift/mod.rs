//! What differs in AWS from what the environment file and its stacks say, and what exists besides.
//!
//! `model` is the report and its rules (pure). `stack` asks CloudFormation; what that says nothing about is read by
//! `reads`, one reader a type, and compared with the template: `resolve` evaluates the template's values, `compare` finds
//! the differences (both pure). What could not be checked is part of the report: a resource that the report does not name was
//! read and is as wanted.

pub mod compare;
pub mod model;
pub mod reads;
pub mod resolve;
pub mod stack;
pub mod unknown;
