//! A Redis of the test's own, and nodes' stores in front of it.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::{Builder, ClusterHash, CustomCommand, FromValue, RespVersion};
use parlance::domain::event::{Event, SharedEntry};
use parlance::domain::id::{ClientMessageId, ConnId, RoomId, UserId};
use parlance::domain::message::Message;
use parlance::domain::role::{Participant, Role};
use parlance::lifecycle::Lifecycle;
use parlance::secret::Secret;
use parlance::store::config::Config;
use parlance::store::{Append, Arrival, Arrivals, Store, connect};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

/// Longer than anything that is waited for takes, also on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A redis-server on a socket in a folder of its own.
#[derive(Debug)]
pub struct Redis {
    child: Child,
    folder: tempfile::TempDir,
    /// For looking behind the store's back.
    pub raw: Client,
}

impl Redis {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub async fn start_with(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--dir"])
            .arg(folder.path())
            .arg("--unixsocket")
            .arg(folder.path().join("redis.sock"))
            .args(options)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let socket = format!("redis+unix://{}/redis.sock", folder.path().display());
        let give_up = Instant::now() + PATIENCE;
        let raw = loop {
            let mut config = fred::types::config::Config::from_url(&socket).unwrap();
            config.version = RespVersion::RESP3;
            let client = Builder::from_config(config).build().unwrap();
            match client.init().await {
                Ok(_) => break client,
                Err(error) => assert!(Instant::now() < give_up, "no redis: {error}"),
            }
            sleep(Duration::from_millis(20)).await;
        };
        Self { child, folder, raw }
    }

    pub fn config(&self) -> Config {
        let socket = self.folder.path().join("redis.sock");
        let url = Some(Secret::new(format!("unix://{}", socket.display())));
        Config { url, ..Config::default() }
    }

    /// Any command, its words separated by spaces.
    pub async fn ask<T: FromValue>(&self, command: &str) -> T {
        let mut words = command.split(' ').map(str::to_owned);
        let name = words.next().unwrap();
        let command = CustomCommand::new(name, ClusterHash::FirstKey, false);
        self.raw.custom(command, words.collect::<Vec<_>>()).await.unwrap()
    }

    /// Name of the room's key that ends in `what`.
    pub async fn key_of(&self, room: &RoomId, what: &str) -> String {
        let found: Vec<String> = self.ask(&format!("KEYS parlance:*:r:{room}:{what}")).await;
        found.into_iter().next().expect("the room has such a key")
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may be stopped by a signal; a kill ends it all the same.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// One node's store and what it would tell its hub.
#[derive(Debug)]
pub struct Node {
    pub store: Store,
    pub mail: mpsc::Receiver<Vec<Arrival>>,
    pub resync: watch::Receiver<u64>,
    pub lifecycle: Lifecycle,
}

impl Node {
    pub async fn start(redis: &Redis) -> Self {
        Self::start_with(&redis.config()).await
    }

    pub async fn start_with(config: &Config) -> Self {
        let (keeper, mail) = mpsc::channel(10_000);
        let (resync_sender, resync) = watch::channel(0);
        let arrivals = Arrivals { keepers: Arc::from([keeper]), resync: resync_sender };
        let lifecycle = Lifecycle::default();
        let store = timeout(PATIENCE, connect(config, arrivals, lifecycle.clone()))
            .await
            .expect("connects in time")
            .expect("connects");
        Self { store, mail, resync, lifecycle }
    }

    /// The next entries of any room, as many as asked for.
    pub async fn entries(&mut self, count: usize) -> Vec<SharedEntry> {
        let mut entries = Vec::new();
        while entries.len() < count {
            let mail = timeout(PATIENCE, self.mail.recv()).await.expect("entries arrive").unwrap();
            for arrival in mail {
                if let Arrival::Entry(entry) = arrival {
                    entries.push(entry);
                }
            }
        }
        entries
    }

    /// Waits until the store has asked for a comparison of all topics since `before`.
    pub async fn resynced(&mut self, before: u64) {
        let mut resync = self.resync.clone();
        timeout(PATIENCE, resync.wait_for(|times| before < *times)).await.unwrap().unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.lifecycle.stop_hard();
    }
}

pub fn room(name: &str) -> RoomId {
    RoomId::parse(name).unwrap()
}

pub fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

pub fn participant(name: &str) -> Participant {
    Participant { id: user(name), name: name.to_owned(), role: Role::User }
}

/// A message of `sender`; `name` is its `clientMessageId`.
pub fn message(room: &RoomId, sender: &str, name: Option<&str>, text: &str) -> Append {
    let client_message_id = name.map(|name| ClientMessageId::parse(name).unwrap());
    Append {
        room: room.clone(),
        sender: Some(user(sender)),
        client_message_id: client_message_id.clone(),
        origin: Some((ConnId(1), None)),
        event: Event::MessagePosted(Message {
            sender: participant(sender),
            text: text.to_owned(),
            kind: "text".to_owned(),
            client_message_id,
        }),
    }
}

pub fn event(room: &RoomId, event: Event) -> Append {
    Append { room: room.clone(), sender: None, client_message_id: None, origin: None, event }
}

/// The text of a message's entry.
pub fn text(entry: &SharedEntry) -> &str {
    match &entry.event {
        Event::MessagePosted(message) => &message.text,
        other => panic!("no message: {other:?}"),
    }
}
