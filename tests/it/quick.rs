//! Tests of the program that need no local cloud. Their names begin with `quick::`, by which `scripts/test quick` finds
//! them.

mod deployer_policy;
mod documents;
mod events;
mod fuzz_seeds;
mod local;
mod options;
mod package;
mod pipeline;
mod shown;
mod users;
