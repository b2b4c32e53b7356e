//! The older way of the `ticket` protocol over plain HTTP, beside its sockets.

use serde_json::{Value, json};

use crate::harness::cluster::{Cluster, Plan};
use crate::harness::files::{PNG, download, file, kept};
use crate::harness::token::{in_seconds, sign, token};
use crate::harness::{SOON, until};

async fn ask(
    cluster: &Cluster,
    (method, path): (&str, &str),
    token: Option<&str>,
    body: String,
) -> (u16, Value) {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let url = format!("http://{}{path}", cluster.public(0));
    let mut request = reqwest::Client::new().request(method, url).body(body);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let answer = request.send().await.unwrap();
    assert!(answer.headers().contains_key("deprecation"), "it is deprecated, and says so");
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

#[tokio::test]
async fn what_is_posted_is_heard_and_pages_tell_it() {
    let cluster = Plan::nodes(2).start().await;
    let mut agent = cluster.dial(1).namespace("/ticket").user("bob").connect().await;
    agent.emit("join_ticket", json!({ "ticketId": "7" })).await;
    agent.expect("joined_ticket").await;

    let (ann, path) = (token("ann"), "/api/tickets/7/chat");
    let body = json!({ "message": "a <b>" }).to_string();
    let (status, message) = ask(&cluster, ("POST", path), Some(&ann), body).await;
    assert_eq!(status, 201);
    assert_eq!((&message["ticketId"], &message["userId"]), (&json!("7"), &json!("ann")));
    assert_eq!(message["message"], json!("a &lt;b&gt;"));
    let heard = agent.expect("new_message").await;
    assert_eq!(heard["data"], message);

    let (status, page) = ask(&cluster, ("GET", path), Some(&ann), String::new()).await;
    assert_eq!((status, &page["total"], &page["limit"]), (200, &json!(1), &json!(50)));
    assert_eq!(page["messages"], json!([message]));
    let beyond = format!("{path}?limit=5&offset=1");
    let (_, page) = ask(&cluster, ("GET", &beyond), Some(&ann), String::new()).await;
    assert_eq!((&page["messages"], &page["offset"]), (&json!([]), &json!(1)));
}

#[tokio::test]
async fn a_wrong_request_gets_an_answer_and_stores_nothing() {
    let cluster = Plan::nodes(1).start().await;
    let (ann, path) = (token("ann"), "/api/tickets/7/chat");
    let good = json!({ "message": "hi" }).to_string();
    for wrong in [None, Some("x"), Some(""), Some("a.b.c")] {
        let (status, answer) = ask(&cluster, ("POST", path), wrong, good.clone()).await;
        assert_eq!((status, &answer["code"]), (401, &json!("AUTH_REQUIRED")));
    }
    let huge = json!({ "message": "x".repeat(1_100_000) }).to_string();
    for body in
        [String::new(), "{}".into(), "[".repeat(200), json!({ "message": 1 }).to_string(), huge]
    {
        let (status, answer) = ask(&cluster, ("POST", path), Some(&ann), body).await;
        assert_eq!((status, &answer["code"]), (400, &json!("INVALID_DATA")));
    }
    let (status, _) =
        ask(&cluster, ("POST", "/api/tickets/a%00b/chat"), Some(&ann), good.clone()).await;
    assert_eq!(status, 400);
    let (status, _) = ask(&cluster, ("GET", "/api/tickets/7/chat?limit=x"), Some(&ann), good).await;
    assert_eq!(status, 400);
    let (_, page) = ask(&cluster, ("GET", path), Some(&ann), String::new()).await;
    assert_eq!(page["total"], json!(0));
    // Another's own room is not a ticket of hers.
    let (status, _) =
        ask(&cluster, ("GET", "/api/tickets/user_bob/chat"), Some(&ann), String::new()).await;
    assert_eq!(status, 403);
}

#[tokio::test]
async fn a_revoked_token_opens_no_older_way_either() {
    let cluster = Plan::nodes(1).with_api().open().start().await;
    let application = cluster.api(0);
    let claims = json!({ "sub": "ann", "jti": "t-1", "exp": in_seconds(600) });
    let (ann, path) = (sign(&claims), "/api/tickets/7/chat");
    let (status, _) = ask(&cluster, ("GET", path), Some(&ann), String::new()).await;
    assert_eq!(status, 200);
    application.revoke_token("t-1").await;
    until("the token is refused", SOON, async || {
        ask(&cluster, ("GET", path), Some(&ann), String::new()).await.0 == 401
    })
    .await;
    let (status, _) = ask(&cluster, ("GET", path), Some(&token("ann")), String::new()).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn files_come_the_older_way_too_and_bad_ones_leave_nothing() {
    let cluster = Plan::nodes(2).start().await;
    let mut agent = cluster.dial(1).namespace("/ticket").user("bob").connect().await;
    agent.emit("join_ticket", json!({ "ticketId": "7" })).await;
    agent.expect("joined_ticket").await;
    let (ann, path) = (token("ann"), "/api/tickets/7/chat");
    let posted =
        |text: &str, files: &[Value]| json!({ "message": text, "attachments": files }).to_string();
    let large = vec![b'x'; 3 * 1024 * 1024];
    let files = [file("a.png", "image/png", PNG), file("b.txt", "", &large)];
    let (status, message) = ask(&cluster, ("POST", path), Some(&ann), posted("", &files)).await;
    assert_eq!(status, 201, "{message}");
    let told = &message["attachments"];
    assert_eq!((&told[0]["type"], &told[1]["name"]), (&json!("image/png"), &json!("b.txt")));
    assert_eq!(download(&told[1]["url"]).await.bytes().await.unwrap(), large);
    assert_eq!(agent.expect("new_message").await["data"]["attachments"][0]["id"], told[0]["id"]);
    kept(&cluster, 2).await;

    let good = file("a.txt", "text/plain", b"hello");
    let huge = file("a.txt", "text/plain", &vec![b'x'; 11 * 1024 * 1024]);
    for files in [
        vec![good.clone(), file("a.png", "image/png", b"%PDF-1.7")],
        vec![good.clone(), file("a.html", "text/html", b"<!doctype html>")],
        vec![good.clone(), file("../../x.txt", "text/plain", b"hello")],
        vec![json!({ "name": "a.txt", "data": "no base64!" })],
        vec![huge.clone()],
        vec![huge.clone(), huge.clone(), huge],
        vec![good.clone(); 11],
    ] {
        let (status, answer) = ask(&cluster, ("POST", path), Some(&ann), posted("x", &files)).await;
        assert_eq!((status, &answer["code"]), (400, &json!("INVALID_DATA")));
    }
    let (status, _) =
        ask(&cluster, ("POST", path), Some("a.b.c"), posted("x", std::slice::from_ref(&good)))
            .await;
    assert_eq!(status, 401);
    let other = "/api/tickets/user_bob/chat";
    let (status, _) = ask(&cluster, ("POST", other), Some(&ann), posted("x", &[good])).await;
    assert_eq!(status, 403);
    kept(&cluster, 2).await;
}
