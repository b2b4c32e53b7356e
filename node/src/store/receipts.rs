//! How far a room was read by each of its users, and how far it was handed to somebody.

use std::sync::LazyLock;

use crate::domain::id::{RoomId, UserId};
use crate::domain::position::Position;
use crate::store::script::{ALLOW_OOM, FENCE, Input, NO_WRITES, PRELUDE, Script};
use crate::store::shard::{PATIENCE, Shard};
use crate::store::{Crossed, Mark, Store, StoreError};

static MARK: LazyLock<Script> = LazyLock::new(|| {
    Script::new("mark", &[ALLOW_OOM, PRELUDE, FENCE, include_str!("../../lua/mark.lua")])
});

static UNREAD: LazyLock<Script> = LazyLock::new(|| {
    let text = include_str!("../../lua/unread.lua");
    Script::new("unread", &[NO_WRITES, include_str!("../../lua/pages.lua"), text])
});

/// Field of a room's one delivered mark, among the users' read marks; no user id is like it.
const DELIVERED_FIELD: &str = "*";

impl Store {
    /// Moves a mark forward; `None`: it stood there or further already. A mark that was never moved
    /// stands at 0:0, before every message. Of several who move it at once, each message between
    /// is crossed by exactly one.
    ///
    /// # Errors
    /// Redis did not do it; doing it again is harmless, but may answer `None` for what the first
    /// attempt has crossed.
    pub async fn mark(
        &self,
        room: &RoomId,
        user: &UserId,
        mark: Mark,
        to: Position,
    ) -> Result<Option<Crossed>, StoreError> {
        let field = match mark {
            Mark::Read => user.as_str(),
            Mark::Delivered => DELIVERED_FIELD,
        };
        self.shard.mark(room, field, to).await
    }
}

/// How far a user has read a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unread {
    /// Messages that the user has not read.
    pub messages: u64,
    /// Where the read mark stands; 0:0 before it was ever moved.
    pub mark: Position,
}

impl Store {
    /// How far a user has read a room. What the log no longer has counts as read.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn unread(&self, room: &RoomId, user: &UserId) -> Result<Unread, StoreError> {
        let keys = &self.shard.keys;
        let mut input = Input::default();
        input.key(keys.meta(room));
        input.key(keys.log(room));
        input.key(keys.redacted(room));
        input.key(keys.marks(room));
        input.text(user.as_str());
        let (total, read, epoch, seq): (u64, u64, u64, u64) =
            UNREAD.call(&self.shard.client, &input, PATIENCE).await?;
        Ok(Unread { messages: total.saturating_sub(read), mark: Position::new(epoch, seq) })
    }
}

impl Shard {
    async fn mark(
        &self,
        room: &RoomId,
        field: &str,
        to: Position,
    ) -> Result<Option<Crossed>, StoreError> {
        let stood: Option<(u64, u64)> = self
            .run(&MARK, |_, input| {
                input.key(self.keys.marks(room));
                input.text(field);
                input.number(to.epoch.0);
                input.number(to.seq.0);
                input.number(self.kept_s());
            })
            .await?;
        Ok(stood.map(|(epoch, seq)| Crossed { from: Position::new(epoch, seq), to }))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;
    use crate::store::test_redis::{TestRedis, is_stale};

    fn crossed(from: (u64, u64), to: (u64, u64)) -> Option<Crossed> {
        Some(Crossed { from: Position::new(from.0, from.1), to: Position::new(to.0, to.1) })
    }

    #[tokio::test]
    async fn a_mark_only_moves_forward_and_tells_where_it_stood() {
        let redis = TestRedis::start().await;
        let node = redis.node("p", 0, 1).await;
        let room = RoomId::parse("conv-1").unwrap();
        let mark = async |field, epoch, seq| {
            node.mark(&room, field, Position::new(epoch, seq)).await.unwrap()
        };
        assert_eq!(
            mark("alice", 1_700_000_000_000, 7).await,
            crossed((0, 0), (1_700_000_000_000, 7))
        );
        assert_eq!(mark("alice", 1_700_000_000_000, 7).await, None);
        assert_eq!(mark("alice", 1_700_000_000_000, 6).await, None);
        assert_eq!(mark("alice", 1_600_000_000_000, 9).await, None);
        // A later epoch comes after every place of an earlier one.
        let moved = mark("alice", 1_700_000_000_001, 2).await;
        assert_eq!(moved, crossed((1_700_000_000_000, 7), (1_700_000_000_001, 2)));
        assert_eq!(mark(DELIVERED_FIELD, 5, 1).await, crossed((0, 0), (5, 1)));
        assert_eq!(mark("bob", 5, 1 << 40).await, crossed((0, 0), (5, 1 << 40)));

        redis.kill(&node).await;
        assert!(is_stale(node.mark(&room, "alice", Position::new(u64::MAX >> 12, 1)).await));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn each_message_is_crossed_by_exactly_one_of_those_who_move_a_mark_at_once() {
        let redis = TestRedis::start().await;
        let room = RoomId::parse("conv-1").unwrap();
        let nodes = [redis.node("p", 0, 1).await, redis.node("p", 1, 2).await];
        // 1,000 moves in an order that is neither rising nor falling.
        let moves = (0..1000_u64).map(|n| {
            let (node, seq) = (&nodes[usize::from(n % 3 == 0)], n * 617 % 1000 + 1);
            node.mark(&room, "alice", Position::new(1, seq))
        });
        let mut crossings: Vec<(u64, u64)> = join_all(moves)
            .await
            .into_iter()
            .filter_map(Result::unwrap)
            .map(|crossed| (crossed.from.seq.0, crossed.to.seq.0))
            .collect();
        crossings.sort_unstable();
        let mut stands = 0;
        for (from, to) in crossings {
            assert_eq!(from, stands);
            stands = to;
        }
        assert_eq!(stands, 1000);
    }
}
