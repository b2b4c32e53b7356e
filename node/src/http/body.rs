//! Bodies of requests: bounded in size and in time, and few large ones at once.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::domain::refusal::Refusal;

/// Bytes of a body that may bring files, as of an event that may.
pub(super) const WITH_FILES_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Large bodies of a node that are on their way at once; of a further one the rest is not read.
const LARGE_AT_ONCE: usize = 4;

/// When there may be room for a further one.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(2);

/// How long a body may take.
const READ_MAX: Duration = Duration::from_secs(60);

/// Reads bodies. Cheap to clone: the bound on large ones is the same for all.
#[derive(Debug, Clone)]
pub struct Bodies(Arc<Semaphore>);

/// A body that was read. Keep its place until what it asks for is done.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) bytes: Vec<u8>,
    /// A large one has one.
    pub(super) place: Option<OwnedSemaphorePermit>,
}

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    TooLong,
    /// As many large ones as may be are on their way.
    Busy,
    /// It ended early, or took too long.
    Cut,
}

impl Default for Bodies {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LARGE_AT_ONCE)))
    }
}

impl Bodies {
    /// Reads a body of at most `most` bytes; one of more than `ordinary` needs a place.
    pub(super) async fn read(
        &self,
        body: Body,
        (ordinary, most): (usize, usize),
    ) -> Result<Read, Unread> {
        let mut chunks = body.into_data_stream();
        let mut read = Read { bytes: Vec::new(), place: None };
        let reading = async {
            while let Some(chunk) = chunks.next().await {
                let chunk = chunk.map_err(|_error| Unread::Cut)?;
                let length = read.bytes.len() + chunk.len();
                if most < length {
                    return Err(Unread::TooLong);
                }
                if ordinary < length && read.place.is_none() {
                    let place = Arc::clone(&self.0).try_acquire_owned();
                    read.place = Some(place.map_err(|_full| Unread::Busy)?);
                }
                read.bytes.extend_from_slice(&chunk);
            }
            Ok(())
        };
        timeout(READ_MAX, reading).await.unwrap_or(Err(Unread::Cut))?;
        Ok(read)
    }
}

impl From<Unread> for Refusal {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::TooLong => Self::invalid("the body is too long"),
            Unread::Cut => Self::invalid("the body did not come whole within a minute"),
            Unread::Busy => Self::Busy { retry_after: BUSY_RETRY_AFTER },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(body: impl Into<Body>, bodies: &Bodies, expected: Result<usize, Unread>) {
        let read = bodies.read(body.into(), (2, 4)).await;
        assert_eq!(read.map(|it| it.bytes.len()), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_body_needs_a_place_and_a_slow_one_ends() {
        let bodies = Bodies(Arc::new(Semaphore::new(1)));
        check("", &bodies, Ok(0)).await;
        check("1234", &bodies, Ok(4)).await;
        check("12345", &bodies, Err(Unread::TooLong)).await;
        let held = bodies.read("123".into(), (2, 4)).await.unwrap();
        check("12", &bodies, Ok(2)).await;
        check("123", &bodies, Err(Unread::Busy)).await;
        drop(held);
        check("123", &bodies, Ok(3)).await;
        let endless = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
        check(Body::from_stream(endless), &bodies, Err(Unread::Cut)).await;
    }
}
