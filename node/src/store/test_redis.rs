//! A Redis of a test's own, with lives of nodes that begin and end as the test wants.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fred::clients::{Client, SubscriberClient};
use fred::interfaces::{ClientLike, EventInterface, HashesInterface, PubsubInterface};
use fred::types::config::Config as FredConfig;
use fred::types::{Builder, Message, RespVersion};
use tokio::sync::broadcast::Receiver;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::domain::id::NodeLife;
use crate::domain::revoked::Revocation;
use crate::store::codec::decode_frame;
use crate::store::config::History;
use crate::store::keys::Keys;
use crate::store::metrics::Metrics;
use crate::store::shard::Shard;
use crate::store::{Arrival, StoreError};

/// Longer than anything that is waited for takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A redis-server on a socket in a folder of its own.
#[derive(Debug)]
pub(crate) struct TestRedis {
    child: Child,
    folder: tempfile::TempDir,
    pub(crate) client: Client,
}

/// What a node's inbox hears.
#[derive(Debug)]
pub(crate) struct Inbox {
    index: u32,
    counters: String,
    client: Client,
    _subscriber: SubscriberClient,
    messages: Receiver<Message>,
    heard: u64,
    /// What was taken back, as far as arrivals were asked for.
    pub(crate) revoked: Vec<Revocation>,
}

impl TestRedis {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--dir"])
            .arg(folder.path())
            .arg("--unixsocket")
            .arg(folder.path().join("redis.sock"))
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let give_up = Instant::now() + PATIENCE;
        let client = loop {
            let client = builder(&folder).build().unwrap();
            match client.init().await {
                Ok(_) => break client,
                Err(error) => assert!(Instant::now() < give_up, "no redis: {error}"),
            }
            sleep(Duration::from_millis(20)).await;
        };
        Self { child, folder, client }
    }

    /// A living node, as operations see it.
    pub(crate) async fn node(&self, prefix: &str, index: u32, incarnation: u64) -> Shard {
        let life = NodeLife { index, incarnation };
        let shard = Shard {
            client: self.client.clone(),
            keys: Keys::new(prefix),
            life: watch::channel(life).1,
            history: History::default(),
            revoked_for: Duration::from_secs(60),
            metrics: Metrics::register(),
            stale: watch::channel(life).0,
        };
        self.set_state(&shard, "live").await;
        shard
    }

    /// The node's lease has ended.
    pub(crate) async fn kill(&self, shard: &Shard) {
        self.set_state(shard, "dead").await;
    }

    async fn set_state(&self, shard: &Shard, state: &str) {
        let row = (shard.present().to_string(), format!("9999999999999 {state} 0 0"));
        let () = self.client.hset(shard.keys.live(), row).await.unwrap();
    }

    /// Hears a node's inbox from now on.
    pub(crate) async fn inbox(&self, keys: &Keys, index: u32) -> Inbox {
        let mut builder = builder(&self.folder);
        builder.with_performance_config(|it| it.broadcast_channel_capacity = 100_000);
        let subscriber = builder.build_subscriber_client().unwrap();
        subscriber.init().await.unwrap();
        let messages = subscriber.message_rx();
        let channel = keys.inbox(index);
        subscriber.subscribe(channel.clone()).await.unwrap();
        // Subscribing answers before Redis has heard of it.
        let give_up = Instant::now() + PATIENCE;
        loop {
            let heard_by: (String, u64) = self.client.pubsub_numsub(channel.clone()).await.unwrap();
            if heard_by.1 == 1 {
                break;
            }
            assert!(Instant::now() < give_up, "not subscribed");
            sleep(Duration::from_millis(5)).await;
        }
        let counters = keys.inbox_counters();
        let client = self.client.clone();
        Inbox {
            index,
            counters,
            client,
            _subscriber: subscriber,
            messages,
            heard: 0,
            revoked: Vec::new(),
        }
    }
}

impl Drop for TestRedis {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Shard {
    /// The life that this node has.
    pub(crate) fn present(&self) -> NodeLife {
        *self.life.borrow()
    }
}

impl Inbox {
    /// All that was published since the last call, in order.
    pub(crate) async fn arrivals(&mut self) -> Vec<Arrival> {
        let index = self.index.to_string();
        let count: Option<u64> = self.client.hget(&self.counters, index).await.unwrap();
        let mut arrivals = Vec::new();
        while self.heard < count.unwrap_or_default() {
            let message = timeout(PATIENCE, self.messages.recv()).await.expect("frames arrive");
            let frame = decode_frame(message.unwrap().value.as_bytes().unwrap()).unwrap();
            assert_eq!(frame.count, self.heard + 1, "a frame is missing");
            self.heard = frame.count;
            arrivals.extend(frame.arrivals);
            self.revoked.extend(frame.revoked);
        }
        arrivals
    }
}

/// Whether the node's life was refused.
pub(crate) fn is_stale<T>(answer: Result<T, StoreError>) -> bool {
    answer.is_err_and(|error| error.message == "this node's life is over")
}

fn builder(folder: &tempfile::TempDir) -> Builder {
    let socket = format!("redis+unix://{}/redis.sock", folder.path().display());
    let mut config = FredConfig::from_url(&socket).unwrap();
    config.version = RespVersion::RESP3;
    Builder::from_config(config)
}
