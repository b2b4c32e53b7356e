//! Rooms' records: who may come in, who belongs to them, and whether they take messages.

use std::sync::LazyLock;

use crate::domain::id::{RoomId, UserId};
use crate::domain::position::Epoch;
use crate::domain::room::{
    MemberRole, Metadata, NewRoom, Reserved, Room, RoomRecord, RoomState, Visibility,
};
use crate::domain::time::Timestamp;
use crate::store::keys::{Half, Partition};
use crate::store::script::{ALLOW_OOM, FENCE, Input, NO_WRITES, PRELUDE, Script};
use crate::store::shard::{PATIENCE, Shard};
use crate::store::{Store, StoreError};

static ACCESS: LazyLock<Script> =
    LazyLock::new(|| Script::new("access", &[NO_WRITES, include_str!("../../lua/access.lua")]));
static ROOM: LazyLock<Script> =
    LazyLock::new(|| Script::new("room", &[NO_WRITES, include_str!("../../lua/room.lua")]));
static MEMBERS: LazyLock<Script> =
    LazyLock::new(|| Script::new("members", &[NO_WRITES, include_str!("../../lua/members.lua")]));
static CREATE: LazyLock<Script> = LazyLock::new(|| {
    Script::new("create", &[ALLOW_OOM, PRELUDE, FENCE, include_str!("../../lua/create.lua")])
});

/// What access to a room asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The head of its record.
    pub room: Room,
    /// What the asker is to it.
    pub role: Option<MemberRole>,
}

/// Some members of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// Who, and what they are to the room.
    pub members: Vec<(UserId, MemberRole)>,
    /// From where to read on; `None`: these were the last.
    pub next: Option<u64>,
}

impl Store {
    /// What decides whether `user` may come into the room, if there is such a room.
    ///
    /// # Errors
    /// Redis did not answer, or the record holds what this release does not know.
    pub async fn access(&self, room: &RoomId, user: &UserId) -> Result<Option<Access>, StoreError> {
        self.shard.access(room, user).await
    }

    /// The room's record, if there is such a room.
    ///
    /// # Errors
    /// Redis did not answer, or the record holds what this release does not know.
    pub async fn room(&self, room: &RoomId) -> Result<Option<RoomRecord>, StoreError> {
        self.shard.room(room).await
    }

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

    /// Makes a room that nobody describes, unless it exists. Nothing of a room that was deleted
    /// comes back. Answers the room's epoch.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn create(&self, room: &RoomId, who: Visibility) -> Result<Epoch, StoreError> {
        self.shard.create(room, &NewRoom::plain(who)).await.map(|(epoch, _is_new)| epoch)
    }

    /// Makes a room; `false`: there is such a room, and it stays as it is.
    ///
    /// # Errors
    /// Redis did not answer: it may have been made.
    pub async fn create_with(&self, room: &RoomId, new: &NewRoom) -> Result<bool, StoreError> {
        self.shard.create(room, new).await.map(|(_epoch, is_new)| is_new)
    }
}

impl Shard {
    async fn access(&self, room: &RoomId, user: &UserId) -> Result<Option<Access>, StoreError> {
        let mut input = Input::default();
        input.key(self.keys.meta(room));
        input.key(self.keys.members(room));
        input.text(user.as_str());
        let found: Vec<String> = ACCESS.call(&self.client, &input, PATIENCE).await?;
        let [visibility, state, name, description, department, role] = &found[..] else {
            return Ok(None);
        };
        let head = [visibility, state, name, description, department];
        let role = match role.as_str() {
            "" => None,
            role => Some(MemberRole::parse(role).ok_or_else(|| unreadable(room, role))?),
        };
        Ok(Some(Access { room: room_of(room, head)?, role }))
    }

    pub(crate) async fn room(&self, room: &RoomId) -> Result<Option<RoomRecord>, StoreError> {
        let mut input = Input::default();
        input.key(self.keys.meta(room));
        let found: Vec<String> = ROOM.call(&self.client, &input, PATIENCE).await?;
        record_of(room, &found)
    }

    async fn members(&self, room: &RoomId, from: u64, count: u64) -> Result<Members, StoreError> {
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

    async fn create(&self, room: &RoomId, new: &NewRoom) -> Result<(Epoch, bool), StoreError> {
        let keys = &self.keys;
        let fields = record_fields(new);
        let answer: (u64, bool) = self
            .run(&CREATE, |_, input| {
                input.key(keys.meta(room));
                input.key(keys.members(room));
                input.key(keys.rooms(Partition::of_room(room)));
                input.key(keys.log(room));
                input.key(keys.recent(room, Half::Even));
                input.key(keys.recent(room, Half::Odd));
                input.key(keys.marks(room));
                input.key(keys.bars(room));
                input.text(room.as_str());
                input.text(if Reserved::of(room).is_none() { "1" } else { "0" });
                input.number(2 * fields.len() as u64);
                for (field, value) in &fields {
                    input.text(field);
                    input.text(value);
                }
                for (user, role) in &new.members {
                    input.text(user.as_str());
                    input.text(role.as_str());
                }
            })
            .await?;
        Ok((Epoch(answer.0), answer.1))
    }
}

/// The fields of a new record. What nobody has said has no field.
fn record_fields(new: &NewRoom) -> Vec<(&'static str, &str)> {
    let NewRoom { room, metadata, creator, members: _ } = new;
    let fields = [
        ("visibility", room.visibility.as_str()),
        ("name", room.name.as_deref().unwrap_or_default()),
        ("description", &room.description),
        ("department", room.department.as_deref().unwrap_or_default()),
        ("metadata", if *metadata == Metadata::default() { "" } else { metadata.as_str() }),
        ("creator", creator.as_ref().map_or("", UserId::as_str)),
    ];
    fields.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

/// Reads a record as `room.lua` answers it; none where there is no room.
fn record_of(id: &RoomId, found: &[String]) -> Result<Option<RoomRecord>, StoreError> {
    let [visibility, state, name, description, department, metadata, creator, created, updated] =
        found
    else {
        return Ok(None);
    };
    let time = |text: &str| Timestamp(text.parse().unwrap_or_default()); // older records have none
    Ok(Some(RoomRecord {
        room: room_of(id, [visibility, state, name, description, department])?,
        metadata: Metadata::stored(metadata.clone()),
        creator: UserId::parse(creator).ok(),
        created_at: time(created),
        updated_at: time(updated),
    }))
}

fn room_of(id: &RoomId, head: [&String; 5]) -> Result<Room, StoreError> {
    let [visibility, state, name, description, department] = head;
    let said = |text: &String| (!text.is_empty()).then(|| text.clone());
    Ok(Room {
        name: said(name),
        description: description.clone(),
        visibility: Visibility::parse(visibility).ok_or_else(|| unreadable(id, visibility))?,
        state: RoomState::parse(state).ok_or_else(|| unreadable(id, state))?,
        department: said(department),
    })
}

fn unreadable(room: &RoomId, word: &str) -> StoreError {
    StoreError::refused(format!("the record of room {room} says {word:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::test_redis::TestRedis;

    fn user(id: &str) -> UserId {
        UserId::parse(id).unwrap()
    }

    fn described() -> NewRoom {
        let mut new = NewRoom::plain(Visibility::Private);
        new.room.name = Some("Billing".to_owned());
        new.room.description = "all about money".to_owned();
        new.room.department = Some("sales".to_owned());
        let metadata = serde_json::from_str(r#"{"plan":"gold"}"#).unwrap();
        new.metadata = Metadata::new(&metadata).unwrap();
        new.creator = Some(user("ann"));
        new.members = vec![(user("ann"), MemberRole::Member), (user("eve"), MemberRole::Agent)];
        new
    }

    #[tokio::test]
    async fn a_record_is_read_as_it_was_made_and_is_made_once() {
        let redis = TestRedis::start().await;
        let node = redis.node("p", 0, 1).await;
        let room = RoomId::parse("r").unwrap();
        assert_eq!(node.room(&room).await.unwrap(), None);
        assert_eq!(node.access(&room, &user("ann")).await.unwrap(), None);

        let (epoch, is_new) = node.create(&room, &described()).await.unwrap();
        assert!(is_new);
        let again = node.create(&room, &NewRoom::plain(Visibility::Public)).await.unwrap();
        assert_eq!(again, (epoch, false));

        let record = node.room(&room).await.unwrap().unwrap();
        assert_eq!(record.room, described().room);
        assert_eq!(record.metadata, described().metadata);
        assert_eq!(record.creator, Some(user("ann")));
        assert_eq!(record.created_at.0, epoch.0);
        assert_eq!(record.updated_at, record.created_at);
        let role = async |id| node.access(&room, &user(id)).await.unwrap().unwrap().role;
        assert_eq!(role("ann").await, Some(MemberRole::Member));
        assert_eq!(role("eve").await, Some(MemberRole::Agent));
        assert_eq!(role("bob").await, None);

        let mut members = node.members(&room, 0, 10).await.unwrap();
        members.members.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(members, Members { members: described().members, next: None });
    }

    #[tokio::test]
    async fn many_members_are_read_page_by_page() {
        let redis = TestRedis::start().await;
        let node = redis.node("p", 0, 1).await;
        let room = RoomId::parse("r").unwrap();
        let mut new = described();
        new.members = (0..1000).map(|n| (user(&n.to_string()), MemberRole::Member)).collect();
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
