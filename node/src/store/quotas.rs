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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use fred::interfaces::{ClientLike, KeysInterface};
    use fred::types::{ClusterHash, CustomCommand};
    use futures_util::future::join_all;

    use super::*;
    use crate::store::test_redis::{TestRedis, is_stale};

    /// When the uses that a limit remembers were accepted, in microseconds.
    async fn remembered(redis: &TestRedis, list: &str) -> Vec<u64> {
        let command = CustomCommand::new("LRANGE", ClusterHash::FirstKey, false);
        redis.client.custom(command, vec![list, "0", "-1"]).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_rolling_window_of_all_nodes_ever_holds_more_than_the_limit() {
        let redis = TestRedis::start().await;
        let nodes = [redis.node("p", 0, 1).await, redis.node("p", 1, 2).await];
        for (times, per_ms) in [(1, 3), (4, 10), (7, 25)] {
            let user = UserId::parse(&format!("user-{times}")).unwrap();
            let limit = Limit { times, per: Duration::from_millis(per_ms) };
            let list = nodes[0].keys.limit(&user, "send");
            let (mut accepted, mut uses) = (BTreeSet::new(), 0);
            // Each round accepts no more than the list remembers, so the list has shown every use.
            while uses < 20 * times as usize {
                let round = (0..times as usize).map(|n| nodes[n % 2].limit(&user, "send", limit));
                for wait in join_all(round).await {
                    match wait.unwrap() {
                        None => uses += 1,
                        Some(wait) => assert!(wait <= limit.per, "{wait:?}"),
                    }
                }
                accepted.extend(remembered(&redis, &list).await);
            }
            let accepted: Vec<u64> = accepted.into_iter().collect();
            assert_eq!(accepted.len(), uses);
            for (first, after) in accepted.iter().zip(accepted.iter().skip(times as usize)) {
                assert!(per_ms * 1000 <= after - first, "{times} in {per_ms} ms: {accepted:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_refused_use_is_accepted_after_the_time_that_it_was_told() {
        let redis = TestRedis::start().await;
        let node = redis.node("p", 0, 1).await;
        let user = UserId::parse("alice").unwrap();
        let limit = Limit { times: 2, per: Duration::from_millis(200) };
        assert_eq!(node.limit(&user, "send", limit).await.unwrap(), None);
        assert_eq!(node.limit(&user, "send", limit).await.unwrap(), None);
        let wait = node.limit(&user, "send", limit).await.unwrap().unwrap();
        // Another limit, and one that has become wider, have room.
        assert_eq!(node.limit(&user, "type", limit).await.unwrap(), None);
        let wider = Limit { times: 3, ..limit };
        assert_eq!(node.limit(&user, "send", wider).await.unwrap(), None);
        tokio::time::sleep(wait).await;
        assert_eq!(node.limit(&user, "send", wider).await.unwrap(), None);

        let nothing = Limit { times: 0, ..limit };
        assert_eq!(node.limit(&user, "send", nothing).await.unwrap(), Some(limit.per));
        let list = node.keys.limit(&user, "send");
        let left_ms: i64 = redis.client.pttl(&list).await.unwrap();
        assert!((1..=1200).contains(&left_ms), "{left_ms}");
        redis.kill(&node).await;
        assert!(is_stale(node.limit(&user, "send", wider).await));
    }
}
