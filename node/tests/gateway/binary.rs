//! Events with bytes: on the lean lane they come to the session in base64.

use std::time::Duration;

use tokio_tungstenite::tungstenite::Message;

use crate::official::Script;
use crate::raw::{Lane, RawClient};
use crate::server::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_clients_may_send_bytes_as_they_are() {
    let server = Server::echo().await;
    let url = format!("http://{}", server.address);
    Script::run("binary.mjs", &[&url]).says("true").await;
}

fn places(name: &str, parts: usize) -> String {
    let place = |it: usize| format!(r#"{{"_placeholder":true,"num":{it}}}"#);
    let places: Vec<String> = (0..parts).map(place).collect();
    format!(r#"45{parts}-/conversation,3["{name}",{}]"#, places.join(","))
}

#[tokio::test]
async fn bytes_take_the_places_that_their_event_keeps() {
    let server = Server::echo().await;
    let mut client = RawClient::connect(Lane::Lean, &server.address).await;
    client.next().await.unwrap();
    client.send(&places("e", 2)).await;
    client.send_message(Message::binary(vec![0, 255])).await;
    client.send_message(Message::Ping("p".into())).await;
    client.send_message(Message::binary(vec![])).await;
    assert_eq!(client.next_message().await.unwrap(), Message::Pong("p".into()));
    assert_eq!(client.next().await.unwrap(), r#"43/conversation,3[["e","AP8=",""]]"#);
    // As large as files are, where files may come.
    client.send(&places("files", 1)).await;
    client.send_message(Message::binary(vec![7; 15_000_000])).await;
    let len = r#"["files",""]"#.len() + 20_000_000;
    assert_eq!(client.next().await.unwrap(), format!("43/conversation,3[{len}]"));
}

#[tokio::test]
async fn bytes_that_no_event_waits_for_end_the_connection() {
    let server = Server::echo().await;
    let binary = |len: usize| Message::binary(vec![1; len]);
    let text = |it: &str| Message::text(it);
    for (messages, code) in [
        (vec![binary(3)], 1003),
        (vec![text(&places("e", 1)), binary(3), binary(3)], 1003),
        (vec![text(&places("e", 1)), text(r#"42/conversation,["e"]"#)], 1002),
        (vec![text(r#"451-/conversation,["e",{"_placeholder":true,"num":1}]"#), binary(3)], 1002),
        (vec![text(r#"451-/conversation,["e"]"#), binary(3)], 1002),
        (vec![text(&places("e", 11))], 1002),
        (vec![text(&places("e", 1)), binary(1_000_000)], 1009),
        (vec![text(&places("files", 2)), binary(15_000_000), binary(15_000_000)], 1009),
    ] {
        let mut client = RawClient::connect(Lane::Lean, &server.address).await;
        let count = messages.len();
        for message in messages {
            client.try_send_message(message).await;
        }
        assert_eq!(client.close_code().await, Some(code), "{count} messages, {code}");
    }
    server.sessions(0, Duration::from_secs(5)).await;
}
