//! The list of who is online: the most recently seen of all who are in the lobby.

use std::sync::LazyLock;

use serde_bytes::ByteBuf;

use crate::domain::id::{RoomId, UserId};
use crate::domain::presence::{LISTED_USERS_MAX, Shown};
use crate::domain::time::Timestamp;
use crate::store::interest::participants;
use crate::store::keys::Partition;
use crate::store::script::{ALLOW_OOM, Input, NO_WRITES, Script};
use crate::store::shard::PATIENCE;
use crate::store::{Store, StoreError};

static LISTED: LazyLock<Script> =
    LazyLock::new(|| Script::new("listed", &[NO_WRITES, include_str!("../../lua/listed.lua")]));
static SEEN: LazyLock<Script> =
    LazyLock::new(|| Script::new("seen", &[ALLOW_OOM, include_str!("../../lua/seen.lua")]));

impl Store {
    /// The [`LISTED_USERS_MAX`] most recently seen of those who are listed as online, the most
    /// recent first; also those who are seen as offline meanwhile.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn listed(&self) -> Result<Vec<Shown>, StoreError> {
        let lobby = RoomId::lobby();
        let mut input = Input::default();
        input.key(self.shard.keys.listed(Partition::of_room(&lobby)));
        input.key(self.shard.keys.roster(&lobby));
        input.number(LISTED_USERS_MAX as u64);
        let found: Vec<(ByteBuf, u64)> = LISTED.call(&self.shard.client, &input, PATIENCE).await?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let (stored, seen_at): (Vec<ByteBuf>, Vec<u64>) = found.into_iter().unzip();
        let users = participants(&stored)?;
        let ids: Vec<UserId> = users.iter().map(|it| it.id.clone()).collect();
        let seen_as = self.presence(&ids).await?;
        let shown = users.into_iter().zip(seen_as).zip(seen_at);
        let shown =
            shown.map(|((user, seen), at)| Shown { user, status: seen.status, at: Timestamp(at) });
        Ok(shown.collect())
    }

    /// These users (at most 500), as far as they are listed, are seen now.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn seen(&self, users: &[UserId]) -> Result<(), StoreError> {
        let mut input = Input::default();
        input.key(self.shard.keys.listed(Partition::of_room(&RoomId::lobby())));
        for user in users {
            input.text(user.as_str());
        }
        let _seen: u64 = SEEN.call(&self.shard.client, &input, PATIENCE).await?;
        Ok(())
    }
}
