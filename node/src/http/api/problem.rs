//! The answer no: one shape for all operations.

use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::Value;

use crate::domain::refusal::{Outcome, Refusal};
use crate::http::api::shape::{Shape, described, object};

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cause {
    /// For programs: it stays.
    code: String,
    /// For people: it may change.
    message: String,
    /// `unknown`: it may have been done all the same; ask again with the same Idempotency-Key.
    outcome: String,
    /// How long to wait before asking again, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

/// The answer no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    #[serde(skip)]
    pub(super) status: StatusCode,
    error: Cause,
}

impl Problem {
    /// The schema of every answer no.
    pub(super) fn schema() -> Value {
        let text = |about: &str| described(String::schema(), about);
        let wait = "How long to wait before asking again, in milliseconds.";
        let members = vec![
            ("code".to_owned(), text("For programs: it stays.")),
            ("message".to_owned(), text("For people: it may change.")),
            (
                "outcome".to_owned(),
                text("`unknown`: it may have been done all the same; ask again with the same key."),
            ),
            ("retryAfterMs".to_owned(), described(u64::schema(), wait)),
        ];
        let required = ["code", "message", "outcome"].map(str::to_owned);
        let cause = object("Why it was not done.", members, &required);
        object("The answer no.", vec![("error".to_owned(), cause)], &["error".to_owned()])
    }

    pub(super) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let (code, message) = (code.to_owned(), message.into());
        let outcome = Outcome::Refused.as_str().to_owned();
        Self { status, error: Cause { code, message, outcome, retry_after_ms: None } }
    }

    /// Something in the request is wrong.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_DATA", message)
    }

    /// There is no such thing.
    pub(super) fn missing(code: &str, message: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }
}

/// How HTTP says this no.
pub(in crate::http) fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::AuthRequired => StatusCode::UNAUTHORIZED,
        Refusal::AccessDenied => StatusCode::FORBIDDEN,
        Refusal::RoomNotFound | Refusal::UserNotFound | Refusal::UnknownEvent => {
            StatusCode::NOT_FOUND
        }
        Refusal::NotAMember | Refusal::RoomClosed => StatusCode::CONFLICT,
        Refusal::Invalid(_) => StatusCode::BAD_REQUEST,
        Refusal::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        Refusal::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        Refusal::Busy { .. } | Refusal::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let mut problem = Self::new(status_of(&refusal), refusal.code(), refusal.to_string());
        problem.error.outcome = refusal.outcome().as_str().to_owned();
        let wait_ms = refusal.retry_after().map(|it| it.as_millis());
        problem.error.retry_after_ms = wait_ms.and_then(|it| u64::try_from(it).ok());
        problem
    }
}

impl Problem {
    /// For programs.
    pub(super) fn code(&self) -> &str {
        &self.error.code
    }

    /// The body.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() // texts and numbers always have a form
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(&self)).into_response();
        if let Some(wait_ms) = self.error.retry_after_ms {
            let seconds = HeaderValue::from(wait_ms.div_ceil(1000));
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}
