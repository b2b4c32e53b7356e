//! What is logged, read and changed while the node runs.

use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use http::StatusCode;
use tracing::info;

use crate::telemetry::logging::{self, Filter};

/// A filter for every module would fit.
const FILTER_BYTES_MAX: usize = 4096;

/// `GET` answers the level as text, `PUT` takes another one, for this process only.
pub(super) fn route<S: Clone + Send + Sync + 'static>() -> MethodRouter<S> {
    get(tell).put(change).layer(DefaultBodyLimit::max(FILTER_BYTES_MAX))
}

async fn tell() -> Response {
    logging::level().map_or_else(no_log, |it| format!("{it}\n").into_response())
}

async fn change(text: String) -> Response {
    let level: Filter = match text.trim().parse() {
        Ok(level) => level,
        Err(problem) => return (StatusCode::BAD_REQUEST, format!("{problem}\n")).into_response(),
    };
    // Before the change, which may silence it.
    info!(log.level = %level, "the log level is changed");
    if logging::set_level(level) { tell().await } else { no_log() }
}

/// The process that runs this node keeps its own log.
fn no_log() -> Response {
    StatusCode::NOT_FOUND.into_response()
}
