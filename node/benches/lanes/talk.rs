//! Clients that join rooms and talk there.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jsonwebtoken::{EncodingKey, Header, encode, get_current_timestamp};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::CLIENTS;
use crate::clients::{Marks, WEBSOCKET, send, until, upgrade};

/// What tokens are signed with.
pub(crate) const SECRET: &str = "a secret of the bench, long enough for HS256";

/// Who talks with whom, and how much.
pub(crate) struct Talk {
    /// Nodes; those of one room are spread over all.
    pub(crate) nodes: usize,
    /// People in each room.
    pub(crate) room: usize,
    /// Messages a second, in all rooms together.
    pub(crate) a_second: usize,
    /// Messages in all.
    pub(crate) messages: usize,
}

impl Talk {
    /// How often a message is heard by somebody else.
    pub(crate) fn deliveries(&self) -> usize {
        self.messages * (self.room - 1)
    }

    pub(crate) fn arguments(&self) -> [String; 4] {
        [self.nodes, self.room, self.a_second, self.messages].map(|it| it.to_string())
    }

    pub(crate) fn of_arguments(numbers: [&str; 4]) -> Self {
        let [nodes, room, a_second, messages] = numbers.map(|it| it.parse().unwrap());
        Self { nodes, room, a_second, messages }
    }

    /// Opens all connections, says `ready`, waits for a line, talks, and says `done` when
    /// everybody has heard everything.
    pub(crate) fn play(&self, addresses: &[&str]) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let heard = Arc::new(AtomicUsize::new(0));
            let done = Arc::new(Notify::new());
            let (mut voices, mut listeners) = (Vec::new(), JoinSet::new());
            for client in 0..CLIENTS {
                let room = client / self.room;
                let stream = join(addresses[client % self.nodes], client, room).await;
                let (read, write) = stream.into_split();
                let (heard, done) = (Arc::clone(&heard), Arc::clone(&done));
                listeners.spawn(listen(read, heard, done, self.deliveries()));
                voices.push(write);
            }
            say("ready");
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).unwrap();
            self.talk(&mut voices).await;
            done.notified().await;
            say("done");
        });
    }

    async fn talk(&self, voices: &mut [OwnedWriteHalf]) {
        let (rooms, at_once) = (CLIENTS / self.room, (self.a_second / 1_000).max(1));
        let mut ticks = interval(Duration::from_millis(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for message in 0..self.messages {
            if message % at_once == 0 {
                ticks.tick().await;
            }
            let (room, member) = (message % rooms, message / rooms % self.room);
            let content = format!("~{}", "x".repeat(40));
            let event = json!(["message:send", {
                "conversationId": format!("room-{room}"), "content": content,
            }]);
            let packet = format!("42/conversation,{message}{event}");
            send(&mut voices[room * self.room + member], &packet).await;
        }
    }
}

#[expect(clippy::print_stdout, reason = "the process that measures listens")]
fn say(word: &str) {
    println!("{word}");
    std::io::stdout().flush().unwrap();
}

async fn join(address: &str, client: usize, room: usize) -> TcpStream {
    let claims = json!({ "sub": format!("u{client}"), "exp": get_current_timestamp() + 3_600 });
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let token = encode(&Header::default(), &claims, &key).unwrap();
    let mut stream = upgrade(address, WEBSOCKET).await;
    send(&mut stream, &format!("40/conversation,{}", json!({ "token": token }))).await;
    send(&mut stream, &format!("42/conversation,7[\"conversation:join\",\"room-{room}\"]")).await;
    until(&mut stream, b"43/conversation,7[{\"ok\":true").await;
    stream
}

async fn listen(
    mut stream: OwnedReadHalf,
    heard: Arc<AtomicUsize>,
    done: Arc<Notify>,
    deliveries: usize,
) {
    let (mut bytes, mut marks) = ([0; 4096], Marks::default());
    while let Ok(read @ 1..) = stream.read(&mut bytes).await {
        let marks = marks.count(&bytes[..read]);
        if heard.fetch_add(marks, Ordering::Relaxed) + marks == deliveries {
            done.notify_one();
        }
    }
}
