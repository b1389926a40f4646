//! Tests of the whole program, in one binary, so that it is linked only once. Those that need an emulator of AWS are in
//! `on_local_cloud`; `scripts/test quick` skips them by that name.

mod activity;
mod bench;
mod blocks;
mod clients;
mod code_blocks;
mod console;
mod cost;
mod documents;
mod events;
mod fuzz_seeds;
mod harmless;
mod inputs;
mod local;
mod on_local_cloud;
mod options;
mod package;
mod packaging;
mod permissions;
mod pipeline;
mod shell_script;
mod shown;
mod spec;
mod supply_chain;
mod users;

use sftpctl_testkit::{drive, site, stub};
