//! What is not one's own, in every dialect: refused by its code, audited, and nothing told or stored.

use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::cluster::{Cluster, Plan};
use crate::harness::token::{in_seconds, sign};
use crate::harness::{SOON, until};

/// Rooms that are somebody else's, with something in each that nobody else may read.
async fn started() -> Cluster {
    let cluster = Plan::nodes(2).unlimited().with_api().start().await;
    let api = cluster.api(0);
    for room in ["case-1", "456", "7", "conv-1", "flow-1"] {
        let made = json!({ "id": room, "members": ["owner"], "department": "sales" });
        api.ok("POST", "/v1/rooms", made).await;
        let path = format!("/v1/rooms/{room}/messages");
        api.ok("POST", &path, json!({ "text": "a secret text" })).await;
    }
    cluster
}

async fn connect(cluster: &Cluster, node: usize, claims: Value) -> Client {
    let mut whole = json!({ "exp": in_seconds(3_600) });
    whole.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    cluster.dial(node).auth(json!({ "token": sign(&whole) })).connect().await
}

/// The room holds its one message, and nobody was told it.
async fn check_untouched(cluster: &Cluster, clients: &[&Client]) {
    for room in ["case-1", "456", "7", "conv-1", "flow-1"] {
        let path = format!("/v1/rooms/{room}/messages");
        let page = cluster.api(1).ok("GET", &path, Value::Null).await;
        assert_eq!(page["messages"].as_array().unwrap().len(), 1, "{room}");
    }
    for client in clients {
        let told = client.look(|it| format!("{:?}", it.events));
        assert!(!told.contains("a secret text"), "{told}");
    }
}

#[tokio::test]
async fn what_is_somebody_elses_is_denied_in_every_dialect_and_audited() {
    let cluster = started().await;
    let mut eve = connect(&cluster, 0, json!({ "sub": "66" })).await;
    // An agent of another department, who names hers in a payload.
    let law = json!({ "sub": "67", "role": "agent", "departments": ["law"] });
    let mut agent = connect(&cluster, 1, law).await;
    for client in [&mut eve, &mut agent] {
        for (event, argument, code) in [
            ("conversation:join", json!("conv-1"), "ACCESS_DENIED"),
            ("conversation:join", json!("dept_sales"), "ACCESS_DENIED"),
            ("conversation:join", json!("user_owner"), "ACCESS_DENIED"),
            ("message:send", json!({ "conversationId": "conv-1", "content": "x" }), "NOT_A_MEMBER"),
            ("typing:start", json!({ "conversationId": "conv-1" }), "NOT_A_MEMBER"),
            ("joinChatGroup", json!({ "groupId": 456 }), "ACCESS_DENIED"),
            ("sendMessage", json!({ "message": "x", "chatGroupId": 456 }), "NOT_A_MEMBER"),
            ("join_ticket", json!({ "ticketId": "7" }), "ACCESS_DENIED"),
            ("send_message", json!({ "ticketId": "7", "message": "x" }), "ACCESS_DENIED"),
            ("get_messages", json!({ "ticketId": "7" }), "ACCESS_DENIED"),
            ("get_online_users", json!({ "ticketId": "7" }), "ACCESS_DENIED"),
        ] {
            let error = client.refused(event, argument.clone()).await;
            assert_eq!(error["code"], code, "{event} {argument}");
        }
    }
    let since = json!({ "conversationId": "conv-1", "since": { "epoch": 1, "seq": 0 } });
    let resume = eve.refused("conversation:join", since).await;
    assert_eq!(resume["code"], "ACCESS_DENIED", "a resume is a join");

    let case = |user: &str, role: &str| {
        json!({ "userId": user, "caseId": "case-1", "role": role, "userName": "Eve",
            "token": sign(&json!({ "sub": "66", "exp": in_seconds(3_600) })) })
    };
    // Another's case, another's id and another's role, each in the CONNECT.
    let dial = cluster.dial(0).namespace("/chat");
    let other = dial.clone().auth(case("66", "user")).connect().await;
    until("the case is refused", SOON, async || {
        other.heard("auth:error").iter().any(|it| it["code"] == "ACCESS_DENIED")
    })
    .await;
    for (user, role) in [("owner", "user"), ("66", "volunteer")] {
        let refused = dial.clone().auth(case(user, role)).try_connect().await.unwrap_err();
        assert_eq!(refused["data"]["code"], "ACCESS_DENIED", "{user} {role}");
    }
    check_untouched(&cluster, &[&eve, &agent, &other]).await;

    let is_denied = |it: &Value, user: &str| it["what"] == "access" && it["user"] == user;
    until("each is audited", SOON, async || {
        let records = cluster.api(0).audit().await;
        ["66", "67"].iter().all(|user| records.iter().any(|it| is_denied(it, user)))
    })
    .await;
}

#[tokio::test]
async fn who_has_left_may_not_send_and_a_forged_sender_is_denied() {
    let cluster = started().await;
    let api = cluster.api(0);
    for room in ["conv-1", "456"] {
        let path = format!("/v1/rooms/{room}/members/66");
        api.ok("PUT", &path, json!({ "role": "member" })).await;
    }
    let mut eve = connect(&cluster, 1, json!({ "sub": "66", "role": "client" })).await;
    eve.ok("joinChatGroup", json!({ "groupId": 456 })).await;
    let status = json!({ "userId": 67 });
    for (event, argument) in [
        ("userOnline", status),
        (
            "typing",
            json!({ "chatGroupId": 456,
        "userId": 67, "isTyping": true }),
        ),
    ] {
        let error = eve.refused(event, argument).await;
        assert_eq!(error["code"], "ACCESS_DENIED", "{event}");
    }
    eve.ok("leaveRoom", json!({ "chatGroupId": 456 })).await;
    let send = json!({ "message": "x", "chatGroupId": 456 });
    assert_eq!(eve.refused("sendMessage", send).await["code"], "NOT_A_MEMBER");
    eve.ok("conversation:join", json!("conv-1")).await;
    eve.ok("conversation:leave", json!("conv-1")).await;
    let send = json!({ "conversationId": "conv-1", "content": "x" });
    assert_eq!(eve.refused("message:send", send).await["code"], "NOT_A_MEMBER");
    check_untouched(&cluster, &[]).await;
}
