//! From a request to its answer: who asks, whether it was asked before, what comes of it.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use tracing::info;

use crate::http::api::PartsLater;
use crate::http::api::key::Keys;
use crate::http::api::once::{self, Turn};
use crate::http::api::operation::{Asked, Operation};
use crate::http::api::problem::Problem;

/// Bytes of a request's body: the longest text of a message, with room for how JSON spells it.
pub(super) const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// What stands before every operation.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    pub(super) keys: Arc<Keys>,
    pub(super) parts: PartsLater,
}

/// Carries out one request.
pub(super) async fn serve(
    operation: &Operation,
    gate: &Gate,
    path: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
) -> Response {
    match answer(operation, gate, path, request).await {
        Ok((status, body)) => with_body(status, body),
        Err(problem) => problem.into_response(),
    }
}

fn with_body(status: StatusCode, body: String) -> Response {
    if status == StatusCode::NO_CONTENT {
        return status.into_response();
    }
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

async fn answer(
    operation: &Operation,
    gate: &Gate,
    path: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
) -> Result<(StatusCode, String), Problem> {
    let (head, body) = request.into_parts();
    let bearer = gate.keys.bearer(&head.headers);
    let bearer = bearer.ok_or_else(|| {
        Problem::new(StatusCode::UNAUTHORIZED, "AUTH_REQUIRED", "Authentication required")
    })?;
    if !bearer.may(operation.scope) {
        let message = format!("the key has not the scope {}", operation.scope.as_str());
        return Err(Problem::new(StatusCode::FORBIDDEN, "ACCESS_DENIED", message));
    }
    let parts = gate.parts.get().ok_or_else(|| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "SERVER_ERROR", "the node is starting")
    })?;
    let path = path.map_err(|_no_text| Problem::invalid("the path cannot be read"))?;
    let body = read(body).await?;
    let query = head.uri.query().unwrap_or_default().to_owned();
    let what: [&[u8]; 4] =
        [operation.name.as_bytes(), head.uri.path().as_bytes(), query.as_bytes(), &body];
    let once = match operation.writes() {
        true => once::Request::of(&head.headers, bearer.name, &what)?,
        false => None,
    };
    if let Some(once) = &once
        && let Turn::Repeated(status, body) = once.begin(&parts.store).await?
    {
        return Ok((status, body));
    }
    let asked = Asked {
        parts: parts.clone(),
        path: path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        query,
        body,
        name: once.as_ref().and_then(once::Request::name),
    };
    let (status, body) = match (operation.run)(asked).await {
        Ok(body) => (operation.status, body),
        Err(problem) if once.is_none() => return Err(problem),
        Err(problem) => (problem.status, problem.json()),
    };
    if let Some(once) = once {
        once.end(&parts.store, status, &body).await;
    }
    if operation.writes() {
        info!(api.key = %bearer.name, api.operation = operation.name, status = status.as_u16(), "the application asked");
    }
    Ok((status, body))
}

async fn read(body: Body) -> Result<Vec<u8>, Problem> {
    let too_large = |_error| {
        let message = format!("the body is longer than {BODY_BYTES_MAX} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "INVALID_DATA", message)
    };
    to_bytes(body, BODY_BYTES_MAX).await.map(Into::into).map_err(too_large)
}
