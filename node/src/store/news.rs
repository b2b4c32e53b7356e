//! Who belongs to a room of which there is news, at most once a second over all nodes.

use std::sync::LazyLock;
use std::time::Duration;

use fred::interfaces::HashesInterface;
use serde_bytes::ByteBuf;

use crate::domain::id::{RoomId, UserId};
use crate::domain::news::NEWS_MEMBERS_MAX;
use crate::domain::role::{Participant, Side};
use crate::domain::room::MemberRole;
use crate::domain::topic::Topic;
use crate::store::interest::participants;
use crate::store::script::{ALLOW_OOM, Failure, Input, Script};
use crate::store::shard::{PATIENCE, Shard};
use crate::store::{Store, StoreError};

static NEWS: LazyLock<Script> = LazyLock::new(|| {
    let text = include_str!("../../lua/news.lua");
    Script::new("news", &[ALLOW_OOM, include_str!("../../lua/roster.lua"), text])
});

/// Whom a room's news concerns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Concerned {
    /// Members, then whoever else is in the room; at most [`NEWS_MEMBERS_MAX`].
    pub members: Vec<UserId>,
    /// The department that sees to the room.
    pub department: Option<String>,
    /// Who is banned from the room, and so is not told in the department's either.
    pub banned: Vec<UserId>,
    /// Where there is no department: the agents that the room is assigned to, else those in it.
    pub agents: Vec<UserId>,
}

/// What is to be done about a room's news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Tell these.
    Tell(Concerned),
    /// It was told just now: ask again after this time.
    Wait(Duration),
}

impl Store {
    /// Takes the turn to tell a room's news, which comes once a second over all nodes; news that is
    /// `pressing` has it at once.
    ///
    /// # Errors
    /// Redis did not answer, or the record holds what this release does not know.
    pub async fn news_turn(&self, room: &RoomId, pressing: bool) -> Result<Turn, StoreError> {
        self.shard.news_turn(room, pressing).await
    }

    /// Whether any node hears a room.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn is_heard(&self, room: &RoomId) -> Result<bool, StoreError> {
        let key = self.shard.keys.interest(&Topic::Room(room.clone()));
        let nodes: Option<String> =
            self.shard.client.hget(key, "nodes").await.map_err(Failure::from)?;
        Ok(nodes.is_some_and(|it| !it.is_empty()))
    }
}

impl Shard {
    async fn news_turn(&self, room: &RoomId, pressing: bool) -> Result<Turn, StoreError> {
        type Answer = (u64, String, Vec<String>, Vec<ByteBuf>, Vec<String>);
        let keys = &self.keys;
        let mut input = Input::default();
        input.key(keys.meta(room));
        input.key(keys.members(room));
        input.key(keys.roster(room));
        input.key(keys.news(room));
        input.key(keys.bars(room));
        input.key(keys.bars_everywhere());
        input.number(NEWS_MEMBERS_MAX as u64);
        input.text(if pressing { "1" } else { "0" });
        let (wait_ms, department, members, roster, banned): Answer =
            NEWS.call(&self.client, &input, PATIENCE).await?;
        if wait_ms != 0 {
            return Ok(Turn::Wait(Duration::from_millis(wait_ms)));
        }
        let department = (!department.is_empty()).then_some(department);
        let banned: Vec<_> = banned.iter().filter_map(|it| UserId::parse(it).ok()).collect();
        let mut present = participants(&roster)?;
        present.retain(|it| !banned.contains(&it.id));
        let concerned = concerned(department, &members, present);
        Ok(Turn::Tell(Concerned { banned, ..concerned }))
    }
}

/// `members` are users and roles by turns, as Redis answers them.
fn concerned(
    department: Option<String>,
    members: &[String],
    present: Vec<Participant>,
) -> Concerned {
    let member = |pair: &[String]| match pair {
        [user, role] => Some((UserId::parse(user).ok()?, MemberRole::parse(role)?)),
        _ => None,
    };
    let listed: Vec<(UserId, MemberRole)> = members.chunks(2).filter_map(member).collect();
    let mut concerned = Concerned { department, ..Concerned::default() };
    if concerned.department.is_none() {
        let assigned = listed.iter().filter(|(_, role)| *role == MemberRole::Agent);
        concerned.agents = assigned.map(|(user, _)| user.clone()).collect();
    }
    if concerned.department.is_none() && concerned.agents.is_empty() {
        let agents = present.iter().filter(|it| it.role.side() == Side::Agent);
        concerned.agents = agents.map(|it| it.id.clone()).collect();
    }
    concerned.members = listed.into_iter().map(|(user, _)| user).collect();
    for user in present {
        if NEWS_MEMBERS_MAX <= concerned.members.len() {
            break;
        }
        if !concerned.members.contains(&user.id) {
            concerned.members.push(user.id);
        }
    }
    concerned
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::test_redis::TestRedis;

    fn texts(pairs: &[&str]) -> Vec<String> {
        pairs.iter().map(|&it| it.to_owned()).collect()
    }

    fn check(department: Option<&str>, members: &[&str], present: &[(&str, bool)], expected: &str) {
        let present = present.iter().map(|&(id, is_agent)| {
            use crate::domain::role::Role;
            let role = if is_agent { Role::Agent } else { Role::Client };
            Participant {
                id: UserId::parse(id).unwrap(),
                name: id.to_owned(),
                role,
                full_name: None,
            }
        });
        let found = concerned(department.map(str::to_owned), &texts(members), present.collect());
        let names =
            |users: &[UserId]| -> Vec<String> { users.iter().map(UserId::to_string).collect() };
        let shown =
            format!("{} / {}", names(&found.members).join(" "), names(&found.agents).join(" "));
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_rooms_news_concerns_its_members_and_the_agents_who_see_to_it() {
        let present = [("3", true), ("1", false)];
        check(None, &["1", "member", "2", "agent"], &present, "1 2 3 / 2");
        check(Some("sales"), &["1", "member", "2", "agent"], &present, "1 2 3 / ");
        check(None, &[], &present, "3 1 / 3");
    }

    #[tokio::test]
    async fn the_turn_comes_once_a_second_and_at_once_for_what_is_pressing() {
        let redis = TestRedis::start().await;
        let node = redis.node("p", 0, 1).await;
        let room = RoomId::parse("r").unwrap();
        let department = ("department", "sales");
        let () = redis.client.hset(node.keys.meta(&room), department).await.unwrap();
        let expected = Concerned { department: Some("sales".to_owned()), ..Concerned::default() };
        assert_eq!(node.news_turn(&room, false).await.unwrap(), Turn::Tell(expected.clone()));
        let Turn::Wait(wait) = node.news_turn(&room, false).await.unwrap() else {
            panic!("told twice")
        };
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        assert_eq!(node.news_turn(&room, true).await.unwrap(), Turn::Tell(expected.clone()));
        // What was pressing may have begun a second of its own.
        let next = loop {
            match node.news_turn(&room, false).await.unwrap() {
                Turn::Wait(wait) => tokio::time::sleep(wait).await,
                turn @ Turn::Tell(_) => break turn,
            }
        };
        assert_eq!(next, Turn::Tell(expected));
    }
}
