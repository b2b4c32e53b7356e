//! What the gateway counts.

use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram, Unit};
use tokio::time::Instant;

use crate::domain::close::CloseReason;
use crate::domain::refusal::Refusal;

const CONNECTIONS: &str = "parlance_connections";
const CONNECTION_DURATION: &str = "parlance_connection_duration_seconds";
const HANDSHAKES: &str = "parlance_handshakes_total";
const OUTBOUND_BYTES: &str = "parlance_outbound_bytes_total";

/// Tells the recorder what each metric means.
pub(super) fn describe() {
    metrics::describe_gauge!(
        CONNECTIONS,
        "Open namespaces and paths, by the dialect that they were opened for."
    );
    metrics::describe_histogram!(
        CONNECTION_DURATION,
        Unit::Seconds,
        "How long a namespace was open, by the reason of its end."
    );
    metrics::describe_counter!(HANDSHAKES, "Asked-for sessions and namespaces, by their outcome.");
    metrics::describe_counter!(OUTBOUND_BYTES, Unit::Bytes, "Bytes written to TCP connections.");
    // What alerts and dashboards divide by begins at nothing and is not absent.
    for outcome in [Handshake::Opened, Handshake::Unavailable, Handshake::AuthRequired] {
        metrics::counter!(HANDSHAKES, "result" => outcome.as_str()).increment(0);
    }
    for reason in [CloseReason::Gone, CloseReason::HeartbeatMissed, CloseReason::TooSlow] {
        let _registered = duration(reason);
    }
}

/// Bytes written to TCP connections.
pub(super) fn outbound_bytes() -> Counter {
    metrics::counter!(OUTBOUND_BYTES)
}

/// How asking for a session, or for a namespace of one, came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Handshake {
    /// A session was opened.
    Opened,
    /// The request was malformed.
    Malformed,
    /// The page may not speak to this node.
    Origin,
    /// The address opens too many.
    AddressLimit,
    /// The node is full or leaving, or cannot judge a token now.
    Unavailable,
    /// A namespace was connected.
    Connected,
    /// A namespace was asked for without a token that verifies.
    AuthRequired,
    /// A namespace was asked for with a malformed payload.
    InvalidConnect,
}

impl Handshake {
    /// How asking for a namespace came out.
    pub(super) fn of_connect(refusal: Option<&Refusal>) -> Self {
        match refusal {
            None => Self::Connected,
            Some(Refusal::AuthRequired) => Self::AuthRequired,
            Some(Refusal::Unavailable(_)) => Self::Unavailable,
            Some(_) => Self::InvalidConnect,
        }
    }

    /// Counts it.
    pub(super) fn count(self) {
        metrics::counter!(HANDSHAKES, "result" => self.as_str()).increment(1);
    }

    /// The outcome in metrics and audit records.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Malformed => "malformed",
            Self::Origin => "origin",
            Self::AddressLimit => "address_limit",
            Self::Unavailable => "unavailable",
            Self::Connected => "connected",
            Self::AuthRequired => "auth_required",
            Self::InvalidConnect => "invalid_connect",
        }
    }
}

/// How many connections that were opened for `dialect` a transport carries. Looked up when one
/// comes, moves or goes.
fn connections(is_websocket: bool, dialect: &Arc<str>) -> Gauge {
    let transport = if is_websocket { "websocket" } else { "polling" };
    metrics::gauge!(CONNECTIONS, "transport" => transport, "dialect" => Arc::clone(dialect))
}

/// A counted connection; its drop takes it out of the count again.
#[derive(Debug)]
pub(super) struct Counted {
    dialect: Arc<str>,
    is_websocket: bool,
    since: Instant,
    reason: CloseReason,
}

impl Counted {
    /// Counts one connection that was opened for `dialect`.
    #[must_use]
    pub(super) fn new(dialect: Arc<str>, is_websocket: bool) -> Self {
        connections(is_websocket, &dialect).increment(1);
        Self { dialect, is_websocket, since: Instant::now(), reason: CloseReason::Gone }
    }

    /// Whether it is counted as a WebSocket.
    #[must_use]
    pub(super) fn is_websocket(&self) -> bool {
        self.is_websocket
    }

    /// A session that began with polling has got a WebSocket.
    pub(super) fn moves_to_websocket(&mut self) {
        connections(self.is_websocket, &self.dialect).decrement(1);
        self.is_websocket = true;
        connections(self.is_websocket, &self.dialect).increment(1);
    }

    /// Why it will have ended; without it: the client went.
    pub(super) fn ends(&mut self, reason: CloseReason) {
        self.reason = reason;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        connections(self.is_websocket, &self.dialect).decrement(1);
        duration(self.reason).record(self.since.elapsed());
    }
}

/// Once a connection, so it may be looked up.
fn duration(reason: CloseReason) -> Histogram {
    metrics::histogram!(CONNECTION_DURATION, "close_reason" => reason.as_str())
}
