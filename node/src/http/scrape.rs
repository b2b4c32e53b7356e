//! The metrics in Prometheus' text format.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use metrics_exporter_prometheus::PrometheusHandle;

/// All metrics as they stand.
pub(super) async fn metrics(State(handle): State<PrometheusHandle>) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render()).into_response()
}
