//! From a request to its answer: who asks, whether it was asked before, what comes of it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

use crate::domain::refusal::Refusal;
use crate::http::api::PartsLater;
use crate::http::api::key::Keys;
use crate::http::api::once::{self, Turn};
use crate::http::api::operation::{Asked, Operation};
use crate::http::api::problem::Problem;
use crate::http::api::written::Unfinished;
use crate::http::body::{Bodies, Read, Unread, WITH_FILES_BYTES_MAX};

/// Bytes of a request's body: the longest text of a message, with room for how JSON spells it.
const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Bytes of a request's body for this operation.
pub(super) fn body_bytes_max(operation: &Operation) -> usize {
    if operation.takes_files { WITH_FILES_BYTES_MAX } else { BODY_BYTES_MAX }
}

/// What stands before every operation.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    pub(super) keys: Arc<Keys>,
    pub(super) parts: PartsLater,
    pub(super) bodies: Bodies,
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
    let parts = gate.parts.get().ok_or_else(|| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "SERVER_ERROR", "the node is starting")
    })?;
    let named = path.iter().flatten();
    let mut record = Unfinished::of(&parts.audit, operation.name, &head, named);
    let key = match gate.admit(operation, &head.headers, &mut record) {
        Ok(key) => key,
        Err(problem) => {
            record.tell(problem.code());
            return Err(problem);
        }
    };
    let path = path.map_err(|_no_text| Problem::invalid("the path cannot be read"))?;
    let Read { bytes: body, place } = gate.read(operation, body).await?;
    let query = head.uri.query().unwrap_or_default().to_owned();
    let what: [&[u8]; 4] =
        [operation.name.as_bytes(), head.uri.path().as_bytes(), query.as_bytes(), &body];
    let once = match operation.writes() {
        true => once::Request::of(&head.headers, key, &what)?,
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
    let done = (operation.run)(asked).await;
    drop(place);
    if operation.writes() {
        record.tell(done.as_ref().map_or_else(Problem::code, |_body| "ok"));
    }
    let (status, body) = match done {
        Ok(body) => (operation.status, body),
        Err(problem) if once.is_none() => return Err(problem),
        Err(problem) => (problem.status, problem.json()),
    };
    if let Some(once) = once {
        once.end(&parts.store, status, &body).await;
    }
    Ok((status, body))
}

impl Gate {
    /// The name of the key that lets the request in.
    fn admit(
        &self,
        operation: &Operation,
        headers: &HeaderMap,
        record: &mut Unfinished,
    ) -> Result<&Arc<str>, Problem> {
        let bearer = self.keys.bearer(headers).ok_or_else(|| {
            Problem::new(StatusCode::UNAUTHORIZED, "AUTH_REQUIRED", "Authentication required")
        })?;
        record.by(bearer.name);
        if !bearer.may(operation.scope) {
            let message = format!("the key has not the scope {}", operation.scope.as_str());
            return Err(Problem::new(StatusCode::FORBIDDEN, "ACCESS_DENIED", message));
        }
        Ok(bearer.name)
    }

    async fn read(&self, operation: &Operation, body: Body) -> Result<Read, Problem> {
        let most = body_bytes_max(operation);
        self.bodies.read(body, (BODY_BYTES_MAX, most)).await.map_err(|unread| match unread {
            Unread::TooLong => {
                let message = format!("the body is longer than {most} bytes");
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "INVALID_DATA", message)
            }
            Unread::Cut | Unread::Busy => Refusal::from(unread).into(),
        })
    }
}
