//! Who may not write, or may not be there at all: in a room, or everywhere.

use std::sync::LazyLock;

use fred::interfaces::HashesInterface;

use crate::domain::id::UserId;
use crate::domain::moderation::{Barring, Term};
use crate::domain::time::Timestamp;
use crate::store::script::{ALLOW_OOM, FENCE, Failure, PRELUDE, Script};
use crate::store::{Store, StoreError};

static BAR: LazyLock<Script> = LazyLock::new(|| {
    Script::new("bar", &[ALLOW_OOM, PRELUDE, FENCE, include_str!("../../lua/bar.lua")])
});

impl Store {
    /// Bars a user, or lifts that. Answers until when.
    ///
    /// # Errors
    /// Redis did not do it; doing it again is harmless.
    pub async fn bar(&self, barring: &Barring) -> Result<Timestamp, StoreError> {
        let Barring { room, user, bar, term } = barring;
        let keys = &self.shard.keys;
        let until: u64 = self
            .shard
            .run(&BAR, |_, input| {
                input.key(
                    room.as_ref().map_or_else(|| keys.bars_everywhere(), |room| keys.bars(room)),
                );
                input.text(user.as_str());
                input.text(bar.as_str());
                match term {
                    Term::Ever => input.text(""),
                    Term::Seconds(seconds) => input.number(*seconds),
                    Term::Lifted => input.text("0"),
                }
            })
            .await?;
        Ok(Timestamp(until))
    }

    /// Until when the user is banned everywhere, by Redis' clock; 0: is not.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn banned_until(&self, user: &UserId) -> Result<Timestamp, StoreError> {
        let bars = self.shard.keys.bars_everywhere();
        let found: Option<String> =
            self.shard.client.hget(bars, user.as_str()).await.map_err(Failure::from)?;
        let banned = found.and_then(|it| it.split_once(' ').and_then(|(_, it)| it.parse().ok()));
        Ok(Timestamp(banned.unwrap_or_default()))
    }
}
