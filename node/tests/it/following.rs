//! An application that follows the feed ends with exactly the log, whatever dies meanwhile.

use std::pin::Pin;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::harness::SOON;
use crate::harness::api::Api;
use crate::harness::client::Client;
use crate::harness::cluster::{Cluster, Plan};

const ROOMS: [&str; 2] = ["r", "s"];

async fn started() -> Cluster {
    let cluster = Plan::nodes(2).proxied().durable().unlimited().with_api().start().await;
    for room in ROOMS {
        let made = json!({ "id": room, "visibility": "public" });
        cluster.api(0).ok("POST", "/v1/rooms", made).await;
    }
    cluster
}

async fn writer(cluster: &Cluster, node: usize) -> Client {
    let mut client = cluster.connect(node, "ann").await;
    for room in ROOMS {
        client.ok("conversation:join", json!(room)).await;
    }
    client
}

/// Writes until it is told to stop or its connection ends, each message until it is stored. Answers
/// the ids of those that were acknowledged.
async fn write(mut client: Client, name: &str, stop: watch::Receiver<bool>) -> Vec<String> {
    let mut stored = Vec::new();
    for n in 0.. {
        let text = format!("{name}-{n}");
        let send = json!({ "conversationId": ROOMS[n % 2], "content": text,
            "clientMessageId": text });
        loop {
            if *stop.borrow() {
                return stored;
            }
            let asked = client.ask("message:send", send.clone()).await;
            let is_over =
                |it: &crate::harness::journal::Journal| it.ended || it.ack(asked).is_some();
            client.wait("a message is answered, or its node dies", SOON, is_over).await;
            let Some(answer) = client.look(|it| it.ack(asked).map(|it| it.1.clone())) else {
                return stored;
            };
            if answer["ok"] == json!(true) {
                stored.push(answer["id"].as_str().unwrap().to_owned());
                break;
            }
            // Redis is away: nothing else refuses these.
            let error = &answer["error"]["code"];
            assert!(["SERVER_ERROR", "BUSY"].contains(&error.as_str().unwrap()), "{answer}");
            sleep(Duration::from_millis(50)).await;
        }
    }
    stored
}

/// A copy of all messages, in the order of the feed.
#[derive(Default)]
struct Copy {
    cursor: Option<String>,
    messages: Vec<(String, String)>,
    /// How often the feed did not reach back to the copy, which then began anew.
    begun_anew: usize,
}

impl Copy {
    /// Takes a page; `false`: there was nothing new.
    async fn follow(&mut self, api: &Api) -> bool {
        let at = self.cursor.as_ref().map_or_else(String::new, |it| format!("?cursor={it}"));
        match api.try_get(&format!("/v1/feed{at}")).await {
            (200, page) => {
                let entries = page["entries"].as_array().unwrap();
                let told = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
                let messages = entries.iter().filter(|it| it["kind"] == "message");
                let messages = messages.map(|it| (told(it, "room"), told(&it["message"], "id")));
                self.messages.extend(messages);
                let cursor = told(&page, "cursor");
                let is_new = self.cursor.as_ref() != Some(&cursor);
                self.cursor = Some(cursor);
                is_new
            }
            (410, problem) => {
                assert_eq!(problem["error"]["code"], "FEED_CUT");
                *self = Self { begun_anew: self.begun_anew + 1, ..Self::default() };
                true
            }
            (503, _) => {
                sleep(Duration::from_millis(100)).await;
                true
            }
            other => panic!("the feed was answered {other:?}"),
        }
    }

    /// Follows until all is written and read.
    async fn follow_while<T>(
        &mut self,
        api: &Api,
        mut writing: Pin<Box<impl Future<Output = T>>>,
    ) -> T {
        let written = loop {
            tokio::select! {
                written = &mut writing => break written,
                is_new = self.follow(api) => if !is_new {
                    tokio::select! {
                        written = &mut writing => break written,
                        () = sleep(Duration::from_millis(20)) => (),
                    }
                },
            }
        };
        while self.follow(api).await {}
        written
    }

    fn of(&self, room: &str) -> Vec<&str> {
        let of_room = self.messages.iter().filter(|(it, _)| it == room);
        of_room.map(|(_, id)| id.as_str()).collect()
    }
}

/// What the room's log has, oldest first.
async fn log_of(api: &Api, room: &str) -> Vec<String> {
    let (mut path, mut ids) = (format!("/v1/rooms/{room}/messages?limit=100"), Vec::new());
    loop {
        let page = api.ok("GET", &path, Value::Null).await;
        let found = page["messages"].as_array().unwrap().iter();
        ids.splice(0..0, found.map(|it| it["id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["nextCursor"].as_str() else { return ids };
        path = format!("/v1/rooms/{room}/messages?limit=100&cursor={cursor}");
    }
}

/// The copy is the log, no more and no less; and it has all these.
async fn check(copy: &Copy, api: &Api, acknowledged: &[String]) {
    let mut all = Vec::new();
    for room in ROOMS {
        let log = log_of(api, room).await;
        assert_eq!(copy.of(room), log, "room {room}");
        all.extend(log);
    }
    let lost: Vec<_> = acknowledged.iter().filter(|it| !all.contains(it)).collect();
    assert!(lost.is_empty(), "{lost:?} were acknowledged");
    assert!(10 < acknowledged.len(), "there was load: {}", acknowledged.len());
}

#[tokio::test]
async fn the_feed_is_followed_through_a_nodes_death_and_a_restart_of_redis() {
    let mut cluster = started().await;
    let (stop, stopped) = watch::channel(false);
    let (stays, dies) = (writer(&cluster, 1).await, writer(&cluster, 0).await);
    let (api, mut copy) = (cluster.api(1), Copy::default());
    let disaster = async {
        sleep(Duration::from_millis(500)).await; // under load
        cluster.signal(0, Signal::KILL);
        cluster.exited(0, SOON).await;
        sleep(Duration::from_millis(500)).await;
        cluster.redis.die().await;
        cluster.redis.return_durable().await;
        cluster.restart(0).await;
        let late = writer(&cluster, 0).await;
        let late = write(late, "late", stopped.clone());
        let pause = async {
            sleep(Duration::from_millis(500)).await;
            stop.send_replace(true);
        };
        tokio::join!(late, pause).0
    };
    let writing = Box::pin(async {
        let stays = write(stays, "stays", stopped.clone());
        tokio::join!(stays, write(dies, "dies", stopped.clone()), disaster)
    });
    let (stayed, died, late) = copy.follow_while(&api, writing).await;
    check(&copy, &api, &[stayed, died, late].concat()).await;
    assert_eq!(copy.begun_anew, 0, "nothing was lost, so nothing is read twice");
}

#[tokio::test]
async fn the_feed_is_followed_through_a_failover_to_a_replica() {
    let mut cluster = started().await;
    let (stop, stopped) = watch::channel(false);
    let clients = [writer(&cluster, 0).await, writer(&cluster, 1).await];
    let (api, mut copy) = (cluster.api(1), Copy::default());
    let replica = cluster.redis.replica().await;
    let disaster = async {
        sleep(Duration::from_millis(500)).await; // under load
        cluster.redis.die().await;
        assert!(replica.ask("REPLICAOF NO ONE").await.starts_with("+OK"));
        for node in [0, 1] {
            cluster.proxy(node).lead_to(replica.socket());
        }
        crate::harness::until("nodes have found the new primary", SOON, async || {
            let answer = cluster.api(0).try_get("/v1/rooms").await;
            answer.0 == 200 && cluster.get(0, "/api/socket/health").await.0 == 200
        })
        .await;
        // What is acknowledged from here on is in the log that stays.
        let after = write(writer(&cluster, 0).await, "after", stopped.clone());
        let pause = async {
            sleep(Duration::from_millis(1_000)).await;
            stop.send_replace(true);
        };
        tokio::join!(after, pause).0
    };
    let [one, two] = clients;
    let writing = Box::pin(async {
        let one = write(one, "one", stopped.clone());
        tokio::join!(one, write(two, "two", stopped.clone()), disaster)
    });
    let (_, _, after) = copy.follow_while(&api, writing).await;
    check(&copy, &api, &after).await;
}
