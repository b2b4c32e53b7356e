//! Rooms: made, read, changed, closed, opened again, deleted.

use http::{Method, StatusCode};
use serde_json::{Map, Value};

use crate::domain::id::{RoomId, UserId};
use crate::domain::room::{MemberRole, NewRoom, RoomChange, RoomRecord, RoomState, Visibility};
use crate::domain::room_fields::{self, Metadata, RoomProblem};
use crate::http::api::config::Scope;
use crate::http::api::operation::{Call, Operation};
use crate::http::api::problem::Problem;
use crate::http::api::shape::{shapes, words};

/// Rooms in a page that does not say how many it wants.
const PAGE_DEFAULT: u64 = 50;

/// Members that a room may be made with.
const FIRST_MEMBERS_MAX: usize = 100;

pub(super) fn operations() -> Vec<Operation> {
    const MISSING: &[StatusCode] = &[StatusCode::NOT_FOUND];
    const APPENDS: &[StatusCode] = &[StatusCode::NOT_FOUND, StatusCode::INSUFFICIENT_STORAGE];
    let at = |method| (method, "/v1/rooms/{room}");
    vec![
        Operation::new(
            (Method::POST, "/v1/rooms"),
            ("createRoom", "Makes a room"),
            Scope::Rooms,
            create,
        )
        .creates(),
        Operation::new(
            (Method::GET, "/v1/rooms"),
            ("listRooms", "Lists rooms, in an order that stays"),
            Scope::Read,
            list,
        ),
        Operation::new(at(Method::GET), ("readRoom", "Reads a room"), Scope::Read, read)
            .refuses(MISSING),
        Operation::new(
            at(Method::PATCH),
            ("updateRoom", "Changes a room; whoever is in it is told"),
            Scope::Rooms,
            update,
        )
        .refuses(APPENDS),
        Operation::new(
            at(Method::DELETE),
            ("deleteRoom", "Deletes a room; whoever is in it is told and put out"),
            Scope::Rooms,
            delete,
        )
        .refuses(APPENDS),
        Operation::new(
            (Method::POST, "/v1/rooms/{room}/close"),
            ("closeRoom", "Closes a room: it can only be read"),
            Scope::Rooms,
            close,
        )
        .refuses(APPENDS),
        Operation::new(
            (Method::POST, "/v1/rooms/{room}/reopen"),
            ("reopenRoom", "Lets messages into a closed room again"),
            Scope::Rooms,
            reopen,
        )
        .refuses(APPENDS),
    ]
}

words! {
    /// Who may come in without being named.
    VisibilityName for Visibility {
        Public = "public",
        Private = "private",
    }
}

words! {
    /// Whether a room takes messages.
    StateName for RoomState {
        Open = "open",
        Closed = "closed",
    }
}

shapes! {
    /// A room.
    answer Room {
        id: String,
        /// The id where nobody gave it one.
        name: String,
        description: String,
        visibility: VisibilityName,
        state: StateName,
        /// Whose agents may come in.
        department: Option<String>,
        /// What the application keeps with it.
        metadata: Map<String, Value>,
        /// Who made it, if a user did.
        creator: Option<String>,
        created_at: String,
        updated_at: String,
    }
}

impl Room {
    fn of(id: &RoomId, record: RoomRecord) -> Self {
        let RoomRecord { room, metadata, creator, created_at, updated_at } = record;
        Self {
            id: id.to_string(),
            name: room.name.unwrap_or_else(|| id.to_string()),
            description: room.description,
            visibility: room.visibility.into(),
            state: room.state.into(),
            department: room.department,
            metadata: serde_json::from_str(metadata.as_str()).unwrap_or_default(), // written here
            creator: creator.map(String::from),
            created_at: created_at.to_string(),
            updated_at: updated_at.to_string(),
        }
    }
}

shapes! {
    /// A room to be made.
    input RoomToMake {
        /// Made by the server where it is left out. Names that begin with `dept_` or `user_` are
        /// reserved.
        id: Option<String>,
        /// The id where it is left out.
        name: Option<String>,
        description: Option<String>,
        /// Private where it is left out.
        visibility: Option<VisibilityName>,
        /// Whose agents may come in.
        department: Option<String>,
        /// At most 16 KiB.
        metadata: Option<Map<String, Value>>,
        /// Its first members.
        members: Option<Vec<String>>,
        /// Agents whom it is assigned to.
        agents: Option<Vec<String>>,
    }
}

shapes! {
    /// What is to change; what is left out stays.
    input RoomToChange {
        name: Option<String>,
        description: Option<String>,
        visibility: Option<VisibilityName>,
        /// Whose agents may come in; an empty text: nobody's.
        department: Option<String>,
        /// Takes the place of the old metadata. At most 16 KiB.
        metadata: Option<Map<String, Value>>,
    }
}

shapes! {
    /// Which rooms are wanted.
    input RoomsWanted {
        /// Where to go on, as an earlier page told.
        cursor: Option<String>,
        /// How many rooms are looked at; those that do not fit are left out of the page.
        limit: Option<u64>,
        visibility: Option<VisibilityName>,
        state: Option<StateName>,
        department: Option<String>,
    }
}

shapes! {
    /// A page of rooms.
    answer RoomsPage {
        rooms: Vec<Room>,
        /// Where to go on; null behind the last page.
        next_cursor: Option<String>,
    }
}

shapes! {
    /// Why a room is closed.
    input Closing {
        reason: Option<String>,
    }
}

/// Longest reason for closing a room, in characters.
const REASON_CHARACTERS_MAX: usize = 1_000;

fn field<T>(name: &str, value: Result<T, RoomProblem>) -> Result<T, Problem> {
    value.map_err(|problem| Problem::invalid(format!("{name} {problem}")))
}

/// How many a page wants, within its bounds.
pub(super) fn limit(wanted: Option<u64>) -> Result<u32, Problem> {
    match wanted.unwrap_or(PAGE_DEFAULT) {
        limit @ 1..=100 => Ok(u32::try_from(limit).unwrap_or_default()), // fits
        _ => Err(Problem::invalid("limit has to be 1 to 100")),
    }
}

/// A user's id in a body.
pub(super) fn user(text: &str) -> Result<UserId, Problem> {
    UserId::parse(text).map_err(|it| Problem::invalid(format!("a user's id {it}")))
}

impl RoomToMake {
    fn checked(self) -> Result<(RoomId, NewRoom), Problem> {
        let id = self.id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        let id = RoomId::parse(&id).map_err(|it| Problem::invalid(format!("id {it}")))?;
        let (members, agents) = (self.members.unwrap_or_default(), self.agents.unwrap_or_default());
        if FIRST_MEMBERS_MAX < members.len() + agents.len() {
            return Err(Problem::invalid("a room is made with at most 100 members and agents"));
        }
        let name = self.name.as_deref().unwrap_or(id.as_str());
        let mut new = NewRoom::plain(self.visibility.map_or(Visibility::Private, Into::into));
        new.room.name = Some(field("name", room_fields::room_name(name))?);
        let description = self.description.unwrap_or_default();
        new.room.description = field("description", room_fields::room_description(&description))?;
        let department = self.department.as_deref().map(room_fields::department).transpose();
        new.room.department = field("department", department)?;
        let metadata = self.metadata.unwrap_or_default();
        new.metadata = field("metadata", Metadata::new(&metadata))?;
        for (users, role) in [(&members, MemberRole::Member), (&agents, MemberRole::Agent)] {
            for text in users {
                new.members.push((user(text)?, role));
            }
        }
        Ok((id, new))
    }
}

impl RoomToChange {
    fn checked(self) -> Result<RoomChange, Problem> {
        let name = self.name.as_deref().map(room_fields::room_name).transpose();
        let description =
            self.description.as_deref().map(room_fields::room_description).transpose();
        let department = match self.department.as_deref() {
            None => None,
            Some("") => Some(None),
            Some(text) => Some(Some(field("department", room_fields::department(text))?)),
        };
        let metadata = self.metadata.as_ref().map(Metadata::new).transpose();
        Ok(RoomChange {
            name: field("name", name)?,
            description: field("description", description)?,
            visibility: self.visibility.map(Into::into),
            department,
            metadata: field("metadata", metadata)?,
        })
    }
}

async fn create(call: Call<(), RoomToMake>) -> Result<Room, Problem> {
    let (id, new) = call.body.checked()?;
    if !call.parts.chat.make_room(&id, &new).await? {
        let message = "there is a room with this id";
        return Err(Problem::new(StatusCode::CONFLICT, "ROOM_EXISTS", message));
    }
    Ok(Room::of(&id, call.parts.chat.record(&id).await?))
}

async fn read(call: Call<(), ()>) -> Result<Room, Problem> {
    let id = call.room()?;
    Ok(Room::of(&id, call.parts.chat.record(&id).await?))
}

async fn update(call: Call<(), RoomToChange>) -> Result<Room, Problem> {
    let id = call.room()?;
    let change = call.body.checked()?;
    Ok(Room::of(&id, call.parts.chat.change_room(&id, &change).await?))
}

async fn delete(call: Call<(), ()>) -> Result<(), Problem> {
    Ok(call.parts.chat.delete_room(&call.room()?).await?)
}

async fn close(call: Call<(), Closing>) -> Result<(), Problem> {
    let reason = call.body.reason.clone().filter(|it| !it.trim().is_empty());
    if reason.as_ref().is_some_and(|it| REASON_CHARACTERS_MAX < it.chars().count()) {
        let message = format!("reason is longer than {REASON_CHARACTERS_MAX} characters");
        return Err(Problem::invalid(message));
    }
    Ok(call.parts.chat.close_room(&call.room()?, reason).await?)
}

async fn reopen(call: Call<(), ()>) -> Result<(), Problem> {
    Ok(call.parts.chat.reopen_room(&call.room()?).await?)
}

async fn list(call: Call<RoomsWanted, ()>) -> Result<RoomsPage, Problem> {
    let RoomsWanted { cursor, limit: wanted, visibility, state, department } = call.query;
    let after = cursor.as_deref().map(RoomId::parse).transpose();
    let after = after.map_err(|it| Problem::invalid(format!("cursor {it}")))?;
    let count = limit(wanted)? as usize;
    let (records, next) = call.parts.chat.records(after.as_ref(), count).await?;
    let visibility = visibility.map(Visibility::from);
    let fits = |(_, record): &(RoomId, RoomRecord)| {
        visibility.is_none_or(|it| it == record.room.visibility)
            && state.is_none_or(|it| it == StateName::from(record.room.state))
            && department.as_ref().is_none_or(|it| record.room.department.as_ref() == Some(it))
    };
    let rooms = records.into_iter().filter(fits).map(|(id, record)| Room::of(&id, record));
    Ok(RoomsPage { rooms: rooms.collect(), next_cursor: next.map(String::from) })
}
