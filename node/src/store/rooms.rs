//! Rooms' records: who may come in, and whether they take messages.

use std::sync::LazyLock;

use crate::domain::id::RoomId;
use crate::domain::position::Epoch;
use crate::domain::room::{RoomRecord, RoomState, Visibility};
use crate::store::keys::Half;
use crate::store::script::{ALLOW_OOM, FENCE, Input, NO_WRITES, PRELUDE, Script};
use crate::store::shard::PATIENCE;
use crate::store::{Store, StoreError};

static ROOM: LazyLock<Script> =
    LazyLock::new(|| Script::new("room", &[NO_WRITES, include_str!("../../lua/room.lua")]));
static CREATE: LazyLock<Script> = LazyLock::new(|| {
    Script::new("create", &[ALLOW_OOM, PRELUDE, FENCE, include_str!("../../lua/create.lua")])
});

impl Store {
    /// The room's record, if there is such a room.
    ///
    /// # Errors
    /// Redis did not answer, or the record holds what this release does not know.
    pub async fn room(&self, room: &RoomId) -> Result<Option<RoomRecord>, StoreError> {
        let mut input = Input::default();
        input.key(self.shard.keys.meta(room));
        let found: Vec<String> = ROOM.call(&self.shard.client, &input, PATIENCE).await?;
        let [visibility, state] = &found[..] else { return Ok(None) };
        let visibility = match visibility.as_str() {
            "public" => Visibility::Public,
            "private" => Visibility::Private,
            other => return Err(unreadable(room, other)),
        };
        let state = match state.as_str() {
            "open" => RoomState::Open,
            "closed" => RoomState::Closed,
            other => return Err(unreadable(room, other)),
        };
        Ok(Some(RoomRecord { visibility, state }))
    }

    /// Makes the room unless it exists. Nothing of a room that was deleted comes back.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn create(&self, room: &RoomId, who: Visibility) -> Result<Epoch, StoreError> {
        let keys = &self.shard.keys;
        let epoch = self
            .shard
            .run(&CREATE, |_, input| {
                input.key(keys.meta(room));
                input.key(keys.log(room));
                input.key(keys.recent(room, Half::Even));
                input.key(keys.recent(room, Half::Odd));
                input.key(keys.marks(room));
                input.key(keys.bars(room));
                input.text(match who {
                    Visibility::Public => "public",
                    Visibility::Private => "private",
                });
            })
            .await?;
        Ok(Epoch(epoch))
    }
}

fn unreadable(room: &RoomId, word: &str) -> StoreError {
    StoreError::refused(format!("the record of room {room} says {word:?}"))
}
