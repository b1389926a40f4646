//! The customers' accounts. [`rules`] checks the values of an account (pure), [`create`] and [`change`] write an
//! account, and [`store`] reads and writes the account table.

pub mod change;
pub mod create;
pub mod password;
pub mod rules;
pub mod store;

pub use store::{AccountError, Accounts};
