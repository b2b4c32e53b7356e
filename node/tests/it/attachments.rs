//! Files in tickets: sent in base64, told as links, kept only with their message.

use std::fs;

use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::cluster::{Cluster, Plan};
use crate::harness::files::{PNG, download, file, kept};
use crate::harness::proxy::Direction;
use crate::harness::token::token;
use crate::harness::{SOON, until};

const MIB: usize = 1024 * 1024;

/// Somebody in ticket 1, over a WebSocket or by long-polling.
async fn enter(cluster: &Cluster, node: usize, user: &str, polling: bool) -> Client {
    let dial = cluster.dial(node).namespace("/ticket").auth(json!({ "token": token(user) }));
    let dial = if polling { dial.polling() } else { dial };
    let mut client = dial.connect().await;
    client.ok("join_ticket", json!({ "ticketId": "1" })).await;
    client
}

fn message(text: &str, files: &[Value]) -> Value {
    json!({ "ticketId": "1", "message": text, "attachments": files })
}

#[tokio::test]
async fn everybody_hears_of_a_file_and_its_link_opens_it() {
    let cluster = Cluster::of_two().await;
    // More than any event without files may have.
    let large = vec![b'x'; 3 * MIB];
    for (round, polling) in [(1, false), (2, true)] {
        let mut ann = enter(&cluster, 0, "ann", polling).await;
        let mut vic = enter(&cluster, 1, "vic", !polling).await;
        let mut bob = cluster.join(1, "bob", "1").await;
        let files = [file("<a>.png", "image/png", PNG), file("b.txt", "", &large)];
        let ack = ann.ok("send_message", message("", &files)).await;
        let heard = ann.expect("new_message").await;
        assert_eq!((&heard["data"]["id"], &heard["data"]["message"]), (&ack["id"], &json!("")));
        let told = &heard["data"]["attachments"];
        for (file, name, media_type, bytes) in [
            (&told[0], "&lt;a&gt;.png", "image/png", PNG),
            (&told[1], "b.txt", "text/plain", &large),
        ] {
            let shown = [&file["name"], &file["type"], &file["size"]];
            assert_eq!(shown, [&json!(name), &json!(media_type), &json!(bytes.len())]);
            let answer = download(&file["url"]).await;
            assert_eq!(answer.status(), 200);
            let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
            assert!(header("content-type").starts_with(media_type));
            assert!(header("content-disposition").starts_with("attachment; filename="));
            assert_eq!(header("x-content-type-options"), "nosniff");
            assert!(header("content-security-policy").contains("sandbox"));
            assert_eq!(answer.bytes().await.unwrap(), bytes);
        }
        assert_eq!(told.as_array().unwrap().len(), 2);
        let at_vic = &vic.expect("new_message").await["data"]["attachments"];
        assert_eq!(at_vic[0]["id"], told[0]["id"]);
        assert_eq!(download(&at_vic[1]["url"]).await.bytes().await.unwrap(), large);
        assert_eq!(
            bob.expect("message:new").await["content"],
            "",
            "who hears no files still hears"
        );

        until("history signs anew", SOON, async || {
            vic.ok("get_messages", json!({ "ticketId": "1", "limit": 1 })).await;
            let again = vic.expect("messages").await["messages"][0]["attachments"][0].clone();
            assert_eq!(again["id"], told[0]["id"]);
            again["url"] != at_vic[0]["url"] && download(&again["url"]).await.status() == 200
        })
        .await;
        kept(&cluster, 2 * round).await;
    }
}

#[tokio::test]
async fn a_file_that_is_refused_leaves_nothing_behind() {
    let cluster = Cluster::of_two().await;
    let good = file("a.txt", "text/plain", b"hello");
    let html = b"<!doctype html><script>alert(1)</script>";
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script/></svg>";
    let mut refused = vec![
        vec![file("a.png", "image/png", b"%PDF-1.7")],
        vec![file("a.pdf", "image/png", b"%PDF-1.7")],
        vec![file("a.png", "image/png", html)],
        vec![file("a.html", "text/html", html)],
        vec![file("a.svg", "image/svg+xml", svg)],
        vec![file("a.exe", "application/octet-stream", b"MZ\0\0")],
        vec![json!({ "name": "a.txt", "type": "text/plain", "data": "no base64!" })],
        vec![json!({ "name": "a.txt", "type": "text/plain", "data": "" })],
        vec![json!({ "name": "a.txt" })],
        vec![good.clone(); 11],
        vec![good.clone(); 1_000],
    ];
    for name in ["../../x.txt", "..\\x.txt", "a%2fb.txt", "a\u{0}.txt", "a%00.txt", "", ".."] {
        refused.push(vec![file(name, "text/plain", b"hello")]);
    }
    for polling in [false, true] {
        let mut ann = enter(&cluster, 0, "ann", polling).await;
        for files in &refused {
            // Also the good file beside it is not kept.
            let files =
                if files.len() == 1 { vec![good.clone(), files[0].clone()] } else { files.clone() };
            let error = ann.refused("send_message", message("x", &files)).await;
            assert_eq!(error["code"], "INVALID_DATA", "{files:?}: {error}");
            assert_eq!(error["outcome"], "refused");
        }
        ann.emit("send_message", message("x", &refused[0])).await;
        assert_eq!(ann.expect("error").await["code"], "INVALID_DATA");
        let empty = ann.refused("send_message", message("", &[])).await;
        assert_eq!(empty["message"], "message is empty");
        ann.ok("send_message", message("marker", &[])).await;
        assert_eq!(ann.expect("new_message").await["data"]["message"], "marker");
    }
    kept(&cluster, 0).await;
}

#[tokio::test]
async fn files_of_a_message_that_is_not_stored_now_are_not_kept() {
    let cluster = Cluster::of_two().await;
    let mut ann = enter(&cluster, 0, "ann", false).await;
    let mut vic = enter(&cluster, 1, "vic", false).await;
    let mut again = message("once", &[file("a.txt", "text/plain", b"hello")]);
    again["clientMessageId"] = json!("m-1");
    let first = ann.ok("send_message", again.clone()).await;
    for _ in 0..3 {
        assert_eq!(ann.ok("send_message", again.clone()).await["id"], first["id"]);
    }
    let told = vic.expect("new_message").await["data"]["attachments"][0].clone();
    kept(&cluster, 1).await;
    assert_eq!(download(&told["url"]).await.text().await.unwrap(), "hello", "the first copy stays");

    let greeting = json!({ "userId": "eve", "caseId": "1", "role": "user", "userName": "eve",
        "token": token("eve") });
    let mut eve = cluster.dial(0).namespace("/chat").auth(greeting).connect().await;
    eve.ok("session:closed", json!({ "caseId": "1" })).await;
    let late = message("late", &[file("late.txt", "text/plain", b"hello")]);
    assert_eq!(ann.refused("send_message", late).await["code"], "ROOM_INACTIVE");
    kept(&cluster, 1).await;
}

#[tokio::test]
async fn files_of_an_attempt_that_nobody_knows_of_stay_only_if_it_was_stored() {
    let cluster = Plan::nodes(2).proxied().start().await;
    let mut ann = enter(&cluster, 0, "ann", false).await;
    let mut vic = enter(&cluster, 1, "vic", false).await;
    let settled = async |count: usize| {
        until("the attempt is settled", SOON, async || {
            cluster.log(0).matches("an attempt with files is settled").count() == count
        })
        .await;
    };
    // It never reaches Redis.
    cluster.proxy(0).hold(Direction::ToRedis, true);
    let lost = message("lost", &[file("a.txt", "text/plain", b"hello")]);
    let error = ann.refused("send_message", lost).await;
    assert_eq!(error["outcome"], "unknown");
    kept(&cluster, 1).await;
    cluster.proxy(0).cut();
    cluster.proxy(0).hold(Direction::ToRedis, false);
    settled(1).await;
    kept(&cluster, 0).await;

    // It reaches Redis, and its answer does not come back.
    cluster.proxy(0).hold(Direction::ToNode, true);
    let late = message("late", &[file("a.txt", "text/plain", b"hello")]);
    let error = ann.refused("send_message", late).await;
    assert_eq!(error["outcome"], "unknown");
    cluster.proxy(0).hold(Direction::ToNode, false);
    settled(2).await;
    let heard = vic.expect("new_message").await["data"].clone();
    assert_eq!(heard["message"], "late");
    let link = &heard["attachments"][0]["url"];
    assert_eq!(download(link).await.text().await.unwrap(), "hello");
    kept(&cluster, 1).await;
}

#[tokio::test]
async fn a_store_of_files_that_fails_refuses_the_message() {
    let cluster = Cluster::of_two().await;
    let mut ann = enter(&cluster, 0, "ann", false).await;
    let mut vic = enter(&cluster, 1, "vic", false).await;
    fs::remove_dir_all(cluster.files()).unwrap();
    fs::write(cluster.files(), "in the way").unwrap();
    let with_file = message("see", &[file("a.txt", "text/plain", b"hello")]);
    let error = ann.refused("send_message", with_file.clone()).await;
    assert_eq!((&error["code"], &error["outcome"]), (&json!("SERVER_ERROR"), &json!("refused")));
    fs::remove_file(cluster.files()).unwrap();
    fs::create_dir(cluster.files()).unwrap();
    ann.ok("send_message", with_file).await;
    let first = vic.expect("new_message").await;
    assert_eq!(first["data"]["attachments"].as_array().map(Vec::len), Some(1), "{first}");
    kept(&cluster, 1).await;
}
