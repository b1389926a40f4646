//! The customers' accounts. [`rules`] checks the values of an account (pure), [`create`] and [`change`] write an
//! account, [`store`] reads and writes the account table, and [`import`] moves the accounts of another system there.

pub mod change;
pub mod create;
pub mod import;
pub mod password;
pub mod rules;
pub mod store;

pub use store::{AccountError, Accounts};
