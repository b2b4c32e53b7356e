//! What an orchestrator and a proxy ask.
//!
//! Liveness never depends on Redis: restarting every node of a cluster does not bring it back.
//! Readiness bears a while without Redis, or all nodes would leave the proxy together.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::lifecycle::Lifecycle;
use crate::store::Health;

/// How long a node without Redis stays in the proxy: a failover is over by then.
pub(super) const DEGRADED_MAX: Duration = Duration::from_secs(45);

/// The health of Redis, and since when it has been so.
#[derive(Debug, Clone)]
pub(super) struct Readiness {
    health: watch::Receiver<(Health, Instant)>,
    lifecycle: Lifecycle,
}

impl Readiness {
    /// Follows `health` until the node stops.
    pub(super) fn watch(mut health: watch::Receiver<Health>, lifecycle: &Lifecycle) -> Self {
        let first = *health.borrow_and_update();
        let (timed, receiver) = watch::channel((first, Instant::now()));
        lifecycle.spawn("readiness", async move {
            while health.changed().await.is_ok() {
                let now = *health.borrow_and_update();
                timed.send_if_modified(|last| {
                    let has_changed = last.0 != now;
                    if has_changed {
                        *last = (now, Instant::now());
                    }
                    has_changed
                });
            }
        });
        Self { health: receiver, lifecycle: lifecycle.clone() }
    }

    fn judge(&self) -> (StatusCode, &'static str) {
        if self.lifecycle.is_stopping() {
            return (StatusCode::NOT_FOUND, "draining");
        }
        let (health, since) = *self.health.borrow();
        match health {
            Health::Ready => (StatusCode::OK, "ready"),
            Health::Degraded if since.elapsed() < DEGRADED_MAX => (StatusCode::OK, "degraded"),
            Health::Degraded => (StatusCode::SERVICE_UNAVAILABLE, "degraded"),
            Health::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        }
    }
}

/// The process runs.
pub(super) async fn live() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// Whether new clients should come to this node.
pub(super) async fn ready(State(readiness): State<Readiness>) -> Response {
    let (code, status) = readiness.judge();
    (code, Json(json!({ "status": status }))).into_response()
}
