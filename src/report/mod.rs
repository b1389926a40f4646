//! Output: the only place that prints. Events in; terminal, plain lines or JSON lines out.

pub mod events;
