//! Who belongs to a room.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::id::{RoomId, UserId};
use crate::domain::room::MemberRole;
use crate::store::rooms::{unreadable, writing};
use crate::store::script::{Input, NO_WRITES, Script};
use crate::store::shard::{PATIENCE, Shard};
use crate::store::{Store, StoreError};

static MEMBERS: LazyLock<Script> =
    LazyLock::new(|| Script::new("members", &[NO_WRITES, include_str!("../../lua/members.lua")]));
static BELONG: LazyLock<Script> =
    LazyLock::new(|| writing("belong", include_str!("../../lua/belong.lua")));

/// Members of a room at most.
pub const ROOM_MEMBERS_MAX: u64 = 100_000;

/// Some members of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// Who, and what they are to the room.
    pub members: Vec<(UserId, MemberRole)>,
    /// From where to read on; `None`: these were the last.
    pub next: Option<u64>,
}

/// What came of changing a room's members.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Belonging {
    /// These were taken out.
    Out(Vec<UserId>),
    /// There is no such room.
    Gone,
    /// It would have more than [`ROOM_MEMBERS_MAX`].
    Full,
}

impl Store {
    /// Members of a room from a place on (0: the first): about `count`, of a small room all. One
    /// may come twice while others come and go.
    ///
    /// # Errors
    /// Redis did not answer, or somebody's role is none that this release knows.
    pub async fn members(
        &self,
        room: &RoomId,
        from: u64,
        count: u64,
    ) -> Result<Members, StoreError> {
        self.shard.members(room, from, count).await
    }

    /// Says what users are to a room (`None`: nothing); at most a hundred at once.
    ///
    /// # Errors
    /// Redis did not do it; doing it again is harmless.
    pub async fn belong(
        &self,
        room: &RoomId,
        users: &[(UserId, Option<MemberRole>)],
    ) -> Result<Belonging, StoreError> {
        let answer = self
            .shard
            .run(&BELONG, |_, input| {
                input.key(self.shard.keys.meta(room));
                input.key(self.shard.keys.members(room));
                input.number(ROOM_MEMBERS_MAX);
                for (user, role) in users {
                    input.text(user.as_str());
                    input.text(role.map_or("", MemberRole::as_str));
                }
            })
            .await?;
        Ok(answer)
    }
}

impl Shard {
    pub(crate) async fn members(
        &self,
        room: &RoomId,
        from: u64,
        count: u64,
    ) -> Result<Members, StoreError> {
        let mut input = Input::default();
        input.key(self.keys.members(room));
        input.args.push(from.to_string().into()); // places of a scan are full 64-bit numbers
        input.number(count);
        let (next, found): (String, Vec<String>) =
            MEMBERS.call(&self.client, &input, PATIENCE).await?;
        let member = |pair: &[String]| match pair {
            [user, role] => Some((UserId::parse(user).ok()?, MemberRole::parse(role)?)),
            _ => None,
        };
        let members: Option<Vec<_>> = found.chunks(2).map(member).collect();
        let members = members.ok_or_else(|| unreadable(room, "members"))?;
        let next = next.parse().ok().filter(|&it: &u64| it != 0);
        Ok(Members { members, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::room::{NewRoom, Visibility};
    use crate::store::test_redis::TestRedis;

    #[tokio::test]
    async fn many_members_are_read_page_by_page() {
        let redis = TestRedis::start().await;
        let node = redis.node("p", 0, 1).await;
        let room = RoomId::parse("r").unwrap();
        let mut new = NewRoom::plain(Visibility::Private);
        new.members = (0..1000)
            .map(|n| (UserId::parse(&n.to_string()).unwrap(), MemberRole::Member))
            .collect();
        node.create(&room, &new).await.unwrap();
        let (mut seen, mut from) = (std::collections::BTreeSet::new(), Some(0));
        while let Some(place) = from {
            let page = node.members(&room, place, 100).await.unwrap();
            assert!(page.members.len() < 400);
            seen.extend(page.members.into_iter().map(|(user, _)| user));
            from = page.next;
        }
        assert_eq!(seen.len(), 1000);
    }
}
