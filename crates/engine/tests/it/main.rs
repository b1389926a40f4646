//! The engine from outside: with an AWS in memory, and with a stub that gives the responses that a test defines. Needs
//! neither a local cloud nor the built program. One binary, so that it is linked only once.

mod account_settings;
mod accounts;
mod assume_role;
mod contract;
mod drift;
mod edges;
mod recorded;
mod recorded_calls;
mod seed;
mod settled;
mod state;
mod unseen;
mod wire;
mod wire_adopt;
mod wire_answers;
mod wire_bucket;
mod wire_doctor;
mod wire_failed_stack;
mod wire_login;
mod wire_owner;
mod wire_package;
mod wire_roles;
mod wire_stack;
mod wire_witness;

use sftpctl_testkit::{drive, playback, programs, stub};
