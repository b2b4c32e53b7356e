//! Tokens that were taken back, until they would have ended anyway.

use std::sync::LazyLock;
use std::time::Duration;

use serde::Deserialize;

use crate::domain::id::{TokenId, UserId};
use crate::domain::revoked::{Revocation, Revoked};
use crate::domain::time::Timestamp;
use crate::store::script::{ALLOW_OOM, FENCE, Input, NO_WRITES, PRELUDE, Script};
use crate::store::shard::{PATIENCE, Shard};
use crate::store::{Store, StoreError};

/// Revocations that are remembered at once: about 100 MB of Redis, and of each node.
const REVOKED_MAX: u64 = 1_000_000;

/// Revocations in one answer: about a millisecond of Redis' time.
pub(crate) const REVOCATIONS_PAGE_MAX: usize = 1000;

static REVOKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new("revoke", &[ALLOW_OOM, PRELUDE, FENCE, include_str!("../../lua/revoke.lua")])
});
static REVOKED: LazyLock<Script> =
    LazyLock::new(|| Script::new("revoked", &[NO_WRITES, include_str!("../../lua/revoked.lua")]));

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    At(u64),
    Full,
}

impl Store {
    /// Takes back a token, or all tokens of a user issued until now, and tells every node. Doing it
    /// again later takes back what was issued meanwhile. `None`: too many are remembered already.
    ///
    /// # Errors
    /// Redis did not do it, or nobody knows.
    pub async fn revoke(&self, what: &Revoked) -> Result<Option<Revocation>, StoreError> {
        self.shard.revoke(what).await
    }

    /// What was taken back after `since`, oldest first; at most a thousand.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn revocations(&self, since: Timestamp) -> Result<Vec<Revocation>, StoreError> {
        self.shard.revocations(since).await
    }

    /// How long what was taken back is remembered.
    #[must_use]
    pub fn revoked_for(&self) -> Duration {
        self.shard.revoked_for
    }
}

impl Shard {
    async fn revoke(&self, what: &Revoked) -> Result<Option<Revocation>, StoreError> {
        let kept_ms = u64::try_from(self.revoked_for.as_millis()).unwrap_or(u64::MAX);
        let answer = self
            .run(&REVOKE, |_, input| {
                input.key(self.keys.revoked());
                input.text(&name(what));
                input.number(kept_ms);
                input.number(REVOKED_MAX);
            })
            .await?;
        Ok(match answer {
            Answer::At(at) => Some(Revocation { what: what.clone(), at: Timestamp(at) }),
            Answer::Full => None,
        })
    }

    async fn revocations(&self, since: Timestamp) -> Result<Vec<Revocation>, StoreError> {
        let mut input = Input::default();
        input.key(self.keys.revoked());
        input.number(since.0);
        input.number(REVOCATIONS_PAGE_MAX as u64);
        let found: Vec<String> = REVOKED.call(&self.client, &input, PATIENCE).await?;
        let read = |pair: &[String]| match pair {
            [what, at] => at.parse().ok().and_then(|at| revocation(what, at)),
            _ => None,
        };
        let unreadable = || StoreError::refused("what was revoked cannot be read".to_owned());
        found.chunks(2).map(|pair| read(pair).ok_or_else(unreadable)).collect()
    }
}

/// What is revoked, as Redis keeps it.
fn name(what: &Revoked) -> String {
    match what {
        Revoked::Token(token) => format!("t {token}"),
        Revoked::User(user) => format!("u {user}"),
        Revoked::Leave(user) => format!("b {user}"),
    }
}

/// Reads what [`name`] wrote; `None`: it did not.
pub(crate) fn revocation(name: &str, at: u64) -> Option<Revocation> {
    let what = match name.split_once(' ')? {
        ("t", token) => Revoked::Token(TokenId::parse(token).ok()?),
        ("u", user) => Revoked::User(UserId::parse(user).ok()?),
        ("b", user) => Revoked::Leave(UserId::parse(user).ok()?),
        _ => return None,
    };
    Some(Revocation { what, at: Timestamp(at) })
}

#[cfg(test)]
mod tests {
    use fred::interfaces::KeysInterface;

    use super::*;
    use crate::store::test_redis::{TestRedis, is_stale};

    fn user(name: &str) -> Revoked {
        Revoked::User(UserId::parse(name).unwrap())
    }

    #[tokio::test]
    async fn every_node_hears_what_is_revoked_and_can_read_it_again() {
        let redis = TestRedis::start().await;
        let nodes = [redis.node("p", 0, 1).await, redis.node("p", 1, 2).await];
        let mut inboxes =
            [redis.inbox(&nodes[0].keys, 0).await, redis.inbox(&nodes[1].keys, 1).await];
        let token = Revoked::Token(TokenId::parse("jti:1/a=").unwrap());
        let mut told = Vec::new();
        for (node, what) in [(0, user("alice")), (1, token), (0, user("bob")), (1, user("alice"))] {
            told.push(nodes[node].revoke(&what).await.unwrap().unwrap());
        }
        assert!(told.is_sorted_by(|a, b| a.at < b.at), "{told:?}");
        for inbox in &mut inboxes {
            assert!(inbox.arrivals().await.is_empty());
            assert_eq!(inbox.revoked, told);
        }
        // The second time counts for alice.
        assert_eq!(nodes[0].revocations(Timestamp(0)).await.unwrap(), told[1..]);
        assert_eq!(nodes[0].revocations(told[2].at).await.unwrap(), told[3..]);
        assert_eq!(nodes[0].revocations(told[3].at).await.unwrap(), []);
        redis.kill(&nodes[1]).await;
        assert!(is_stale(nodes[1].revoke(&user("carol")).await));
    }

    #[tokio::test]
    async fn what_is_revoked_is_remembered_for_the_time_of_the_longest_token() {
        let redis = TestRedis::start().await;
        let mut node = redis.node("p", 0, 1).await;
        node.revoked_for = Duration::from_millis(50);
        node.revoke(&user("alice")).await.unwrap();
        let left: i64 = redis.client.pttl(node.keys.revoked()).await.unwrap();
        assert!((1..=50).contains(&left), "{left}");
        tokio::time::sleep(Duration::from_millis(60)).await;
        node.revoked_for = Duration::from_secs(60);
        let bob = node.revoke(&user("bob")).await.unwrap().unwrap();
        node.revoked_for = Duration::from_millis(1);
        tokio::time::sleep(Duration::from_millis(5)).await;
        let carol = node.revoke(&user("carol")).await.unwrap().unwrap();
        assert!(bob.at < carol.at);
        assert!(!node.revocations(Timestamp(0)).await.unwrap().contains(&bob));
    }

    #[tokio::test]
    async fn more_are_read_page_by_page() {
        let redis = TestRedis::start().await;
        let node = redis.node("p", 0, 1).await;
        let count = REVOCATIONS_PAGE_MAX + 5;
        for n in 0..count {
            node.revoke(&user(&n.to_string())).await.unwrap();
        }
        let first = node.revocations(Timestamp(0)).await.unwrap();
        let rest = node.revocations(first.last().unwrap().at).await.unwrap();
        assert_eq!((first.len(), rest.len()), (REVOCATIONS_PAGE_MAX, 5));
    }
}
