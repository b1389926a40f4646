//! Drift: differences between AWS and what the environment file and the stacks' templates say, and resources that
//! neither names.
//!
//! `model` is the report and its rules (pure). `stack` uses CloudFormation's drift detection. The types that it does
//! not cover are read by `reads`, one reader for each type, and compared with the template: `resolve` evaluates the
//! template's values, `compare` finds the differences (both pure). Resources that could not be checked are part of the
//! report: a resource that the report does not name was read and has no drift.

pub mod compare;
pub mod model;
pub mod reads;
pub mod resolve;
pub mod stack;
pub mod unknown;
