//! How far a room was read by each of its users, and how far it was handed to somebody.

use std::sync::LazyLock;

use crate::domain::id::{RoomId, UserId};
use crate::domain::position::Position;
use crate::store::script::{ALLOW_OOM, FENCE, PRELUDE, Script};
use crate::store::shard::Shard;
use crate::store::{Crossed, Mark, Store, StoreError};

static MARK: LazyLock<Script> = LazyLock::new(|| {
    Script::new("mark", &[ALLOW_OOM, PRELUDE, FENCE, include_str!("../../lua/mark.lua")])
});

/// Field of a room's one delivered mark, among the users' read marks; no user id is like it.
const DELIVERED_FIELD: &str = "*";

impl Store {
    /// Moves a mark forward; `None`: it stood there or further already. A mark that was never moved
    /// stands at 0:0, before every message. Of several who move it at once, each message between
    /// is crossed by exactly one.
    ///
    /// # Errors
    /// Redis did not do it; doing it again is harmless, but may answer `None` for what the first
    /// attempt has crossed.
    pub async fn mark(
        &self,
        room: &RoomId,
        user: &UserId,
        mark: Mark,
        to: Position,
    ) -> Result<Option<Crossed>, StoreError> {
        let field = match mark {
            Mark::Read => user.as_str(),
            Mark::Delivered => DELIVERED_FIELD,
        };
        self.shard.mark(room, field, to).await
    }
}

impl Shard {
    async fn mark(
        &self,
        room: &RoomId,
        field: &str,
        to: Position,
    ) -> Result<Option<Crossed>, StoreError> {
        let stood: Option<(u64, u64)> = self
            .run(&MARK, |_, input| {
                input.key(self.keys.marks(room));
                input.text(field);
                input.number(to.epoch.0);
                input.number(to.seq.0);
                input.number(self.kept_s());
            })
            .await?;
        Ok(stood.map(|(epoch, seq)| Crossed { from: Position::new(epoch, seq), to }))
    }
}
