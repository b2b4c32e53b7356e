//! What the hub counts. Handles are registered once; nothing is looked up per message.

use metrics::{
    Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};

const USERS: &str = "parlance_presence_sessions";
const QUEUE_BYTES: &str = "parlance_outbound_queue_bytes";

/// Tells what is looked at now and then: how many users have connections here, and how many bytes
/// wait in the outboxes of all connections.
pub(super) fn measured(users: u64, bytes: u64) {
    gauge!(USERS).set(users as f64);
    gauge!(QUEUE_BYTES).set(bytes as f64);
}

/// The hub's metrics.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    /// Frames put into outboxes.
    pub(crate) deliveries: Counter,
    /// Seconds from Redis' storing an entry to its being put into outboxes here, by the two
    /// machines' clocks.
    pub(crate) delivery_latency: Histogram,
    /// Holes that were filled from the log.
    pub(crate) repairs_filled: Counter,
    /// Holes that the log could not fill: clients were told to start afresh.
    pub(crate) repairs_reset: Counter,
    /// Reads for a repair that failed and are made again.
    pub(crate) repairs_failed: Counter,
    /// Joins that went on from the client's place.
    pub(crate) resumes_whole: Counter,
    /// Joins whose place the log no longer had.
    pub(crate) resumes_reset: Counter,
}

impl Metrics {
    /// Registers them.
    pub(crate) fn new() -> Self {
        describe_gauge!(USERS, "Users with a connection to this node");
        describe_gauge!(QUEUE_BYTES, Unit::Bytes, "Bytes that wait in connections' outboxes");
        measured(0, 0);
        describe_counter!("parlance_deliveries_total", "Frames put into connections' outboxes");
        describe_histogram!(
            "parlance_delivery_latency_seconds",
            "Time from storing an entry to handing it to this node's connections"
        );
        describe_counter!("parlance_gap_repairs_total", "Holes seen in a room's log, by outcome");
        describe_counter!("parlance_resumes_total", "Joins that named a place, by outcome");
        Self {
            deliveries: counter!("parlance_deliveries_total"),
            delivery_latency: histogram!("parlance_delivery_latency_seconds"),
            repairs_filled: counter!("parlance_gap_repairs_total", "outcome" => "filled"),
            repairs_reset: counter!("parlance_gap_repairs_total", "outcome" => "reset"),
            repairs_failed: counter!("parlance_gap_repairs_total", "outcome" => "failed"),
            resumes_whole: counter!("parlance_resumes_total", "outcome" => "whole"),
            resumes_reset: counter!("parlance_resumes_total", "outcome" => "reset"),
        }
    }
}
