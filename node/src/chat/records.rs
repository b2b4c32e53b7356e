//! What the application does with rooms: their records, their members, their end.

use futures_util::future::try_join_all;

use crate::chat::{Chat, unavailable};
use crate::domain::event::Event;
use crate::domain::id::{RoomId, UserId};
use crate::domain::refusal::Refusal;
use crate::domain::room::{MemberRole, NewRoom, Reserved, RoomChange, RoomRecord, RoomState};
use crate::store::{Append, Belonging, Members, ROOM_MEMBERS_MAX};

impl Chat {
    /// Makes a room; `false`: there is one, and it stays as it is.
    ///
    /// # Errors
    /// A reserved room, or Redis could not be asked.
    pub async fn make_room(&self, room: &RoomId, new: &NewRoom) -> Result<bool, Refusal> {
        unreserved(room)?;
        self.store.create_with(room, new).await.map_err(unavailable)
    }

    /// A room's record.
    ///
    /// # Errors
    /// No such room, or Redis could not be asked.
    pub async fn record(&self, room: &RoomId) -> Result<RoomRecord, Refusal> {
        let record = self.store.room(room).await.map_err(unavailable)?;
        record.ok_or(Refusal::RoomNotFound)
    }

    /// Records of rooms that were made, after `after`, in an order that stays. Of `count` rooms
    /// that are looked at, those that were deleted meanwhile are left out; the second value is
    /// where to go on.
    ///
    /// # Errors
    /// Redis could not be asked.
    pub async fn records(
        &self,
        after: Option<&RoomId>,
        count: usize,
    ) -> Result<(Vec<(RoomId, RoomRecord)>, Option<RoomId>), Refusal> {
        let ids = self.store.rooms(after, count).await.map_err(unavailable)?;
        let next = ids.last().filter(|_| ids.len() == count).cloned();
        let records = try_join_all(ids.iter().map(|it| self.store.room(it))).await;
        let records = records.map_err(unavailable)?;
        let found = ids.into_iter().zip(records);
        Ok((found.filter_map(|(id, record)| Some((id, record?))).collect(), next))
    }

    /// Changes a room's record, and tells the room. Whoever may not be there any more is put out.
    ///
    /// # Errors
    /// No such room, a reserved one, or Redis could not be asked; asking again is harmless.
    pub async fn change_room(
        &self,
        room: &RoomId,
        change: &RoomChange,
    ) -> Result<RoomRecord, Refusal> {
        unreserved(room)?;
        if !self.store.change_room(room, change).await.map_err(unavailable)? {
            return Err(Refusal::RoomNotFound);
        }
        let record = self.record(room).await?;
        let metadata = record.metadata.as_str().to_owned();
        self.append(Append::of_application(room, Event::RoomUpdated { metadata })).await?;
        if change.narrows() {
            let event = Event::AccessChanged { user: None };
            self.append(Append::of_application(room, event)).await?;
        }
        Ok(record)
    }

    /// Closes a room, unless it is closed.
    ///
    /// # Errors
    /// No such room, or Redis could not be asked; asking again is harmless.
    pub async fn close_room(&self, room: &RoomId, reason: Option<String>) -> Result<(), Refusal> {
        if self.record(room).await?.room.state == RoomState::Closed {
            return Ok(());
        }
        let event = Event::RoomClosed { by: None, reason };
        match self.append(Append::of_application(room, event)).await {
            Ok(_) | Err(Refusal::RoomClosed) => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    /// Opens a room again, unless it is open.
    ///
    /// # Errors
    /// No such room, or Redis could not be asked; asking again is harmless.
    pub async fn reopen_room(&self, room: &RoomId) -> Result<(), Refusal> {
        if self.record(room).await?.room.state == RoomState::Open {
            return Ok(());
        }
        self.append(Append::of_application(room, Event::RoomReopened)).await?;
        Ok(())
    }

    /// Deletes a room: whoever is in it is put out, and nothing of it is kept.
    ///
    /// # Errors
    /// No such room, or Redis or the store of files could not be asked; asking again is harmless.
    pub async fn delete_room(&self, room: &RoomId) -> Result<(), Refusal> {
        let found = self.record(room).await;
        if found.is_ok() {
            self.append(Append::of_application(room, Event::RoomDeleted)).await?;
        }
        // Also of one that is deleted already: an earlier attempt may have ended before this.
        self.remove_files(room).await?;
        self.store.forget_room(room).await.map_err(unavailable)?;
        found.map(|_record| ())
    }

    /// Some members of a room, as [`crate::store::Store::members`] answers them.
    ///
    /// # Errors
    /// No such room, or Redis could not be asked.
    pub async fn members(&self, room: &RoomId, from: u64, count: u64) -> Result<Members, Refusal> {
        self.record(room).await?;
        self.store.members(room, from, count).await.map_err(unavailable)
    }

    /// Says what users are to a room (`None`: nothing). Whoever may not be there any more is put
    /// out.
    ///
    /// # Errors
    /// No such room, too many members, or Redis could not be asked; asking again is harmless.
    pub async fn belong(
        &self,
        room: &RoomId,
        users: &[(UserId, Option<MemberRole>)],
    ) -> Result<(), Refusal> {
        unreserved(room)?;
        match self.store.belong(room, users).await.map_err(unavailable)? {
            Belonging::Gone => return Err(Refusal::RoomNotFound),
            Belonging::Full => {
                return Err(Refusal::invalid(format!("at most {ROOM_MEMBERS_MAX} members a room")));
            }
            Belonging::Out(_) => (),
        }
        // Not only who was taken out now: an earlier attempt may have ended before it told so.
        for (user, _) in users.iter().filter(|(_, role)| role.is_none()) {
            let event = Event::AccessChanged { user: Some(user.clone()) };
            self.append(Append::of_application(room, event)).await?;
        }
        Ok(())
    }
}

/// Reserved rooms are whose their names say.
fn unreserved(room: &RoomId) -> Result<(), Refusal> {
    match Reserved::of(room) {
        None => Ok(()),
        Some(_) => Err(Refusal::AccessDenied),
    }
}
