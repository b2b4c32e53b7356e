//! What the node tells over plain HTTP: an example page, its health and figures to everyone, its
//! probes and metrics on the internal port.

pub mod api;
pub mod body;

mod files;
mod health;
mod level;
mod page;
mod probes;
mod scrape;
mod status;
pub mod tickets;

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::blobs::Blobs;
use crate::hub::LocalFigures;
use crate::lifecycle::Lifecycle;
use crate::store::{ClusterFigures, Health};

/// Where the figures come from.
#[derive(Clone)]
pub struct Sources {
    /// This node's name.
    pub node: Arc<str>,
    /// When the node was started.
    pub started: Instant,
    /// This node's figures.
    pub local: Arc<dyn Fn() -> LocalFigures + Send + Sync>,
    /// The cluster's figures, as Redis last told them.
    pub cluster: Arc<dyn Fn() -> ClusterFigures + Send + Sync>,
    /// Messages' files.
    pub blobs: Blobs,
    /// Whether Redis answers.
    pub health: watch::Receiver<Health>,
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").field("node", &self.node).finish_non_exhaustive()
    }
}

/// The public pages, without Socket.IO; `tickets` are the older way of a protocol.
pub fn public(sources: Sources, tickets: Router) -> Router {
    let files = get(files::file).with_state(sources.blobs.clone());
    Router::new()
        .route("/files/{id}/{name}", files)
        .route("/", get(page::page))
        .route("/health", get(health::node))
        .route("/api/status", get(status::status))
        .route("/api/socket/health", get(health::socket))
        .with_state(sources)
        .merge(tickets)
        .fallback(not_found)
}

/// The pages of the internal port, `api` among them. Spawns the task that times how long Redis has been away.
pub fn internal(
    health: watch::Receiver<Health>,
    metrics: PrometheusHandle,
    api: Router,
    lifecycle: &Lifecycle,
) -> Router {
    let readiness = probes::Readiness::watch(health, lifecycle);
    Router::new()
        .route("/livez", get(probes::live))
        .route("/readyz", get(probes::ready).with_state(readiness))
        .route("/metrics", get(scrape::metrics).with_state(metrics))
        .route("/log-level", level::route())
        .merge(api)
        .fallback(not_found)
}

async fn not_found() -> Response {
    let body = Json(json!({ "status": "error", "message": "Not found" }));
    (StatusCode::NOT_FOUND, body).into_response()
}

#[cfg(test)]
mod tests;
