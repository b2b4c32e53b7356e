//! Limits that count a user's uses on all nodes together, by Redis' clock.

use std::sync::LazyLock;
use std::time::Duration;

use crate::domain::id::UserId;
use crate::domain::quota::Limit;
use crate::store::script::{ALLOW_OOM, FENCE, PRELUDE, Script};
use crate::store::shard::Shard;
use crate::store::{Store, StoreError};

static LIMIT: LazyLock<Script> = LazyLock::new(|| {
    Script::new("limit", &[ALLOW_OOM, PRELUDE, FENCE, include_str!("../../lua/limit.lua")])
});

impl Store {
    /// Takes one use of a user's limit cluster-wide, by Redis' clock; `Some`: refused, and how long
    /// to wait. No rolling window ever holds more uses than the limit allows.
    ///
    /// # Errors
    /// Redis did not answer; the use may have been counted.
    pub async fn limit(
        &self,
        user: &UserId,
        what: &'static str,
        limit: Limit,
    ) -> Result<Option<Duration>, StoreError> {
        self.shard.limit(user, what, limit).await
    }
}

impl Shard {
    async fn limit(
        &self,
        user: &UserId,
        what: &'static str,
        limit: Limit,
    ) -> Result<Option<Duration>, StoreError> {
        if limit.times == 0 {
            return Ok(Some(limit.per));
        }
        let wait_us: u64 = self
            .run(&LIMIT, |_, input| {
                input.key(self.keys.limit(user, what));
                input.number(limit.times.into());
                input.number(u64::try_from(limit.per.as_micros()).unwrap_or(u64::MAX));
            })
            .await?;
        Ok((0 < wait_us).then(|| Duration::from_micros(wait_us)))
    }
}
