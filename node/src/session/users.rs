//! Who is online, and the rooms that a user hears without joining.

use tracing::debug;

use crate::dialect::{DialectId, DialectSet};
use crate::domain::id::RoomId;
use crate::domain::presence::Status;
use crate::domain::refusal::{Outcome, Refusal};
use crate::domain::reply::Reply;
use crate::domain::role::{Actor, Side};
use crate::domain::topic::Topic;
use crate::hub::Change;
use crate::session::Session;

/// Departments of one agent whose rooms are heard.
const DEPARTMENTS_MAX: usize = 50;

impl Session {
    /// Hears the user's standing rooms, if the dialect has such and they are not heard yet. What
    /// fails is tried again with the next event.
    pub(super) async fn stand(&mut self, dialect: DialectId) {
        let Some(identity) = &self.identity else { return };
        let spoken = self.parts.dialects.get(dialect);
        if self.is_standing || !(spoken.has_standing_rooms() || spoken.tells_news()) {
            return;
        }
        let mut rooms = Vec::new();
        if spoken.tells_news() {
            rooms.push(RoomId::newsroom());
        }
        if spoken.has_standing_rooms() {
            rooms.extend(standing_rooms(&identity.actor));
        }
        let actor = identity.actor.clone();
        self.is_standing = true;
        for room in rooms {
            if let Err(refusal) = self.hear(dialect, &actor, &room).await {
                debug!(room.id = %room, %refusal, "a standing room is not heard");
                self.is_standing = false;
            }
        }
    }

    async fn hear(
        &mut self,
        dialect: DialectId,
        actor: &Actor,
        room: &RoomId,
    ) -> Result<(), Refusal> {
        if self.rooms.has(room) {
            return Ok(());
        }
        self.parts.chat.admit(actor, room).await?;
        let listener = self.rooms.listener(DialectSet::of(dialect), &self.peer.outbox);
        let listener = listener.ok_or(Refusal::AuthRequired)?;
        let attached = self.parts.hub.attach(&Topic::Room(room.clone()), listener, None).await;
        let attached = attached.map_err(|_error| Refusal::Unavailable(Outcome::Refused))?;
        self.rooms.hear(room, dialect, attached);
        Ok(())
    }

    /// The user is seen as online, and listed.
    pub(super) async fn appear(
        &mut self,
        dialect: DialectId,
        actor: &Actor,
    ) -> Result<Reply, Refusal> {
        self.set_status(dialect, actor, Status::Online).await?;
        self.rooms.list(true);
        self.parts.hub.directory().saw(actor.id());
        self.list_users(dialect, actor).await
    }

    /// The user is seen as offline, and listed no more.
    pub(super) async fn vanish(
        &mut self,
        dialect: DialectId,
        actor: &Actor,
    ) -> Result<Reply, Refusal> {
        let reply = self.set_status(dialect, actor, Status::Offline).await?;
        self.rooms.list(false);
        Ok(reply)
    }

    /// Agents see all who are listed, clients those with whom they are in a room; both from now on
    /// with each change.
    pub(super) async fn list_users(
        &mut self,
        dialect: DialectId,
        actor: &Actor,
    ) -> Result<Reply, Refusal> {
        match actor.participant.role.side() {
            Side::Agent => {
                self.hear(dialect, actor, &RoomId::lobby()).await?;
                self.parts.chat.online(actor).await
            }
            Side::Client => {
                let rooms = self.rooms.want_lists(dialect);
                for room in &rooms {
                    let topic = Topic::Room(room.clone());
                    self.parts.hub.change(&topic, self.peer.conn, Change::Lists).await;
                }
                self.parts.chat.online_in(actor, &rooms).await
            }
        }
    }
}

/// The user's own room, and those of an agent's departments.
fn standing_rooms(actor: &Actor) -> Vec<RoomId> {
    let departments = match actor.participant.role.side() {
        Side::Agent => actor.departments.as_slice(),
        Side::Client => &[],
    };
    let departments = departments.iter().take(DEPARTMENTS_MAX).map(|it| format!("dept_{it}"));
    let own = format!("user_{}", actor.id());
    // A name that makes no room id names no room.
    departments.chain([own]).filter_map(|it| RoomId::parse(&it).ok()).collect()
}
