//! Who is there: users and the occupants of rooms, counted by nodes.
//!
//! A node's life keeps two sets in each partition: its users, and its pairs of room and user. Only
//! what enters or leaves such a set moves a count, and only a count's first and last step is told,
//! by the script that takes it. So every call may be repeated, and each transition is told once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use fred::interfaces::{HashesInterface, SetsInterface};
use futures_util::future::try_join_all;
use serde_bytes::ByteBuf;

use crate::domain::id::{NodeLife, RoomId, UserId};
use crate::domain::presence::{Presence, Status};
use crate::domain::role::Participant;
use crate::domain::signal::Signal;
use crate::store::codec::{EncodeError, encode_signal};
use crate::store::interest::participants;
use crate::store::keys::Partition;
use crate::store::script::{ALLOW_OOM, FENCE, Failure, Input, NO_WRITES, PRELUDE, Script};
use crate::store::shard::{PATIENCE, Shard};
use crate::store::{Store, StoreError};

/// Users or pairs in one call of a script: about 2 ms of Redis' time.
const BATCH_MAX: usize = 500;

/// Takes the place of [`FENCE`] where a reaper speaks for a life.
const DEAD_ONLY: &str =
    "if alive(LIFE) then return redis.error_reply('ERR ' .. LIFE .. ' is alive') end\n";

const USERS: &str = include_str!("../../lua/users.lua");
const OCCUPANTS: &str = include_str!("../../lua/occupants.lua");
const DOWN_TEXT: &str = include_str!("../../lua/down.lua");
const EXIT_TEXT: &str = include_str!("../../lua/exit.lua");

static UP: LazyLock<Script> =
    LazyLock::new(|| script("up", FENCE, USERS, include_str!("../../lua/up.lua")));
static DOWN: LazyLock<Script> = LazyLock::new(|| script("down", FENCE, USERS, DOWN_TEXT));
static REAP_USERS: LazyLock<Script> =
    LazyLock::new(|| script("reap_users", DEAD_ONLY, USERS, DOWN_TEXT));
static STATUS: LazyLock<Script> =
    LazyLock::new(|| script("status", FENCE, USERS, include_str!("../../lua/status.lua")));
static ENTER: LazyLock<Script> =
    LazyLock::new(|| script("enter", FENCE, OCCUPANTS, include_str!("../../lua/enter.lua")));
static EXIT: LazyLock<Script> = LazyLock::new(|| script("exit", FENCE, OCCUPANTS, EXIT_TEXT));
static REAP_PAIRS: LazyLock<Script> =
    LazyLock::new(|| script("reap_pairs", DEAD_ONLY, OCCUPANTS, EXIT_TEXT));
static PRESENT: LazyLock<Script> = LazyLock::new(|| {
    let text = include_str!("../../lua/present.lua");
    Script::new("present", &[NO_WRITES, include_str!("../../lua/roster.lua"), text])
});
static REAP: LazyLock<Script> =
    LazyLock::new(|| script("reap", DEAD_ONLY, "", include_str!("../../lua/reap.lua")));

fn script(name: &'static str, fence: &str, shared: &str, text: &str) -> Script {
    Script::new(name, &[ALLOW_OOM, PRELUDE, fence, shared, text])
}

/// A user in a room, and what a script needs to know besides.
struct Pair {
    room: RoomId,
    user: UserId,
    /// For `enter` the participant and [`Signal::Entered`]; for `exit` [`Signal::Left`].
    encoded: Vec<Vec<u8>>,
}

impl Pair {
    fn entering((room, who): &(RoomId, Participant)) -> Result<Self, StoreError> {
        let signal = encode_signal(&Signal::Entered { user: who.clone() });
        let encoded = [rmp_serde::to_vec_named(who), signal].into_iter().collect();
        Self::new(room, &who.id, encoded)
    }

    fn leaving((room, user): &(RoomId, UserId)) -> Result<Self, StoreError> {
        let signal = encode_signal(&Signal::Left { user: user.clone() });
        Self::new(room, user, signal.map(|it| vec![it]))
    }

    fn new(
        room: &RoomId,
        user: &UserId,
        encoded: Result<Vec<Vec<u8>>, EncodeError>,
    ) -> Result<Self, StoreError> {
        match encoded {
            Ok(encoded) => Ok(Self { room: room.clone(), user: user.clone(), encoded }),
            Err(error) => {
                Err(StoreError::refused(format!("{user} in {room} cannot be encoded: {error}")))
            }
        }
    }

    /// Reads a member of a life's set of pairs, as `enter` writes it.
    fn parse(member: &str) -> Option<Self> {
        let (room, user) = member.split_once(' ')?;
        Self::leaving(&(RoomId::parse(room).ok()?, UserId::parse(user).ok()?)).ok()
    }
}

impl Store {
    /// These users have a connection here (at most 500). Transitions arrive as presence; whoever
    /// hears a user's topic is told on how many nodes the user is.
    ///
    /// # Errors
    /// Redis did not do it, or not for all; doing it again is harmless.
    pub async fn up(&self, users: &[UserId]) -> Result<(), StoreError> {
        self.shard.up(users).await
    }

    /// These users have no connection here any more (at most 500).
    ///
    /// # Errors
    /// Redis did not do it, or not for all; doing it again is harmless.
    pub async fn down(&self, users: &[UserId]) -> Result<(), StoreError> {
        self.shard.down(users).await
    }

    /// These users are in these rooms on this node (at most 500).
    ///
    /// # Errors
    /// Redis did not do it, or not for all; doing it again is harmless.
    pub async fn enter(&self, who: &[(RoomId, Participant)]) -> Result<(), StoreError> {
        self.shard.enter(who).await
    }

    /// These users are in these rooms no more on this node (at most 500).
    ///
    /// # Errors
    /// Redis did not do it, or not for all; doing it again is harmless.
    pub async fn exit(&self, who: &[(RoomId, UserId)]) -> Result<(), StoreError> {
        self.shard.exit(who).await
    }

    /// Sets what a connected user is seen as; one who is not connected stays offline.
    ///
    /// # Errors
    /// Redis did not do it.
    pub async fn set_status(&self, user: &UserId, status: Status) -> Result<(), StoreError> {
        self.shard.set_status(user, status).await
    }

    /// Who is in a room now, on any node; at most 200.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn inside(&self, room: &RoomId) -> Result<Vec<Participant>, StoreError> {
        let mut input = Input::default();
        input.key(self.shard.keys.roster(room));
        let stored: Vec<ByteBuf> = PRESENT.call(&self.shard.client, &input, PATIENCE).await?;
        participants(&stored)
    }

    /// How many users are in a room now, on any node, if `user` is, too.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn count_with(&self, room: &RoomId, user: &UserId) -> Result<u64, StoreError> {
        let (client, roster) = (&self.shard.client, self.shard.keys.roster(room));
        let count: u64 = client.hlen(&roster).await.map_err(Failure::from)?;
        let is_in: bool = client.hexists(&roster, user.as_str()).await.map_err(Failure::from)?;
        Ok(count + u64::from(!is_in))
    }

    /// Whether the user has a connection, whatever the user is seen as.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn is_connected(&self, user: &UserId) -> Result<bool, StoreError> {
        let bucket = self.shard.keys.user_bucket(user);
        let entry: Option<String> =
            self.shard.client.hget(bucket, user.as_str()).await.map_err(Failure::from)?;
        Ok(entry.is_some_and(|it| !it.starts_with("0 ")))
    }

    /// What these users are seen as, in order; one who was never seen is offline at version 0.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn presence(&self, users: &[UserId]) -> Result<Vec<Presence>, StoreError> {
        self.shard.presence(users).await
    }
}

/// Reads `<nodes> <version> <status> <last seen>`, as `users.lua` writes it.
fn seen_as(user: &UserId, entry: &str) -> Presence {
    let mut words = entry.split(' ').skip(1);
    let version = words.next().and_then(|it| it.parse().ok()).unwrap_or_default();
    let status = words.next().and_then(Status::parse).unwrap_or(Status::Offline);
    Presence { user: user.clone(), version, status }
}

impl Shard {
    async fn up(&self, users: &[UserId]) -> Result<(), StoreError> {
        self.for_users(&UP, users).await
    }

    async fn down(&self, users: &[UserId]) -> Result<(), StoreError> {
        self.for_users(&DOWN, users).await
    }

    async fn enter(&self, who: &[(RoomId, Participant)]) -> Result<(), StoreError> {
        let pairs: Result<Vec<_>, _> = who.iter().map(Pair::entering).collect();
        self.for_pairs(&ENTER, &pairs?).await
    }

    async fn exit(&self, who: &[(RoomId, UserId)]) -> Result<(), StoreError> {
        let pairs: Result<Vec<_>, _> = who.iter().map(Pair::leaving).collect();
        self.for_pairs(&EXIT, &pairs?).await
    }

    async fn set_status(&self, user: &UserId, status: Status) -> Result<(), StoreError> {
        let fill = |_, input: &mut Input| {
            input.key(self.keys.user_bucket(user));
            input.key(self.keys.online_count(Partition::of_user(user)));
            input.text(user.as_str());
            input.text(status.as_str());
        };
        Ok(self.run(&STATUS, fill).await?)
    }

    async fn presence(&self, users: &[UserId]) -> Result<Vec<Presence>, StoreError> {
        let pipeline = self.client.pipeline();
        for user in users {
            let bucket = self.keys.user_bucket(user);
            let () = pipeline.hget(bucket, user.as_str()).await.map_err(Failure::from)?;
        }
        let entries = pipeline.try_all::<Option<String>>().await;
        let seen = users.iter().zip(entries).map(|(user, entry)| {
            Ok(seen_as(user, entry.map_err(Failure::from)?.as_deref().unwrap_or_default()))
        });
        seen.collect()
    }

    async fn for_users(&self, script: &Script, users: &[UserId]) -> Result<(), StoreError> {
        let batches = by_partition(users, Partition::of_user);
        let calls = batches.iter().map(async |(partition, users)| {
            let fill = |life, input: &mut Input| self.add_users(*partition, life, users, input);
            self.run::<()>(script, fill).await
        });
        try_join_all(calls).await?;
        Ok(())
    }

    async fn for_pairs(&self, script: &Script, pairs: &[Pair]) -> Result<(), StoreError> {
        let batches = by_partition(pairs, |pair| Partition::of_room(&pair.room));
        let calls = batches.iter().map(async |(partition, pairs)| {
            let fill = |life, input: &mut Input| self.add_pairs(*partition, life, pairs, input);
            self.run::<()>(script, fill).await
        });
        try_join_all(calls).await?;
        Ok(())
    }

    fn add_users(&self, of: Partition, life: NodeLife, users: &[&UserId], input: &mut Input) {
        input.key(self.keys.life_users(of, life));
        for user in users {
            input.key(self.keys.user_bucket(user));
            input.key(self.keys.user_interest(user));
            input.text(user.as_str());
        }
        input.key(self.keys.online_count(of));
    }

    fn add_pairs(&self, of: Partition, life: NodeLife, pairs: &[&Pair], input: &mut Input) {
        input.key(self.keys.life_rooms(of, life));
        input.key(self.keys.active_rooms(of));
        input.key(self.keys.rooms(of));
        input.key(self.keys.listed(of));
        for pair in pairs {
            input.key(self.keys.roster(&pair.room));
            input.key(self.keys.meta(&pair.room));
            input.text(pair.room.as_str());
            input.text(pair.user.as_str());
            for bytes in &pair.encoded {
                input.bytes(bytes);
            }
        }
    }
}

fn by_partition<T>(items: &[T], of: impl Fn(&T) -> Partition) -> BTreeMap<Partition, Vec<&T>> {
    let mut batches: BTreeMap<_, Vec<&T>> = BTreeMap::new();
    for item in items {
        batches.entry(of(item)).or_default().push(item);
    }
    batches
}

/// Takes away whatever a dead life has left, then the life itself. Any node may do it, several at
/// once; it may stop anywhere and be done again.
pub(crate) async fn reap(shard: &Shard, dead: NodeLife) -> Result<(), StoreError> {
    // Users before pairs, so who is told that a user went still finds the user in the room.
    for partition in Partition::all() {
        while reap_users(shard, dead, partition).await? {}
    }
    for partition in Partition::all() {
        while reap_pairs(shard, dead, partition).await? {}
    }
    reap_life(shard, dead).await
}

/// Takes a dead life itself away, if it has nothing left.
async fn reap_life(shard: &Shard, dead: NodeLife) -> Result<(), StoreError> {
    let mut input = shard.input(dead);
    for partition in Partition::all() {
        input.key(shard.keys.life_users(partition, dead));
        input.key(shard.keys.life_rooms(partition, dead));
    }
    Ok(REAP.call(&shard.client, &input, PATIENCE).await?)
}

/// Takes away some users of a dead life. Answers whether there were any: each call takes at least
/// one, and a dead life gets no more.
async fn reap_users(shard: &Shard, dead: NodeLife, of: Partition) -> Result<bool, StoreError> {
    let parse = |it: &str| UserId::parse(it).ok();
    let users = members(shard, shard.keys.life_users(of, dead), parse).await?;
    if users.is_empty() {
        return Ok(false);
    }
    let mut input = shard.input(dead);
    shard.add_users(of, dead, &users.iter().collect::<Vec<_>>(), &mut input);
    let () = REAP_USERS.call(&shard.client, &input, PATIENCE).await?;
    Ok(true)
}

/// The same for pairs.
async fn reap_pairs(shard: &Shard, dead: NodeLife, of: Partition) -> Result<bool, StoreError> {
    let pairs = members(shard, shard.keys.life_rooms(of, dead), Pair::parse).await?;
    if pairs.is_empty() {
        return Ok(false);
    }
    let mut input = shard.input(dead);
    shard.add_pairs(of, dead, &pairs.iter().collect::<Vec<_>>(), &mut input);
    let () = REAP_PAIRS.call(&shard.client, &input, PATIENCE).await?;
    Ok(true)
}

/// Some members of a set, any at all; none if it is empty.
async fn members<T>(
    shard: &Shard,
    set: String,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, StoreError> {
    let texts: Vec<String> =
        shard.client.srandmember(&set, Some(BATCH_MAX)).await.map_err(Failure::from)?;
    let read = |text: &String| {
        parse(text).ok_or_else(|| StoreError::refused(format!("{text} is in {set}")))
    };
    texts.iter().map(read).collect()
}

#[cfg(test)]
mod tests;
