//! Which topics this node hears, and where they stand.

use std::sync::LazyLock;

use serde_bytes::ByteBuf;

use crate::domain::role::Participant;
use crate::domain::topic::Topic;
use crate::store::log::{decode_all, head_at};
use crate::store::script::{ALLOW_OOM, FENCE, PRELUDE, Script};
use crate::store::{Head, Joined, Stamp, Store, StoreError};

/// Topics in one script call: a few milliseconds of Redis.
const TOPICS_PER_CALL: usize = 500;

const INTEREST: &str = include_str!("../../lua/interest.lua");
const PAGES: &str = include_str!("../../lua/pages.lua");

fn script(name: &'static str, text: &str) -> Script {
    Script::new(name, &[ALLOW_OOM, PRELUDE, FENCE, INTEREST, PAGES, text])
}

static JOIN: LazyLock<Script> = LazyLock::new(|| {
    script(
        "join",
        concat!(include_str!("../../lua/roster.lua"), include_str!("../../lua/join.lua")),
    )
});
static LEAVE: LazyLock<Script> =
    LazyLock::new(|| script("leave", include_str!("../../lua/leave.lua")));
static REASSERT: LazyLock<Script> =
    LazyLock::new(|| script("reassert", include_str!("../../lua/reassert.lua")));
static RESYNC: LazyLock<Script> =
    LazyLock::new(|| script("resync", include_str!("../../lua/resync.lua")));

impl Store {
    /// Begins to hear a topic. `None`: no such room.
    ///
    /// # Errors
    /// Redis did not answer, or the log holds what this release cannot read.
    pub async fn join(&self, topic: &Topic, stamp: Stamp) -> Result<Option<Joined>, StoreError> {
        let keys = &self.shard.keys;
        type Answer = (Vec<u64>, Vec<ByteBuf>, Vec<ByteBuf>);
        let (head, newest, roster): Answer = self
            .shard
            .run(&JOIN, |_, input| {
                input.key(keys.interest(topic));
                if let Topic::Room(room) = topic {
                    input.key(keys.log(room));
                    input.key(keys.roster(room));
                    input.key(keys.redacted(room));
                }
                input.text(kind(topic));
                input.number(stamp.0);
                input.number(self.shard.kept_s());
            })
            .await?;
        let Some(head) = head_in(&head) else { return Ok(None) };
        let newest = match topic {
            Topic::Room(room) => decode_all(room, &newest)?,
            Topic::User(_) => Vec::new(),
        };
        Ok(Some(Joined { head, newest, roster: participants(&roster)? }))
    }

    /// Stops hearing topics; a topic whose stored stamp is higher stays.
    ///
    /// # Errors
    /// Redis did not answer; what was left until then is left.
    pub async fn leave(&self, topics: &[(Topic, Stamp)]) -> Result<(), StoreError> {
        for topics in topics.chunks(TOPICS_PER_CALL) {
            let _left: u64 = self
                .shard
                .run(&LEAVE, |_, input| {
                    for (topic, stamp) in topics {
                        input.key(self.shard.keys.interest(topic));
                        input.text(kind(topic));
                        input.number(stamp.0);
                    }
                })
                .await?;
        }
        Ok(())
    }

    /// Says again that these topics (any number; 500 a call) are heard and answers their heads, in
    /// order; `None`: the room was deleted. A room that Redis has forgotten begins anew.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn reassert(
        &self,
        topics: &[(Topic, Stamp)],
    ) -> Result<Vec<Option<Head>>, StoreError> {
        let mut heads = Vec::with_capacity(topics.len());
        for topics in topics.chunks(TOPICS_PER_CALL) {
            let found: Vec<Vec<u64>> = self
                .shard
                .run(&REASSERT, |_, input| {
                    input.number(self.shard.kept_s());
                    for (topic, stamp) in topics {
                        input.key(self.shard.keys.interest(topic));
                        input.text(kind(topic));
                        input.number(stamp.0);
                    }
                })
                .await?;
            heads.extend(found.iter().map(|head| head_in(head)));
        }
        Ok(heads)
    }

    /// Heads of these topics (any number; 500 a call), in order; `None`: the room was deleted. A
    /// room that Redis has forgotten begins anew.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn resync(&self, topics: &[Topic]) -> Result<Vec<Option<Head>>, StoreError> {
        let mut heads = Vec::with_capacity(topics.len());
        for topics in topics.chunks(TOPICS_PER_CALL) {
            let found: Vec<Vec<u64>> = self
                .shard
                .run(&RESYNC, |_, input| {
                    input.number(self.shard.kept_s());
                    for topic in topics {
                        input.key(self.shard.keys.interest(topic));
                        input.text(kind(topic));
                    }
                })
                .await?;
            heads.extend(found.iter().map(|head| head_in(head)));
        }
        Ok(heads)
    }
}

/// Reads participants as `enter` stored them.
pub(crate) fn participants(stored: &[ByteBuf]) -> Result<Vec<Participant>, StoreError> {
    let read: Result<Vec<_>, _> = stored.iter().map(|it| rmp_serde::from_slice(it)).collect();
    read.map_err(|error| StoreError::refused(format!("a participant is {error}")))
}

fn kind(topic: &Topic) -> &'static str {
    match topic {
        Topic::Room(_) => "r",
        Topic::User(_) => "u",
    }
}

/// Scripts answer a head as three numbers, and none where there is no room.
fn head_in(numbers: &[u64]) -> Option<Head> {
    match numbers {
        &[epoch, seq, nth] => Some(head_at((epoch, seq, nth))),
        _ => None,
    }
}
