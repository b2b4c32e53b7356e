//! Rooms' records: who may come in, who belongs to them, and whether they take messages.

use std::sync::LazyLock;

use crate::domain::id::{RoomId, UserId};
use crate::domain::position::{Epoch, Position};
use crate::domain::room::{
    MemberRole, NewRoom, Reserved, Room, RoomChange, RoomRecord, RoomState, Visibility,
};
use crate::domain::room_fields::Metadata;
use crate::domain::time::Timestamp;
use crate::store::keys::{Half, Partition};
use crate::store::script::{ALLOW_OOM, FENCE, Input, NO_WRITES, PRELUDE, Script};
use crate::store::shard::{PATIENCE, Shard};
use crate::store::{Store, StoreError};

static ACCESS: LazyLock<Script> =
    LazyLock::new(|| Script::new("access", &[NO_WRITES, include_str!("../../lua/access.lua")]));
static ROOM: LazyLock<Script> =
    LazyLock::new(|| Script::new("room", &[NO_WRITES, include_str!("../../lua/room.lua")]));
static ROOMS: LazyLock<Script> =
    LazyLock::new(|| Script::new("rooms", &[NO_WRITES, include_str!("../../lua/rooms.lua")]));
static CREATE: LazyLock<Script> =
    LazyLock::new(|| writing("create", include_str!("../../lua/create.lua")));
static CHANGE: LazyLock<Script> =
    LazyLock::new(|| writing("change", include_str!("../../lua/change.lua")));
static FORGET: LazyLock<Script> =
    LazyLock::new(|| writing("forget", include_str!("../../lua/forget.lua")));

pub(crate) fn writing(name: &'static str, text: &str) -> Script {
    Script::new(name, &[ALLOW_OOM, PRELUDE, FENCE, text])
}

/// How long a deleted room's log is kept: whoever was in the room reads there that it was deleted.
const DELETED_LOG_S: u64 = 600;

/// What access to a room asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The asker is banned, here or everywhere.
    pub is_banned: bool,
    /// Another text than before whenever the application has changed the room's record or members,
    /// or taken back the asker's tokens.
    pub version: String,
    /// What is known of the room; `None`: there is no such room.
    pub known: Option<Known>,
}

/// A room as access sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The head of its record.
    pub room: Room,
    /// What the asker is to it.
    pub role: Option<MemberRole>,
    /// The newest place when it was asked.
    pub head: Position,
}

impl Store {
    /// What decides whether `user` may come into the room.
    ///
    /// # Errors
    /// Redis did not answer, or the record holds what this release does not know.
    pub async fn access(&self, room: &RoomId, user: &UserId) -> Result<Access, StoreError> {
        self.shard.access(room, user).await
    }

    /// The room's record, if there is such a room.
    ///
    /// # Errors
    /// Redis did not answer, or the record holds what this release does not know.
    pub async fn room(&self, room: &RoomId) -> Result<Option<RoomRecord>, StoreError> {
        self.shard.room(room).await
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

impl Store {
    /// Changes a room's record; `false`: there is no such room.
    ///
    /// # Errors
    /// Redis did not do it; doing it again is harmless.
    pub async fn change_room(
        &self,
        room: &RoomId,
        change: &RoomChange,
    ) -> Result<bool, StoreError> {
        let fields = changed_fields(change);
        let is_there: bool = self
            .shard
            .run(&CHANGE, |_, input| {
                input.key(self.shard.keys.meta(room));
                for (field, value) in &fields {
                    input.text(field);
                    input.text(value);
                }
            })
            .await?;
        Ok(is_there)
    }

    /// Takes away what a deleted room has left.
    ///
    /// # Errors
    /// Redis did not do it; doing it again is harmless.
    pub async fn forget_room(&self, room: &RoomId) -> Result<(), StoreError> {
        let keys = &self.shard.keys;
        let _was_deleted: bool = self
            .shard
            .run(&FORGET, |_, input| {
                input.key(keys.meta(room));
                input.key(keys.log(room));
                input.key(keys.rooms(Partition::of_room(room)));
                input.key(keys.members(room));
                input.key(keys.marks(room));
                input.key(keys.bars(room));
                input.key(keys.redacted(room));
                input.text(room.as_str());
                input.number(DELETED_LOG_S);
            })
            .await?;
        Ok(())
    }

    /// Rooms that were made, reserved ones aside, after `after` (`None`: the first), in an order
    /// that stays; fewer than `count`: these were the last.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn rooms(
        &self,
        after: Option<&RoomId>,
        count: usize,
    ) -> Result<Vec<RoomId>, StoreError> {
        let mut found: Vec<RoomId> = Vec::new();
        let first = after.map(Partition::of_room);
        for partition in Partition::all().filter(|it| first.is_none_or(|first| first <= *it)) {
            let from = match after.filter(|_| first == Some(partition)) {
                Some(room) => format!("({room}"),
                None => "-".to_owned(),
            };
            let mut input = Input::default();
            input.key(self.shard.keys.rooms(partition));
            input.text(&from);
            input.number((count - found.len()) as u64);
            let ids: Vec<String> = ROOMS.call(&self.shard.client, &input, PATIENCE).await?;
            found.extend(ids.iter().filter_map(|it| RoomId::parse(it).ok()));
            if count <= found.len() {
                break;
            }
        }
        Ok(found)
    }
}

impl Shard {
    async fn access(&self, room: &RoomId, user: &UserId) -> Result<Access, StoreError> {
        let mut input = Input::default();
        input.key(self.keys.meta(room));
        input.key(self.keys.members(room));
        input.key(self.keys.bars(room));
        input.key(self.keys.bars_everywhere());
        input.key(self.keys.revoked());
        input.text(user.as_str());
        let found: Vec<String> = ACCESS.call(&self.client, &input, PATIENCE).await?;
        let is_banned = found.first().is_some_and(|it| it == "1");
        let version = found.get(1).cloned().unwrap_or_default();
        let [_, _, visibility, state, name, description, department, epoch, seq, role] = &found[..]
        else {
            return Ok(Access { is_banned, version, known: None });
        };
        let head = [visibility, state, name, description, department];
        let role = match role.as_str() {
            "" => None,
            role => Some(MemberRole::parse(role).ok_or_else(|| unreadable(room, role))?),
        };
        let number = |text: &String| text.parse().unwrap_or_default(); // scripts write numbers
        let place = Position::new(number(epoch), number(seq));
        Ok(Access {
            is_banned,
            version,
            known: Some(Known { room: room_of(room, head)?, role, head: place }),
        })
    }

    pub(crate) async fn room(&self, room: &RoomId) -> Result<Option<RoomRecord>, StoreError> {
        let mut input = Input::default();
        input.key(self.keys.meta(room));
        let found: Vec<String> = ROOM.call(&self.client, &input, PATIENCE).await?;
        record_of(room, &found)
    }

    pub(crate) async fn create(
        &self,
        room: &RoomId,
        new: &NewRoom,
    ) -> Result<(Epoch, bool), StoreError> {
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
                input.key(keys.redacted(room));
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

/// The fields that a change sets; an empty value takes one away.
fn changed_fields(change: &RoomChange) -> Vec<(&'static str, &str)> {
    let RoomChange { name, description, visibility, department, metadata } = change;
    let fields = [
        ("name", name.as_deref()),
        ("description", description.as_deref()),
        ("visibility", visibility.map(Visibility::as_str)),
        ("department", department.as_ref().map(|it| it.as_deref().unwrap_or_default())),
        ("metadata", metadata.as_ref().map(Metadata::as_str)),
    ];
    fields.into_iter().filter_map(|(field, value)| Some((field, value?))).collect()
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

pub(crate) fn unreadable(room: &RoomId, word: &str) -> StoreError {
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
        assert_eq!(node.access(&room, &user("ann")).await.unwrap().known, None);

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
        let role = async |id| node.access(&room, &user(id)).await.unwrap().known.unwrap().role;
        assert_eq!(role("ann").await, Some(MemberRole::Member));
        assert_eq!(role("eve").await, Some(MemberRole::Agent));
        assert_eq!(role("bob").await, None);

        let mut members = node.members(&room, 0, 10).await.unwrap();
        members.members.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!((members.members, members.next), (described().members, None));
    }
}
