//! How a node is watched from outside: its log, its metrics and its traces.

pub mod audit;
pub mod logging;
pub mod metrics;
pub mod traces;
