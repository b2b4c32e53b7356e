//! Who may come into a room, and who makes one.
//!
//! Asked in this order: the role admin, a grant in the token, the room's record, the application. Rooms named
//! `dept_…` and `user_…` are reserved, whatever the policy.

use uuid::Uuid;

use crate::chat::access_hook::AccessHook;
use crate::chat::unavailable;
use crate::domain::id::RoomId;
use crate::domain::position::Position;
use crate::domain::refusal::{Outcome, Refusal};
use crate::domain::role::{Actor, Role, Side};
use crate::domain::room::{
    MemberRole, NewRoom, Reserved, RoomCard, RoomPolicy, RoomState, Visibility,
};
use crate::store::{Known, Store};

/// The room that an actor was let into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// Whether it takes messages.
    pub state: RoomState,
    /// What is told of it.
    pub card: RoomCard,
    /// The newest place when that was decided; what came later may have changed it.
    pub head: Option<Position>,
}

impl Admitted {
    /// Into a room that was made by this join.
    fn plain(room: &RoomId) -> Self {
        Self { state: RoomState::Open, card: RoomCard::plain(room), head: None }
    }
}

fn is_entitled(actor: &Actor, reserved: Reserved<'_>) -> bool {
    match reserved {
        Reserved::Department(name) => {
            actor.participant.role == Role::Admin || is_agent_of(actor, name)
        }
        Reserved::User(name) => actor.id().as_str() == name,
        Reserved::Lobby => actor.participant.role.side() == Side::Agent,
        // Whoever hears it hears no more than concerns them.
        Reserved::Newsroom => true,
    }
}

fn is_agent_of(actor: &Actor, department: &str) -> bool {
    let is_agent = actor.participant.role.side() == Side::Agent;
    is_agent && actor.departments.iter().any(|it| it == department)
}

/// Whether the room's record lets the actor in.
fn is_let_in(actor: &Actor, access: &Known) -> bool {
    let is_public = access.room.visibility == Visibility::Public;
    let department = access.room.department.as_deref();
    is_public || access.role.is_some() || department.is_some_and(|it| is_agent_of(actor, it))
}

/// Lets the actor in, tells what it came into, and makes the room where that is allowed.
pub(super) async fn admit(
    store: &Store,
    (policy, hook): (RoomPolicy, &AccessHook),
    actor: &Actor,
    room: &RoomId,
) -> Result<Admitted, Refusal> {
    if let Some(reserved) = Reserved::of(room) {
        if !is_entitled(actor, reserved) {
            return Err(Refusal::AccessDenied);
        }
        store.create(room, Visibility::Private).await.map_err(unavailable)?;
        return Ok(Admitted::plain(room));
    }
    let access = store.access(room, actor.id()).await.map_err(unavailable)?;
    if access.is_banned {
        return Err(Refusal::AccessDenied);
    }
    let made_as = match (access.known, policy) {
        (Some(known), _) => {
            let is_in = actor.is_granted(room)
                || is_let_in(actor, &known)
                || hook.lets_in(actor, room, &access.version).await?;
            let Known { room: record, role: _, head } = known;
            let admitted =
                Admitted { state: record.state, card: record.card(room), head: Some(head) };
            return if is_in { Ok(admitted) } else { Err(Refusal::AccessDenied) };
        }
        (None, RoomPolicy::Open) => Visibility::Public,
        (None, RoomPolicy::Members)
            if actor.is_granted(room) || hook.lets_in(actor, room, &access.version).await? =>
        {
            Visibility::Private
        }
        (None, RoomPolicy::Members) => return Err(Refusal::RoomNotFound),
    };
    store.create(room, made_as).await.map_err(unavailable)?;
    Ok(Admitted::plain(room))
}

/// Makes a room with an id of its own, in which the actor is a member.
pub(super) async fn create(
    store: &Store,
    actor: &Actor,
    mut new: NewRoom,
) -> Result<RoomCard, Refusal> {
    // No other room has this id.
    let id = RoomId::parse(&Uuid::new_v4().to_string());
    let id = id.map_err(|_no_id| Refusal::Unavailable(Outcome::Refused))?;
    new.creator = Some(actor.id().clone());
    new.members.push((actor.id().clone(), MemberRole::Member));
    store.create_with(&id, &new).await.map_err(unavailable)?;
    Ok(new.room.card(&id))
}

/// Whether the actor may write into a room that it has joined.
pub(super) fn may_send(actor: &Actor, room: &RoomId) -> Result<(), Refusal> {
    match Reserved::of(room) {
        Some(Reserved::Lobby | Reserved::Newsroom) => Err(Refusal::AccessDenied),
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
        let participant = Participant { id, name: "n".to_owned(), role, full_name: None };
        Actor { participant, is_named: true, grants: vec![], departments }
    }

    fn check(actor: &Actor, room: &str, is_in: bool, may_write: bool) {
        let room = RoomId::parse(room).unwrap();
        assert_eq!(is_entitled(actor, Reserved::of(&room).unwrap()), is_in, "{room}");
        assert_eq!(may_send(actor, &room).is_ok(), may_write, "{room}");
    }

    fn check_record(actor: &Actor, access: &Known, expected: bool) {
        assert_eq!(is_let_in(actor, access), expected, "{actor:?} {access:?}");
    }

    #[test]
    fn a_record_lets_in_members_and_agents_of_its_department() {
        let of = |visibility| {
            let head = Position::new(1, 0);
            Known { room: NewRoom::plain(visibility).room, role: None, head }
        };
        let mut access = of(Visibility::Private);
        access.room.department = Some("sales".to_owned());
        check_record(&actor("7", Role::User, &[]), &access, false);
        check_record(&actor("7", Role::Client, &["sales"]), &access, false);
        check_record(&actor("7", Role::Agent, &["law"]), &access, false);
        check_record(&actor("7", Role::Agent, &["sales"]), &access, true);
        for role in [MemberRole::Member, MemberRole::Agent] {
            access.role = Some(role);
            check_record(&actor("7", Role::User, &[]), &access, true);
        }
        check_record(&actor("7", Role::User, &[]), &of(Visibility::Public), true);
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
