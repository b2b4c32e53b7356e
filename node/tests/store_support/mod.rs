//! A Redis of the test's own, and nodes' stores in front of it.

pub(crate) mod load;
pub(crate) mod proxy;
pub(crate) mod replicated;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::ClientLike;
use fred::types::{Builder, ClusterHash, CustomCommand, FromValue, RespVersion, Value};
use parlance::domain::event::{Event, SharedEntry};
use parlance::domain::id::{ClientMessageId, ConnId, NodeLife, RoomId, UserId};
use parlance::domain::message::Message;
use parlance::domain::role::{Participant, Role};
use parlance::domain::signal::Signal;
use parlance::domain::topic::Topic;
use parlance::lifecycle::Lifecycle;
use parlance::secret::Secret;
use parlance::store::config::Config;
use parlance::store::{Append, Arrival, Arrivals, Health, Store, connect};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

/// Longer than anything that is waited for takes, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A redis-server on a socket in a folder of its own.
#[derive(Debug)]
pub(crate) struct Redis {
    child: Child,
    folder: tempfile::TempDir,
    options: Vec<String>,
    /// For looking behind the store's back.
    pub(crate) raw: Client,
}

fn serve(folder: &tempfile::TempDir, options: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--port", "0", "--save", "", "--dir"])
        .arg(folder.path())
        .arg("--unixsocket")
        .arg(folder.path().join("redis.sock"))
        .args(options)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed")
}

async fn reach(folder: &tempfile::TempDir) -> Client {
    let socket = format!("redis+unix://{}/redis.sock", folder.path().display());
    let give_up = Instant::now() + PATIENCE;
    loop {
        let mut config = fred::types::config::Config::from_url(&socket).unwrap();
        config.version = RespVersion::RESP3;
        let client = Builder::from_config(config).build().unwrap();
        match client.init().await {
            Ok(_) => return client,
            Err(error) => assert!(Instant::now() < give_up, "no redis: {error}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

impl Redis {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        let child = serve(&folder, &options);
        let raw = reach(&folder).await;
        Self { child, folder, options, raw }
    }

    /// Kills the server and starts it again in the same folder.
    pub(crate) async fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = serve(&self.folder, &self.options);
        self.raw = reach(&self.folder).await;
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    pub(crate) fn config(&self) -> Config {
        self.config_with(&self.socket().display().to_string())
    }

    /// A configuration whose address is `unix://` and this.
    pub(crate) fn config_with(&self, address: &str) -> Config {
        config_of(format!("unix://{address}"))
    }

    /// Any command, its words separated by spaces.
    pub(crate) async fn ask<T: FromValue>(&self, command: &str) -> T {
        let mut words = command.split(' ').map(|word| word.as_bytes().to_vec());
        let name = String::from_utf8(words.next().unwrap()).unwrap();
        self.ask_words(&name, words.collect()).await.unwrap().convert().unwrap()
    }

    /// Any command, its words being any bytes.
    pub(crate) async fn ask_words(&self, name: &str, words: Vec<Vec<u8>>) -> Result<Value, Error> {
        let command = CustomCommand::new(name.to_owned(), ClusterHash::FirstKey, false);
        let words: Vec<Value> = words.iter().map(|word| Value::from(&word[..])).collect();
        self.raw.custom(command, words).await
    }

    /// Marks a life dead, as a beat does when its lease has ended.
    pub(crate) async fn kill_life(&self, life: NodeLife) {
        let words = ["parlance:{18}:live", &life.to_string(), "0 dead 0 0"];
        let words = words.map(|word| word.as_bytes().to_vec()).to_vec();
        self.ask_words("HSET", words).await.unwrap();
    }

    /// Name of the room's key that ends in `what`.
    pub(crate) async fn key_of(&self, room: &RoomId, what: &str) -> String {
        let found: Vec<String> = self.ask(&format!("KEYS parlance:*:r:{room}:{what}")).await;
        found.into_iter().next().expect("the room has such a key")
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }
}

/// The calls of scripts that Redis is asked for, as they were written.
#[derive(Debug)]
pub(crate) struct Monitor(tokio::io::Lines<BufReader<UnixStream>>);

impl Monitor {
    pub(crate) async fn start(redis: &Redis) -> Self {
        let mut stream = UnixStream::connect(redis.socket()).await.unwrap();
        stream.write_all(b"MONITOR\r\n").await.unwrap();
        let mut lines = BufReader::new(stream).lines();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "+OK");
        Self(lines)
    }

    /// The words of the next script call that has `word` in it.
    pub(crate) async fn call_with(&mut self, word: &str) -> Vec<Vec<u8>> {
        loop {
            let line = timeout(PATIENCE, self.0.next_line()).await.unwrap().unwrap().unwrap();
            let words = line.split_once("] ").unwrap().1;
            if words.to_lowercase().starts_with("\"evalsha\"") && words.contains(word) {
                return words_of(words);
            }
        }
    }
}

/// Quoted words, with the escapes that Redis writes.
fn words_of(line: &str) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut bytes = line.bytes();
    while let Some(quote) = bytes.next() {
        assert_eq!(quote, b'"');
        let mut word = Vec::new();
        loop {
            match bytes.next().unwrap() {
                b'"' => break,
                b'\\' => word.push(match bytes.next().unwrap() {
                    b'x' => {
                        let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                        u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                    }
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'a' => 7,
                    b'b' => 8,
                    other => other,
                }),
                byte => word.push(byte),
            }
        }
        words.push(word);
        bytes.next();
    }
    words
}

pub(crate) fn config_of(url: String) -> Config {
    Config { url: Some(Secret::new(url)), ..Config::default() }
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
pub(crate) struct Node {
    pub(crate) store: Store,
    pub(crate) mail: mpsc::Receiver<Vec<Arrival>>,
    pub(crate) resync: watch::Receiver<u64>,
    pub(crate) lifecycle: Lifecycle,
}

impl Node {
    pub(crate) async fn start(redis: &Redis) -> Self {
        Self::start_with(&redis.config()).await
    }

    pub(crate) async fn start_with(config: &Config) -> Self {
        Self::start_with_mailbox(config, 10_000).await
    }

    pub(crate) async fn start_with_mailbox(config: &Config, mails_max: usize) -> Self {
        let (keeper, mail) = mpsc::channel(mails_max);
        let (resync_sender, resync) = watch::channel(0);
        let arrivals = Arrivals {
            keepers: Arc::from([keeper]),
            resync: resync_sender,
            revoked: mpsc::channel(100).0,
        };
        let lifecycle = Lifecycle::default();
        let store = timeout(PATIENCE, connect(config, arrivals, lifecycle.clone()))
            .await
            .expect("connects in time")
            .expect("connects");
        Self { store, mail, resync, lifecycle }
    }

    /// The next entries of any room, as many as asked for.
    pub(crate) async fn entries(&mut self, count: usize) -> Vec<SharedEntry> {
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

    /// The next signals of any topic, as many as asked for.
    pub(crate) async fn signals(&mut self, count: usize) -> Vec<(Topic, Signal)> {
        let mut signals = Vec::new();
        while signals.len() < count {
            let mail = timeout(PATIENCE, self.mail.recv()).await.expect("signals arrive").unwrap();
            for arrival in mail {
                if let Arrival::Signal(topic, signal) = arrival {
                    signals.push((topic, signal));
                }
            }
        }
        signals
    }

    /// Waits for a life of the store above `before`.
    pub(crate) async fn life_after(&self, before: NodeLife) -> NodeLife {
        let mut life = self.store.life();
        let found = timeout(PATIENCE, life.wait_for(|life| before < *life)).await.unwrap();
        *found.unwrap()
    }

    /// Waits until beats come back, or do not.
    pub(crate) async fn is(&self, wanted: Health) {
        let mut health = self.store.health();
        timeout(PATIENCE, health.wait_for(|health| *health == wanted)).await.unwrap().unwrap();
    }

    /// Waits until the store has asked for a comparison of all topics since `before`.
    pub(crate) async fn resynced(&mut self, before: u64) {
        let mut resync = self.resync.clone();
        timeout(PATIENCE, resync.wait_for(|times| before < *times)).await.unwrap().unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.lifecycle.stop_hard();
    }
}

pub(crate) fn room(name: &str) -> RoomId {
    RoomId::parse(name).unwrap()
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

pub(crate) fn participant(name: &str) -> Participant {
    Participant { id: user(name), name: name.to_owned(), role: Role::User, full_name: None }
}

/// A message of `sender`; `name` is its `clientMessageId`.
pub(crate) fn message(room: &RoomId, sender: &str, name: Option<&str>, text: &str) -> Append {
    let client_message_id = name.map(|name| ClientMessageId::parse(name).unwrap());
    Append {
        room: room.clone(),
        sender: Some(user(sender)),
        client_message_id: client_message_id.clone(),
        origin: Some((ConnId(1), None)),
        trace: None,
        event: Event::MessagePosted(Message {
            sender: participant(sender),
            text: text.to_owned(),
            kind: "text".to_owned(),
            client_message_id,
            attachments: Vec::new(),
        }),
        redacts: None,
    }
}

pub(crate) fn event(room: &RoomId, event: Event) -> Append {
    Append::of_application(room, event)
}

/// The text of a message's entry.
pub(crate) fn text(entry: &SharedEntry) -> &str {
    let Event::MessagePosted(message) = &entry.event else { panic!("no message: {entry:?}") };
    &message.text
}
