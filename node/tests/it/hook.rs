//! The application is asked who may be in a room, and what it said counts until it changes something.

use serde_json::{Value, json};

use crate::harness::application::Application;
use crate::harness::client::Client;
use crate::harness::cluster::{Cluster, Plan};
use crate::harness::token::{in_seconds, sign};
use crate::harness::{SOON, until};

async fn asking(application: &Application, yes_seconds: &str) -> Cluster {
    let plan = Plan::nodes(2).with_api().with("PARLANCE_ACCESS__URL", application.url());
    let plan = plan.with("PARLANCE_ACCESS__YES_SECONDS", yes_seconds);
    let cluster = plan.with("PARLANCE_ACCESS__NO_SECONDS", "0").start().await;
    cluster.api(0).ok("POST", "/v1/rooms", json!({ "id": "r" })).await;
    cluster
}

/// A user's connection with a token of its own, issued so many seconds ago.
async fn connect(cluster: &Cluster, node: usize, user: &str, seconds_ago: i64) -> Client {
    let claims = json!({ "sub": user, "iat": in_seconds(-seconds_ago), "exp": in_seconds(3_600) });
    cluster.dial(node).auth(json!({ "token": sign(&claims) })).connect().await
}

/// Comes in and goes out again, so that the next join asks anew.
async fn comes_in(client: &mut Client) {
    client.ok("conversation:join", json!("r")).await;
    client.ok("conversation:leave", json!("r")).await;
}

async fn is_kept_out(client: &mut Client) {
    let refused = client.refused("conversation:join", json!("r")).await;
    assert_eq!(refused["code"], "ACCESS_DENIED");
}

#[tokio::test]
async fn a_kept_yes_counts_until_the_application_changes_the_room_on_every_node() {
    let application = Application::start().await;
    let cluster = asking(&application, "600").await;
    let api = cluster.api(0);
    let mut anns = [connect(&cluster, 0, "ann", 9).await, connect(&cluster, 1, "ann", 9).await];
    for ann in &mut anns {
        comes_in(ann).await;
        comes_in(ann).await;
    }
    assert_eq!(application.asked(), 2, "each node once");
    let user = json!({ "id": "ann", "name": "ann", "role": "user", "departments": [] });
    assert_eq!(application.last(), json!({ "user": user, "room": "r" }));
    application.says(false);
    for ann in &mut anns {
        comes_in(ann).await;
    }
    // Also who belongs to it, and also where that is about somebody else.
    let metadata = ("PATCH", "/v1/rooms/r", json!({ "metadata": { "plan": "gold" } }));
    let member = ("PUT", "/v1/rooms/r/members/bob", json!({ "role": "member" }));
    for (method, path, body) in [metadata, member] {
        application.says(true);
        for ann in &mut anns {
            comes_in(ann).await;
        }
        application.says(false);
        api.ok(method, path, body).await;
        for ann in &mut anns {
            is_kept_out(ann).await;
        }
    }

    // And with the user's tokens.
    application.says(true);
    for ann in &mut anns {
        comes_in(ann).await;
    }
    application.says(false);
    api.revoke_user("ann").await;
    for (node, ann) in anns.iter().enumerate() {
        ann.ended(SOON).await;
        is_kept_out(&mut connect(&cluster, node, "ann", -2).await).await;
    }
}

#[tokio::test]
async fn who_is_inside_by_a_kept_yes_is_asked_for_again_when_its_membership_changes() {
    let application = Application::start().await;
    let cluster = asking(&application, "600").await;
    let api = cluster.api(0);
    api.ok("PUT", "/v1/rooms/r/members/vic", json!({ "role": "member" })).await;
    let mut vic = cluster.join(0, "vic", "r").await;
    let mut anns = [cluster.join(0, "ann", "r").await, cluster.join(1, "ann", "r").await];
    vic.say("r", "heard").await;
    application.says(false);
    api.ok("DELETE", "/v1/rooms/r/members/ann", Value::Null).await;
    for ann in &mut anns {
        assert_eq!(ann.expect("message:new").await["content"], "heard");
        assert_eq!(ann.expect("error").await["code"], "ACCESS_DENIED");
    }
    vic.say("r", "unheard").await;
    // A later marker on the same path.
    application.says(true);
    for ann in &mut anns {
        ann.ok("conversation:join", json!("r")).await;
    }
    vic.say("r", "heard again").await;
    for ann in &mut anns {
        assert_eq!(ann.expect("message:new").await["content"], "heard again");
    }
}

#[tokio::test]
async fn a_kept_yes_ends_by_itself_and_without_an_answer_nobody_comes_in() {
    let application = Application::start().await;
    let cluster = asking(&application, "1").await;
    let mut ann = cluster.connect(1, "ann").await;
    comes_in(&mut ann).await;
    application.says(false);
    until("the yes is over", SOON, async || {
        let joined = ann.call("conversation:join", json!("r")).await;
        if joined["ok"] == json!(true) {
            ann.ok("conversation:leave", json!("r")).await;
        }
        joined["error"]["code"] == json!("ACCESS_DENIED")
    })
    .await;
    application.breaks(true);
    let refused = ann.refused("conversation:join", json!("r")).await;
    assert_eq!(refused["code"], "SERVER_ERROR", "nobody is told no either");
    application.breaks(false);
    application.says(true);
    comes_in(&mut ann).await;
}
