//! What this node and the cluster serve now.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::clock;
use crate::http::Sources;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    status: &'static str,
    connected_clients: u64,
    rooms: u64,
    node: Arc<str>,
    cluster: Cluster,
    timestamp: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cluster {
    nodes: u64,
    connected_clients: u64,
}

/// This node's figures, and the cluster's.
pub(super) async fn status(State(sources): State<Sources>) -> Response {
    let (local, cluster) = ((sources.local)(), (sources.cluster)());
    Json(Status {
        status: "running",
        connected_clients: local.connections,
        rooms: local.rooms,
        node: sources.node,
        cluster: Cluster { nodes: cluster.nodes, connected_clients: cluster.connections },
        timestamp: clock::now().to_string(),
    })
    .into_response()
}
