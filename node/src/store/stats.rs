//! The cluster's figures: kept by the scripts that change them, so reading them costs the same
//! however much there is.

use std::sync::LazyLock;

use fred::interfaces::{KeysInterface, SetsInterface, SortedSetsInterface};
use tracing::debug;

use crate::domain::id::RoomId;
use crate::domain::stats::Stats;
use crate::store::keys::Partition;
use crate::store::script::{ALLOW_OOM, Failure, Input, Script};
use crate::store::shard::PATIENCE;
use crate::store::{Store, StoreError};

static WAKE: LazyLock<Script> =
    LazyLock::new(|| Script::new("wake", &[ALLOW_OOM, include_str!("../../lua/wake.lua")]));

impl Store {
    /// The room is open no more, so it is active no more. Where this fails, it is when its last
    /// user has left.
    pub(crate) async fn rest(&self, room: &RoomId) {
        let key = self.shard.keys.active_rooms(Partition::of_room(room));
        let done: Result<(), _> = self.shard.client.srem(key, room.as_str()).await;
        if let Err(error) = done {
            debug!(%error, %room, "a room that is over still counts as active");
        }
    }

    /// The room is open again, so it is active if somebody is in it. Where this fails, it is when
    /// somebody comes in anew.
    pub(crate) async fn wake(&self, room: &RoomId) {
        let (keys, of) = (&self.shard.keys, Partition::of_room(room));
        let mut input = Input::default();
        input.key(keys.active_rooms(of));
        input.key(keys.rooms(of));
        input.key(keys.meta(room));
        input.key(keys.roster(room));
        input.text(room.as_str());
        if let Err(error) = WAKE.call::<bool>(&self.shard.client, &input, PATIENCE).await {
            debug!(?error, %room, "a room that is open again does not count as active");
        }
    }

    /// The cluster's figures: three reads a partition.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn stats(&self) -> Result<Stats, StoreError> {
        let keys = &self.shard.keys;
        let pipeline = self.shard.client.pipeline();
        for partition in Partition::all() {
            let () = pipeline.zcard(keys.rooms(partition)).await.map_err(Failure::from)?;
            let () = pipeline.scard(keys.active_rooms(partition)).await.map_err(Failure::from)?;
            let () = pipeline.get(keys.online_count(partition)).await.map_err(Failure::from)?;
        }
        let figures: Vec<Option<u64>> = pipeline.all().await.map_err(Failure::from)?;
        let mut stats = Stats::default();
        for of_partition in figures.chunks(3) {
            let [rooms, active_rooms, users] = of_partition else { continue };
            stats.rooms += rooms.unwrap_or_default();
            stats.active_rooms += active_rooms.unwrap_or_default();
            stats.users += users.unwrap_or_default();
        }
        Ok(stats)
    }
}
