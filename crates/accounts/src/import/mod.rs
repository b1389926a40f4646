//! The import of accounts from another system, by the million: rows are checked, compared with each other and with the
//! table, and only then written.

pub mod row;
