//! What an environment costs in a month: prices, quantities, and their product, line by line. Pure.
//!
//! What the environment file fixes has one amount; what depends on usage has a lowest and a highest one. Every line is
//! rounded to a cent, as on an invoice, and a total is the sum of the lines that are shown.

pub mod authorizer;
pub mod bill;
pub mod change;
pub mod coverage;
pub mod inventory;
pub mod money;
pub mod offers;
pub mod old_way;
pub mod prices;
pub mod usage;

#[cfg(test)]
mod tests;
