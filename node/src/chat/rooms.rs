//! Who may come into a room.
//!
//! Asked in this order: the role admin, a grant in the token, the room's record. Rooms named
//! `dept_…` and `user_…` are reserved, whatever the policy.

use crate::chat::unavailable;
use crate::domain::id::RoomId;
use crate::domain::refusal::Refusal;
use crate::domain::role::{Actor, Role, Side};
use crate::domain::room::{RoomPolicy, RoomState, Visibility};
use crate::store::Store;

/// What a room's name reserves it for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reserved<'a> {
    Department(&'a str),
    User(&'a str),
    Lobby,
}

fn reserved(room: &RoomId) -> Option<Reserved<'_>> {
    let name = room.as_str();
    if *room == RoomId::lobby() {
        return Some(Reserved::Lobby);
    }
    let department = name.strip_prefix("dept_").map(Reserved::Department);
    department.or_else(|| name.strip_prefix("user_").map(Reserved::User))
}

fn is_entitled(actor: &Actor, reserved: Reserved<'_>) -> bool {
    match reserved {
        Reserved::Department(name) => {
            let is_agent = actor.participant.role.side() == Side::Agent;
            let is_its_agent = is_agent && actor.departments.iter().any(|it| it == name);
            actor.participant.role == Role::Admin || is_its_agent
        }
        Reserved::User(name) => actor.id().as_str() == name,
        Reserved::Lobby => actor.participant.role.side() == Side::Agent,
    }
}

/// Lets the actor in, tells whether the room is open, and makes the room where that is allowed.
pub(super) async fn admit(
    store: &Store,
    policy: RoomPolicy,
    actor: &Actor,
    room: &RoomId,
) -> Result<RoomState, Refusal> {
    if let Some(reserved) = reserved(room) {
        if !is_entitled(actor, reserved) {
            return Err(Refusal::AccessDenied);
        }
        store.create(room, Visibility::Private).await.map_err(unavailable)?;
        return Ok(RoomState::Open);
    }
    let record = store.room(room).await.map_err(unavailable)?;
    let made_as = match (record, policy) {
        (Some(record), _) => {
            let is_public = record.visibility == Visibility::Public;
            let is_in = is_public || actor.is_granted(room);
            return if is_in { Ok(record.state) } else { Err(Refusal::AccessDenied) };
        }
        (None, RoomPolicy::Open) => Visibility::Public,
        (None, RoomPolicy::Members) if actor.is_granted(room) => Visibility::Private,
        (None, RoomPolicy::Members) => return Err(Refusal::RoomNotFound),
    };
    store.create(room, made_as).await.map_err(unavailable)?;
    Ok(RoomState::Open)
}

/// Whether the actor may write into a room that it has joined.
pub(super) fn may_send(actor: &Actor, room: &RoomId) -> Result<(), Refusal> {
    match reserved(room) {
        Some(Reserved::Lobby) => Err(Refusal::AccessDenied),
        Some(_) if actor.participant.role.side() == Side::Client => Err(Refusal::AccessDenied),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::UserId;
    use crate::domain::role::Participant;

    fn actor(id: &str, role: Role, departments: &[&str]) -> Actor {
        let id = UserId::parse(id).unwrap();
        let departments = departments.iter().map(|&it| it.to_owned()).collect();
        let participant = Participant { id, name: "n".to_owned(), role };
        Actor { participant, grants: vec![], departments }
    }

    fn check(actor: &Actor, room: &str, is_in: bool, may_write: bool) {
        let room = RoomId::parse(room).unwrap();
        assert_eq!(is_entitled(actor, reserved(&room).unwrap()), is_in, "{room}");
        assert_eq!(may_send(actor, &room).is_ok(), may_write, "{room}");
    }

    #[test]
    fn reserved_rooms_are_for_those_whom_they_name() {
        let client = actor("7", Role::Client, &["sales"]);
        check(&client, "dept_sales", false, false);
        check(&client, "user_7", true, false);
        check(&client, "user_8", false, false);
        check(&client, "!online", false, false);
        let agent = actor("8", Role::Agent, &["sales"]);
        check(&agent, "dept_sales", true, true);
        check(&agent, "!online", true, false);
        check(&agent, "dept_law", false, true);
        check(&agent, "user_7", false, true);
        check(&actor("9", Role::Admin, &[]), "dept_law", true, true);
    }
}
