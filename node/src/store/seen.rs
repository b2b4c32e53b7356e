//! Who is connected, for whoever asks without being there.

use std::sync::LazyLock;

use fred::interfaces::HashesInterface;

use crate::domain::id::UserId;
use crate::domain::presence::Status;
use crate::domain::time::Timestamp;
use crate::store::keys::{PARTITIONS, USER_BUCKETS};
use crate::store::script::{Failure, Input, NO_WRITES, Script};
use crate::store::shard::PATIENCE;
use crate::store::{Store, StoreError};

/// Buckets of each partition.
const BUCKETS_EACH: u64 = USER_BUCKETS / PARTITIONS;

/// Buckets that are read in one call.
const BUCKETS_AT_ONCE: u64 = 64;

static ONLINE: LazyLock<Script> =
    LazyLock::new(|| Script::new("online", &[NO_WRITES, include_str!("../../lua/online.lua")]));

/// How a user is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Nodes on which the user has connections.
    pub nodes: u64,
    /// What the user is seen as.
    pub status: Status,
    /// When the user's first connection came or last one went.
    pub at: Timestamp,
}

impl Seen {
    /// Reads `<nodes> <version> <status> <last seen>`, as `users.lua` writes it.
    fn read(entry: &str) -> Self {
        let mut words = entry.split(' ');
        let nodes = words.next().and_then(|it| it.parse().ok()).unwrap_or_default();
        let mut words = words.skip(1);
        let status = words.next().and_then(Status::parse).unwrap_or(Status::Offline);
        let at = words.next().and_then(|it| it.parse().ok()).unwrap_or_default();
        Self { nodes, status, at: Timestamp(at) }
    }
}

impl Store {
    /// How a user is there; one who was never seen is offline since 1970.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn user_seen(&self, user: &UserId) -> Result<Seen, StoreError> {
        let bucket = self.shard.keys.user_bucket(user);
        let entry: Option<String> =
            self.shard.client.hget(bucket, user.as_str()).await.map_err(Failure::from)?;
        Ok(Seen::read(&entry.unwrap_or_default()))
    }

    /// Users who have a connection, bucket by bucket, beginning with bucket `from`: about
    /// `count`, and the bucket to go on with.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn online(
        &self,
        from: u64,
        count: usize,
    ) -> Result<(Vec<(UserId, Seen)>, Option<u64>), StoreError> {
        let (mut found, mut bucket) = (Vec::new(), from);
        while bucket < USER_BUCKETS {
            let mut input = Input::default();
            let end = USER_BUCKETS.min(bucket + BUCKETS_AT_ONCE);
            for number in bucket..end {
                // Those that are read together lie in one partition.
                let (partition, nth) = (number / BUCKETS_EACH, number % BUCKETS_EACH);
                input.key(self.shard.keys.bucket(partition + PARTITIONS * nth));
            }
            let flat: Vec<String> = ONLINE.call(&self.shard.client, &input, PATIENCE).await?;
            let pairs = flat.chunks_exact(2);
            found.extend(
                pairs.filter_map(|it| Some((UserId::parse(&it[0]).ok()?, Seen::read(&it[1])))),
            );
            bucket = end;
            if count <= found.len() {
                break;
            }
        }
        Ok((found, (bucket < USER_BUCKETS).then_some(bucket)))
    }
}
