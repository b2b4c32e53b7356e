//! What the hub counts. Handles are registered once; nothing is looked up per message.

use std::sync::LazyLock;
use std::time::Duration;

use metrics::{
    Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};

use crate::clock;
use crate::domain::time::Timestamp;

const USERS: &str = "parlance_presence_sessions";
const QUEUE_BYTES: &str = "parlance_outbound_queue_bytes";

/// Tells what is looked at now and then: how many users have connections here, and how many bytes
/// wait in the outboxes of all connections.
pub(super) fn measured(users: u64, bytes: u64) {
    gauge!(USERS).set(users as f64);
    gauge!(QUEUE_BYTES).set(bytes as f64);
}

const LATENCY: &str = "parlance_delivery_latency_seconds";

/// First used when the hub's metrics are registered.
static WRITTEN: LazyLock<Histogram> = LazyLock::new(|| histogram!(LATENCY));

/// A listener's connection takes an entry that was stored `at` this time, by the two machines'
/// clocks.
pub(super) fn written(at: Timestamp) {
    let age = clock::now().0.saturating_sub(at.0);
    WRITTEN.record(Duration::from_millis(age));
}

/// The hub's metrics.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    /// Frames put into outboxes.
    pub(crate) deliveries: Counter,
    /// Receipts that made way for newer ones.
    pub(crate) receipts_dropped: Counter,
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
        describe_counter!(
            "parlance_receipts_dropped_total",
            "Receipts that made way for newer ones in a connection's outbox"
        );
        describe_histogram!(
            LATENCY,
            Unit::Seconds,
            "Time from storing an entry to writing it to one of this node's listeners"
        );
        LazyLock::force(&WRITTEN);
        describe_counter!("parlance_gap_repairs_total", "Holes seen in a room's log, by outcome");
        describe_counter!("parlance_resumes_total", "Joins that named a place, by outcome");
        Self {
            deliveries: counter!("parlance_deliveries_total"),
            receipts_dropped: counter!("parlance_receipts_dropped_total"),
            repairs_filled: counter!("parlance_gap_repairs_total", "outcome" => "filled"),
            repairs_reset: counter!("parlance_gap_repairs_total", "outcome" => "reset"),
            repairs_failed: counter!("parlance_gap_repairs_total", "outcome" => "failed"),
            resumes_whole: counter!("parlance_resumes_total", "outcome" => "whole"),
            resumes_reset: counter!("parlance_resumes_total", "outcome" => "reset"),
        }
    }
}
