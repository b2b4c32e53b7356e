//! A user's connections, as the application is told of them.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::api::Api;
use crate::harness::cluster::Plan;
use crate::harness::{SOON, until};

const PATH: &str = "/v1/users/ann/connections";

/// The user's connections once they are so many: node and dialects of each.
async fn connections(api: &Api, count: usize) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    until(&format!("{count} connections are told"), SOON, async || {
        let told = api.ok("GET", PATH, Value::Null).await;
        found = told["connections"].as_array().unwrap().clone();
        found.len() == count && told["complete"] == json!(true)
    })
    .await;
    assert!(found.iter().all(|it| it["since"].is_string() && it["id"].is_string()), "{found:?}");
    let short = |it: &Value| (it["node"].as_str().unwrap().to_owned(), it["dialects"].clone());
    let mut short: Vec<_> = found.iter().map(short).collect();
    short.sort_by_key(|it| format!("{it:?}"));
    short
}

#[tokio::test]
async fn a_users_connections_are_told_wherever_they_are() {
    let cluster = Plan::nodes(2).with_api().start().await;
    let api = cluster.api(0);
    assert_eq!(connections(&api, 0).await, []);
    let one = cluster.connect(0, "ann").await;
    let two = cluster.dial(1).namespace("/ticket").user("ann").connect().await;
    let three = cluster.dial(1).user("ann").polling().connect().await;
    let _other = cluster.connect(1, "bob").await;
    let nodes = ["/api/status"; 2].iter().enumerate().map(|(node, path)| cluster.get(node, path));
    let nodes = futures_util::future::join_all(nodes).await;
    let name = |node: usize| nodes[node].1["node"].as_str().unwrap().to_owned();
    let mut expected = vec![
        (name(0), json!(["conversation"])),
        (name(1), json!(["conversation"])),
        (name(1), json!(["ticket"])),
    ];
    expected.sort_by_key(|it| format!("{it:?}"));
    assert_eq!(connections(&api, 3).await, expected);
    assert_eq!(connections(&cluster.api(1), 3).await, expected);

    two.disconnect().await;
    connections(&api, 2).await;

    // A node that does not answer is not waited for, and that is told.
    cluster.signal(1, Signal::STOP);
    let mut told = Value::Null;
    until("the other node's connection is told alone", SOON, async || {
        told = api.ok("GET", PATH, Value::Null).await;
        told["complete"] == json!(false) && told["connections"].as_array().unwrap().len() == 1
    })
    .await;
    cluster.signal(1, Signal::CONT);
    assert_eq!(told["connections"][0]["node"], json!(name(0)));

    // What is told of a connection opens nothing.
    let id = told["connections"][0]["id"].as_str().unwrap();
    let (status, _) =
        cluster.get(0, &format!("/socket.io/?EIO=4&transport=polling&sid={id}")).await;
    assert_eq!(status, 400);
    one.disconnect().await;
    // With a word: a polling client that is just gone counts until it has missed its pings.
    three.disconnect().await;
    connections(&api, 0).await;
}
