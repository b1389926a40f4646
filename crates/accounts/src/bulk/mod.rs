//! What the commands that read or write many accounts share: reading the table, spreading keys over parts, conditional
//! writes by the batch, and their pace.

pub(crate) mod execute;
pub(crate) mod pace;
pub(crate) mod pages;
pub(crate) mod spread;
pub mod unwritten;
pub mod watch;
