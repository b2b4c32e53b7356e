//! Requests that are carried out once, however often they come.

use http::{HeaderMap, StatusCode};
use xxhash_rust::xxh3::xxh3_128;

use crate::domain::id::ClientMessageId;
use crate::http::api::problem::Problem;
use crate::store::{Begun, Store};

/// The name of the header.
pub(super) const HEADER: &str = "idempotency-key";

/// Longest key, in bytes: a UUID fits several times.
pub(super) const KEY_BYTES_MAX: usize = 200;

/// A request with an idempotency key.
#[derive(Debug)]
pub(super) struct Request {
    hash: u128,
    fingerprint: String,
}

/// What is to be done with it.
#[derive(Debug)]
pub(super) enum Turn {
    /// Carry it out.
    First,
    /// It was carried out: this was the answer.
    Repeated(StatusCode, String),
}

impl Request {
    /// The request of `bearer` with the key in its header; `None`: it has none.
    pub(super) fn of(
        headers: &HeaderMap,
        bearer: &str,
        what: &[&[u8]],
    ) -> Result<Option<Self>, Problem> {
        let Some(key) = headers.get(HEADER) else { return Ok(None) };
        let key = key.to_str().ok().filter(|it| (1..=KEY_BYTES_MAX).contains(&it.len()));
        let key = key.ok_or_else(|| {
            Problem::invalid(format!("Idempotency-Key has to be 1 to {KEY_BYTES_MAX} characters"))
        })?;
        // No part holds a zero byte but the last, so no two requests read the same.
        let hash = xxh3_128(format!("{bearer}\0{key}").as_bytes());
        let fingerprint = format!("{:032x}", xxh3_128(&what.join(&0)));
        Ok(Some(Self { hash, fingerprint }))
    }

    /// A name for the message that the request writes.
    pub(super) fn name(&self) -> Option<ClientMessageId> {
        ClientMessageId::parse(&format!("{:032x}", self.hash)).ok()
    }

    pub(super) async fn begin(&self, store: &Store) -> Result<Turn, Problem> {
        let conflict =
            |message| Problem::new(StatusCode::CONFLICT, "IDEMPOTENCY_CONFLICT", message);
        let begun = store.begin(self.hash, &self.fingerprint).await;
        match begun.map_err(|error| away(&error))? {
            Begun::New => Ok(Turn::First),
            Begun::Kept(fingerprint, _) if fingerprint != self.fingerprint => {
                Err(conflict("the Idempotency-Key was used for another request"))
            }
            Begun::Kept(_, answer) => match answer.split_once('\n') {
                None => Err(conflict("the first request with this Idempotency-Key is under way")),
                Some((status, body)) => {
                    let status = status.parse().ok().and_then(|it| StatusCode::from_u16(it).ok());
                    Ok(Turn::Repeated(status.unwrap_or(StatusCode::OK), body.to_owned()))
                }
            },
        }
    }

    /// Keeps the answer; after one that is ours to blame the request may be tried again.
    pub(super) async fn end(&self, store: &Store, status: StatusCode, body: &str) {
        let kept = if status.is_server_error() {
            store.drop_request(self.hash).await
        } else {
            let answer = format!("{}\n{body}", status.as_u16());
            store.keep(self.hash, &self.fingerprint, &answer).await
        };
        if let Err(error) = kept {
            // It ends by itself within half a minute.
            tracing::debug!(%error, "what came of a request is not kept");
        }
    }
}

fn away(error: &crate::store::StoreError) -> Problem {
    tracing::debug!(%error, "a request's key cannot be looked up");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "SERVER_ERROR", "Server error")
}
