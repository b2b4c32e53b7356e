//! Whether the process, and what it needs, is well.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;

use crate::clock;
use crate::http::Sources;
use crate::store::Health;

#[derive(Serialize)]
struct NodeHealth {
    status: &'static str,
    /// Whole seconds since the start.
    uptime: u64,
    timestamp: String,
}

/// The process answers; Redis is not asked.
pub(super) async fn node(State(sources): State<Sources>) -> Response {
    let uptime = sources.started.elapsed().as_secs();
    Json(NodeHealth { status: "ok", uptime, timestamp: clock::now().to_string() }).into_response()
}

#[derive(Serialize)]
struct SocketHealth {
    status: &'static str,
    socket: Socket,
}

#[derive(Serialize)]
struct Socket {
    initialized: bool,
    connected: u64,
    rooms: u64,
}

/// The cluster serves clients: 503 while Redis does not answer this node.
pub(super) async fn socket(State(sources): State<Sources>) -> Response {
    let (code, status) = match *sources.health.borrow() {
        Health::Ready => (StatusCode::OK, "ok"),
        Health::Starting | Health::Degraded => (StatusCode::SERVICE_UNAVAILABLE, "error"),
    };
    let cluster = (sources.cluster)();
    let socket = Socket { initialized: true, connected: cluster.connections, rooms: cluster.rooms };
    (code, Json(SocketHealth { status, socket })).into_response()
}
