//! What the load balancer says about itself.
//!
//! One finished request becomes one [`record::Record`], and everything that reports on requests
//! reads that record, so that two reports of one request cannot disagree. The [`access_log`] turns
//! it into a line; the [`sink`] takes the line off the worker's hands, and never makes a worker
//! wait. Nothing in here takes part in a decision.

pub mod access_log;
pub mod escape;
pub mod process_log;
pub mod record;
pub mod sink;

mod text;
mod values;

#[cfg(test)]
mod example;
