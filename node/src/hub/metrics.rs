//! What the hub counts. Handles are registered once; nothing is looked up per message.

use metrics::{Counter, Histogram, counter, describe_counter, describe_histogram, histogram};

/// The hub's metrics.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    /// Frames put into outboxes.
    pub(crate) deliveries: Counter,
    /// Receipts that made way for newer ones.
    pub(crate) receipts_dropped: Counter,
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
        describe_counter!("parlance_deliveries_total", "Frames put into connections' outboxes");
        describe_counter!(
            "parlance_receipts_dropped_total",
            "Receipts that made way for newer ones in a connection's outbox"
        );
        describe_histogram!(
            "parlance_delivery_latency_seconds",
            "Time from storing an entry to handing it to this node's connections"
        );
        describe_counter!("parlance_gap_repairs_total", "Holes seen in a room's log, by outcome");
        describe_counter!("parlance_resumes_total", "Joins that named a place, by outcome");
        Self {
            deliveries: counter!("parlance_deliveries_total"),
            receipts_dropped: counter!("parlance_receipts_dropped_total"),
            delivery_latency: histogram!("parlance_delivery_latency_seconds"),
            repairs_filled: counter!("parlance_gap_repairs_total", "outcome" => "filled"),
            repairs_reset: counter!("parlance_gap_repairs_total", "outcome" => "reset"),
            repairs_failed: counter!("parlance_gap_repairs_total", "outcome" => "failed"),
            resumes_whole: counter!("parlance_resumes_total", "outcome" => "whole"),
            resumes_reset: counter!("parlance_resumes_total", "outcome" => "reset"),
        }
    }
}
