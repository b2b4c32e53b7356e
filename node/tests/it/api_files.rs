//! Files of messages that the application writes and takes away.

use serde_json::{Value, json};

use crate::harness::client::contents;
use crate::harness::cluster::{Cluster, Plan};
use crate::harness::files::{PNG, download, file, kept};

const MESSAGES: &str = "/v1/rooms/r/messages";

async fn started() -> Cluster {
    let cluster = Plan::nodes(2).with_api().start().await;
    let made = json!({ "id": "r", "visibility": "public" });
    cluster.api(0).ok("POST", "/v1/rooms", made).await;
    cluster
}

/// A file as the API takes it.
fn attached(name: &str, media_type: &str, bytes: &[u8]) -> Value {
    let data = file(name, media_type, bytes)["data"].clone();
    json!({ "name": name, "mediaType": media_type, "data": data })
}

#[tokio::test]
async fn a_file_that_the_application_posts_is_a_file_like_any_other() {
    let cluster = started().await;
    let api = cluster.api(0);
    let mut vic = cluster.dial(1).namespace("/ticket").user("vic").connect().await;
    vic.ok("join_ticket", json!({ "ticketId": "r" })).await;
    let large = vec![b'x'; 3 * 1024 * 1024];
    let files = [attached("a.png", "image/png", PNG), attached("b.txt", "", &large)];
    let post = json!({ "text": "", "attachments": files, "sender": { "id": "bob" } }).to_string();
    // The same request again stores nothing again.
    let once = [("idempotency-key", "k-1")];
    let first = api.send(("POST", MESSAGES), &once, post.clone()).await;
    assert_eq!(first.0, 201, "{first:?}");
    assert_eq!(cluster.api(1).send(("POST", MESSAGES), &once, post).await, first);
    let heard = vic.expect("new_message").await["data"].clone();
    assert_eq!((&heard["userId"], &heard["message"]), (&json!("bob"), &json!("")));
    assert_eq!(download(&heard["attachments"][1]["url"]).await.bytes().await.unwrap(), large);

    let page = api.ok("GET", MESSAGES, Value::Null).await;
    let told = &page["messages"][0]["attachments"];
    let shown = [&told[0]["id"], &told[0]["name"], &told[0]["mediaType"], &told[0]["size"]];
    let expected =
        [&heard["attachments"][0]["id"], &json!("a.png"), &json!("image/png"), &json!(PNG.len())];
    assert_eq!(shown, expected);
    assert_eq!(download(&told[0]["url"]).await.bytes().await.unwrap(), PNG);
    let fed = api.ok("GET", "/v1/feed", Value::Null).await;
    let fed = fed["entries"].as_array().unwrap().iter().find(|it| it["kind"] == "message").unwrap();
    assert_eq!(fed["message"]["attachments"][1]["name"], "b.txt");
    kept(&cluster, 2).await;
}

#[tokio::test]
async fn a_file_that_is_refused_by_the_api_leaves_nothing_behind() {
    let cluster = started().await;
    let api = cluster.api(0);
    let good = attached("a.txt", "text/plain", b"hello");
    for files in [
        vec![good.clone(), attached("a.png", "image/png", b"%PDF-1.7")],
        vec![good.clone(), attached("a.svg", "image/svg+xml", b"<svg/>")],
        vec![good.clone(), attached("..\\x.txt", "text/plain", b"hello")],
        vec![attached("a.txt", "text/plain", &vec![b'x'; 11 * 1024 * 1024])],
        vec![json!({ "name": "a.txt", "data": "no base64!" })],
        vec![good.clone(); 11],
    ] {
        let refused = api.no("POST", MESSAGES, json!({ "text": "x", "attachments": files })).await;
        assert_eq!(refused, (400, "INVALID_DATA".to_owned()));
    }
    let with_file = json!({ "text": "x", "attachments": [good] });
    let missing = api.no("POST", "/v1/rooms/nowhere/messages", with_file.clone()).await;
    assert_eq!(missing, (404, "ROOM_NOT_FOUND".to_owned()));
    api.ok("POST", "/v1/rooms/r/close", json!({})).await;
    let closed = api.no("POST", MESSAGES, with_file).await;
    assert_eq!(closed, (409, "ROOM_INACTIVE".to_owned()));
    kept(&cluster, 0).await;
}

#[tokio::test]
async fn a_files_end_is_its_messages_or_its_rooms() {
    let cluster = started().await;
    let api = cluster.api(1);
    let mut vic = cluster.dial(0).namespace("/ticket").user("vic").connect().await;
    vic.ok("join_ticket", json!({ "ticketId": "r" })).await;
    let mut bob = cluster.join(0, "bob", "r").await;
    let files = json!([file("a.txt", "text/plain", b"hello")]);
    let send = json!({ "ticketId": "r", "message": "by a client", "attachments": files });
    vic.ok("send_message", send).await;
    let sent = vic.expect("new_message").await["data"].clone();
    let link = &sent["attachments"][0]["url"];
    let path = format!("{MESSAGES}/{}", sent["id"].as_str().unwrap());
    api.ok("PATCH", &path, json!({ "text": "another text" })).await;
    assert_eq!(download(link).await.status(), 200, "an edit takes the text alone");
    api.ok("DELETE", &path, Value::Null).await;
    assert_eq!(download(link).await.status(), 404);
    kept(&cluster, 0).await;

    // More than one page of the log, some of it taken away before.
    let attachments = json!([attached("a.txt", "", b"a"), attached("b.txt", "", b"b")]);
    let mut ids = Vec::new();
    for n in 0..20 {
        let post = json!({ "text": n.to_string(), "attachments": attachments });
        ids.push(api.ok("POST", MESSAGES, post).await["id"].as_str().unwrap().to_owned());
    }
    for n in 0..300 {
        api.ok("POST", MESSAGES, json!({ "text": n.to_string() })).await;
    }
    api.ok("POST", MESSAGES, json!({ "text": "last", "attachments": attachments })).await;
    api.ok("DELETE", &format!("{MESSAGES}/{}", ids[3]), Value::Null).await;
    api.ok("PATCH", &format!("{MESSAGES}/{}", ids[4]), json!({ "text": "edited" })).await;
    kept(&cluster, 2 * 20).await;
    api.ok("DELETE", "/v1/rooms/r", Value::Null).await;
    kept(&cluster, 0).await;
    bob.expect("conversation:deleted").await;
    assert_eq!(contents(&bob.heard("message:new")).last(), Some(&"last"));
}
