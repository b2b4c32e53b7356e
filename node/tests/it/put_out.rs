//! Whoever may not hear any more hears nothing that is written a second after the application was
//! answered: on any node, in any transport, under load, and also after a resume.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::harness::SOON;
use crate::harness::client::Client;
use crate::harness::cluster::{Cluster, Plan};
use crate::harness::journal::{Journal, Standing};
use crate::harness::token::{in_seconds, sign};

/// The promise.
const PROMISED: Duration = Duration::from_secs(1);

/// Writes and hears as fast as it can, in the room that is watched, whatever is answered.
async fn load(mut client: Client) {
    let send = json!({ "conversationId": "r", "content": "load" });
    loop {
        let asked: Vec<_> = (0..20).map(|_| client.asking("message:send", &send)).collect();
        let last = asked[19].0;
        client.send(asked.into_iter().map(|(_, packet)| packet).collect()).await;
        client.answer(last).await;
    }
}

/// What the application does to Eve.
struct Fate {
    what: &'static str,
    ask: (&'static str, &'static str, Value),
    /// All her connections end; else only the room is lost.
    ends: bool,
    /// What she is told when she comes back; `None`: she may.
    code: Option<&'static str>,
}

fn fates() -> Vec<Fate> {
    let fate = |what, ask, ends, code| Fate { what, ask, ends, code };
    let (denied, gone, unknown) = ("ACCESS_DENIED", "ROOM_NOT_FOUND", "AUTH_REQUIRED");
    let remove = ("DELETE", "/v1/rooms/r/members/eve", Value::Null);
    let transfer = ("POST", "/v1/rooms/r/transfer", json!({ "from": "eve", "to": "w-0" }));
    let revoke = ("DELETE", "/v1/users/eve/tokens", Value::Null);
    vec![
        fate("removed", remove, false, Some(denied)),
        fate("replaced", transfer, false, Some(denied)),
        fate("banned", ("PUT", "/v1/rooms/r/bans/eve", json!({})), false, Some(denied)),
        fate("deleted", ("DELETE", "/v1/rooms/r", Value::Null), false, Some(gone)),
        fate("banned everywhere", ("PUT", "/v1/users/eve/ban", json!({})), true, Some(denied)),
        fate("revoked", revoke, true, Some(unknown)),
        fate("revoked by id", ("DELETE", "/v1/tokens/t-1", Value::Null), true, Some(unknown)),
        fate("put out", ("POST", "/v1/users/eve/disconnect", Value::Null), true, None),
    ]
}

/// Eve's token: older than any revocation.
fn eve() -> Value {
    let times = (in_seconds(-5), in_seconds(3_600));
    json!({ "token": sign(&json!({ "sub": "eve", "jti": "t-1", "iat": times.0, "exp": times.1 })) })
}

/// Eve's connections, and the place at which she came in.
struct Eve {
    clients: Vec<Client>,
    position: Value,
}

async fn started() -> (Cluster, Vec<Client>, Eve) {
    let cluster = Plan::nodes(2).unlimited().with_api().start().await;
    let api = cluster.api(0);
    let writers: Vec<String> = (0..6).map(|n| format!("w-{n}")).collect();
    let made = json!({ "id": "r", "members": writers, "agents": ["eve"] });
    api.ok("POST", "/v1/rooms", made).await;
    let made = json!({ "id": "elsewhere", "members": ["w-0", "eve"] });
    api.ok("POST", "/v1/rooms", made).await;
    let mut clients = Vec::new();
    for (n, writer) in writers.iter().enumerate() {
        clients.push(cluster.join(n % 2, writer, "r").await);
    }
    clients[0].ok("conversation:join", json!("elsewhere")).await;
    let mut eve_is = Eve { clients: Vec::new(), position: Value::Null };
    for dial in [cluster.dial(0), cluster.dial(1), cluster.dial(1).polling()] {
        let mut client = dial.auth(eve()).connect().await;
        eve_is.position = client.ok("conversation:join", json!("r")).await["position"].clone();
        client.ok("conversation:join", json!("elsewhere")).await;
        eve_is.clients.push(client);
    }
    (cluster, clients, eve_is)
}

/// Carries the fate out while others write, and checks what is heard a second later.
async fn check(fate: &Fate) {
    let (cluster, mut writers, mut eve) = started().await;
    let (mut writer, witness) = (writers.remove(0), writers.remove(0));
    let scene = async {
        for client in &mut eve.clients {
            client.expect_many("message:new", 50, SOON).await; // she is in the midst of it
        }
        let (method, path, body) = &fate.ask;
        cluster.api(1).ok(method, path, body.clone()).await;
        sleep(PROMISED).await;
        if fate.code != Some("ROOM_NOT_FOUND") {
            writer.say("r", "too late for eve").await;
            witness.wait("the others hear it", SOON, |it| has(it, "too late for eve")).await;
        }
        // A later marker on the same path, if there is one.
        writer.say("elsewhere", "marker").await;
        for client in &eve.clients {
            let settled = |it: &Journal| if fate.ends { is_out(it) } else { has(it, "marker") };
            client.wait(fate.what, SOON, settled).await;
        }
    };
    tokio::select! {
        _ = join_all(writers.into_iter().map(load)) => unreachable!("load never ends"),
        () = scene => (),
    }
    for client in &eve.clients {
        assert!(!client.look(|it| has(it, "too late for eve")), "{}", fate.what);
    }
    comes_back(&cluster, fate, &eve.position).await;
}

fn has(journal: &Journal, text: &str) -> bool {
    journal.named("message:new").any(|it| it["content"] == text)
}

fn is_out(journal: &Journal) -> bool {
    journal.ended || journal.standing == Standing::Disconnected
}

/// Coming back to the place where she was brings nothing either.
async fn comes_back(cluster: &Cluster, fate: &Fate, position: &Value) {
    let since = json!({ "conversationId": "r", "since": position });
    for node in [0, 1] {
        match cluster.dial(node).auth(eve()).try_connect().await {
            Err(why) => assert_eq!(why["data"]["code"].as_str(), fate.code, "{}", fate.what),
            Ok(mut back) if fate.code.is_none() => {
                back.ok("conversation:join", since.clone()).await;
            }
            Ok(back) if fate.ends => {
                back.wait(fate.what, SOON, is_out).await;
                assert_eq!(back.heard("message:new"), [Value::Null; 0], "{}", fate.what);
            }
            Ok(mut back) => {
                let error = back.refused("conversation:join", since.clone()).await;
                assert_eq!(error["code"].as_str(), fate.code, "{}", fate.what);
                back.ok("conversation:join", json!("elsewhere")).await;
                assert_eq!(back.heard("message:new"), [Value::Null; 0], "{}", fate.what);
            }
        }
    }
}

#[tokio::test]
async fn who_loses_a_room_hears_nothing_of_it_a_second_later() {
    for fate in fates().iter().filter(|it| !it.ends) {
        check(fate).await;
    }
}

#[tokio::test]
async fn who_is_put_out_of_everything_hears_nothing_a_second_later() {
    for fate in fates().iter().filter(|it| it.ends) {
        check(fate).await;
    }
}
