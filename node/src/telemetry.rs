//! How a node is watched from outside: its log and its metrics.

pub mod audit;
pub mod logging;
pub mod metrics;
