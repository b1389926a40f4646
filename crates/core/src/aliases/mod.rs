//! Customers' host names: one CNAME per organisation, `site-files-17578.xx.net`, to the environment's host. Which names
//! there may be, what may become of a record, how changes fit into Route 53's batches, and what is remembered for a
//! cut-over. Pure.

pub mod batch;
pub mod decide;
pub mod host;
pub mod memory;
pub mod name;
pub mod zone;
