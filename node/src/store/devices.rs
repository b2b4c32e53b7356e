//! A user's connections: Redis counts nodes only, so the nodes are asked.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use fred::interfaces::ListInterface;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::domain::id::UserId;
use crate::domain::presence::Device;
use crate::domain::signal::Signal;
use crate::domain::topic::Topic;
use crate::store::script::{ALLOW_OOM, Failure, Input, Script};
use crate::store::shard::PATIENCE;
use crate::store::{Store, StoreError};

/// How long nodes have for their answers.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);

/// Pauses between looks grow from here …
const PAUSE_MIN: Duration = Duration::from_millis(2);
/// … to here.
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// How long answers are kept.
const KEPT_S: u64 = 10;

static ANSWER: LazyLock<Script> =
    LazyLock::new(|| Script::new("answer", &[ALLOW_OOM, include_str!("../../lua/answer.lua")]));

impl Store {
    /// The user's connections on all nodes, at most [`crate::domain::presence::DEVICES_MAX`] of
    /// each; and whether every node that has any has answered within a second.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn devices(&self, user: &UserId) -> Result<(Vec<Device>, bool), StoreError> {
        let nodes = self.user_seen(user).await?.nodes;
        if nodes == 0 {
            return Ok((Vec::new(), true));
        }
        let question = Uuid::new_v4();
        self.signal(Topic::User(user.clone()), Signal::Asked { question });
        let (key, give_up) = (self.shard.keys.answers(question), Instant::now() + ANSWERED_WITHIN);
        let mut pause = PAUSE_MIN;
        loop {
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
            let answers: Vec<Bytes> =
                self.shard.client.lrange(&key, 0, -1).await.map_err(Failure::from)?;
            let is_whole = nodes <= answers.len() as u64;
            if is_whole || give_up <= Instant::now() {
                let read = |it: &Bytes| rmp_serde::from_slice::<Vec<Device>>(it);
                let read: Result<Vec<_>, _> = answers.iter().map(read).collect();
                let devices = read.map_err(|error| {
                    StoreError::refused(format!("a node told its connections wrongly: {error}"))
                })?;
                return Ok((devices.into_iter().flatten().collect(), is_whole));
            }
        }
    }

    /// Tells this node's part of the answer to [`Signal::Asked`].
    ///
    /// # Errors
    /// Redis did not take it.
    pub async fn answer(&self, question: Uuid, devices: &[Device]) -> Result<(), StoreError> {
        let devices = rmp_serde::to_vec_named(devices);
        let devices = devices.map_err(|error| StoreError::refused(error.to_string()))?;
        let mut input = Input::default();
        input.key(self.shard.keys.answers(question));
        input.number(KEPT_S);
        input.bytes(&devices);
        Ok(ANSWER.call(&self.shard.client, &input, PATIENCE).await?)
    }
}
