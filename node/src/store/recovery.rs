//! What connections leave behind, so that their clients can go on over others.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use serde::Deserialize;
use serde_bytes::ByteBuf;

use crate::domain::id::{ConnId, NodeLife, RoomId, UserId};
use crate::domain::position::Position;
use crate::domain::recovery::{Kept, Pid};
use crate::domain::time::Timestamp;
use crate::store::script::{ALLOW_OOM, FENCE, Input, NO_WRITES, PRELUDE, Script};
use crate::store::shard::PATIENCE;
use crate::store::{Store, StoreError};

/// How long a lost connection can be taken up again.
pub const KEPT_AFTER_LOSS: Duration = Duration::from_secs(120);

/// How long a record lives without its connection saying so: a node that dies says nothing, and
/// leaves its records for at least half of this.
pub const KEPT_WHILE_OPEN: Duration = Duration::from_secs(600);

/// Version of kept states that this node writes and reads.
const VERSION: u8 = 1;

const PAGES: &str = include_str!("../../lua/pages.lua");

static KEEP: LazyLock<Script> =
    LazyLock::new(|| script("keep", include_str!("../../lua/keep.lua")));
static TAKE: LazyLock<Script> =
    LazyLock::new(|| script("take", include_str!("../../lua/take.lua")));
static BEFORE: LazyLock<Script> = LazyLock::new(|| {
    Script::new("before", &[NO_WRITES, PAGES, include_str!("../../lua/before.lua")])
});

fn script(name: &'static str, text: &str) -> Script {
    Script::new(name, &[ALLOW_OOM, PRELUDE, FENCE, text])
}

/// A connection as the owner of a record: its node when it opened, and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The node's life then.
    pub node: NodeLife,
    /// Its number.
    pub conn: ConnId,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.node, self.conn)
    }
}

/// What becomes of a record.
#[derive(Debug, Clone, Copy)]
pub enum Keeping<'a> {
    /// The connection is open and goes on writing to it.
    Open(&'a Kept),
    /// The connection is over: whoever comes may take it.
    Over(&'a Kept),
    /// Nothing is left behind.
    Nothing,
}

/// What taking a record came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// There is none for this user.
    Nothing,
    /// Its owner may still write to it.
    Held,
    /// It is the asker's now.
    Kept(Kept),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum TakeAnswer {
    Nothing,
    Held,
    Kept(ByteBuf),
}

impl Store {
    /// Keeps what the connection `owner` of `user` leaves behind. `false`: another connection has
    /// taken its place, and nothing was written.
    ///
    /// # Errors
    /// Redis did not do it, or may have.
    pub async fn keep_connection(
        &self,
        pid: Pid,
        (owner, user): (Owner, &UserId),
        keeping: Keeping<'_>,
    ) -> Result<bool, StoreError> {
        let (kept, next, lives) = match keeping {
            Keeping::Open(kept) => (Some(kept), owner.to_string(), KEPT_WHILE_OPEN),
            Keeping::Over(kept) => (Some(kept), String::new(), KEPT_AFTER_LOSS),
            Keeping::Nothing => (None, String::new(), Duration::ZERO),
        };
        let state = kept.map(|kept| rmp_serde::to_vec_named(&(VERSION, kept))).transpose();
        let state = state.map_err(|error| StoreError::refused(error.to_string()))?;
        let fill = |_, input: &mut Input| {
            input.key(self.shard.keys.recovery(pid));
            input.text(&owner.to_string());
            input.text(&next);
            input.text(user.as_str());
            input.bytes(state.as_deref().unwrap_or_default());
            input.number(lives.as_secs());
        };
        Ok(self.shard.run(&KEEP, fill).await?)
    }

    /// Takes what a connection of `user` left behind; `by_force`: also from an owner that may still
    /// write to it.
    ///
    /// # Errors
    /// Redis did not do it, or may have; or the record holds what this release cannot read.
    pub async fn take_connection(
        &self,
        pid: Pid,
        (owner, user): (Owner, &UserId),
        by_force: bool,
    ) -> Result<Taken, StoreError> {
        let fill = |_, input: &mut Input| {
            input.key(self.shard.keys.recovery(pid));
            input.text(&owner.to_string());
            input.text(user.as_str());
            input.text(if by_force { "1" } else { "0" });
            input.number(KEPT_WHILE_OPEN.as_secs());
        };
        Ok(match self.shard.run(&TAKE, fill).await? {
            TakeAnswer::Nothing => Taken::Nothing,
            TakeAnswer::Held => Taken::Held,
            TakeAnswer::Kept(state) => match rmp_serde::from_slice::<(u8, Kept)>(&state) {
                Ok((VERSION, kept)) => Taken::Kept(kept),
                // Of another release: the client begins anew, as after two minutes.
                Ok(_) | Err(_) => Taken::Nothing,
            },
        })
    }

    /// The place of the newest entry of a room that was stored by this time; `None`: every entry
    /// that is left was stored later.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn before(
        &self,
        room: &RoomId,
        time: Timestamp,
    ) -> Result<Option<Position>, StoreError> {
        let mut input = Input::default();
        input.key(self.shard.keys.log(room));
        input.number(time.0);
        let place: Vec<u64> = BEFORE.call(&self.shard.client, &input, PATIENCE).await?;
        Ok(match place[..] {
            [epoch, seq] => Some(Position::new(epoch, seq)),
            _ => None,
        })
    }
}
