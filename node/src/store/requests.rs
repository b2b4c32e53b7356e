//! What came of requests to the server API that must not be carried out twice.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::store::script::{ALLOW_OOM, Input, Script};
use crate::store::shard::PATIENCE;
use crate::store::{Store, StoreError};

/// Longer than any request takes: a node that dies in the middle of one gives it free.
const UNDER_WAY_S: u64 = 30;

/// How long an answer is kept.
const KEPT_S: u64 = 86_400;

static ONCE: LazyLock<Script> =
    LazyLock::new(|| Script::new("once", &[ALLOW_OOM, include_str!("../../lua/once.lua")]));

/// What is known of a request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Begun {
    /// It is the first: carry it out, then keep or drop it.
    New,
    /// There was one with the same key: its fingerprint, and its answer, which is empty while it
    /// is under way.
    Kept(String, String),
}

impl Store {
    /// Begins the request with this hash of its key.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn begin(&self, request: u128, fingerprint: &str) -> Result<Begun, StoreError> {
        self.once(request, &["begin", fingerprint, &UNDER_WAY_S.to_string()]).await
    }

    /// Keeps the answer for a day.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn keep(
        &self,
        request: u128,
        fingerprint: &str,
        answer: &str,
    ) -> Result<(), StoreError> {
        let seconds = KEPT_S.to_string();
        self.once(request, &["keep", fingerprint, &seconds, answer]).await.map(|_begun| ())
    }

    /// Nothing came of it: it may be tried again.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn drop_request(&self, request: u128) -> Result<(), StoreError> {
        self.once(request, &["drop"]).await.map(|_begun| ())
    }

    async fn once(&self, request: u128, arguments: &[&str]) -> Result<Begun, StoreError> {
        let mut input = Input::default();
        input.key(self.shard.keys.request(request));
        for argument in arguments {
            input.text(argument);
        }
        Ok(ONCE.call(&self.shard.client, &input, PATIENCE).await?)
    }
}
