//! Requests that are let in, and those that are not.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::raw::{Lane, RawClient, exchange, get, open_polling, request, status};
use crate::server::Server;

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";
const UPGRADE: [(&str, &str); 4] = [
    ("connection", "upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

#[tokio::test]
async fn pages_that_are_not_listed_get_403_on_polling_and_on_the_upgrade() {
    let server = Server::echo().await;
    let own = format!("http://{}", server.address);
    for (origin, expected) in [
        ("http://localhost:3000", true),
        (own.as_str(), true),
        ("https://evil.example", false),
        ("null", false),
        ("http://localhost:3000.evil.example", false),
    ] {
        let answer = get(&server.address, POLLING, &[("origin", origin)]).await;
        assert_eq!(status(&answer), if expected { 200 } else { 403 }, "{origin}: {answer}");
        let names_it = answer.contains(&format!("access-control-allow-origin: {origin}\r\n"));
        assert_eq!(names_it, expected, "{origin}: {answer}");
        assert_eq!(answer.contains("access-control-allow-credentials: true"), expected);

        let headers = [&[("origin", origin)], &UPGRADE[..]].concat();
        let answer = get(&server.address, WEBSOCKET, &headers).await;
        assert_eq!(status(&answer), if expected { 101 } else { 403 }, "{origin}: {answer}");
    }
    assert_eq!(status(&get(&server.address, POLLING, &[]).await), 200);
    assert_eq!(status(&get(&server.address, WEBSOCKET, &UPGRADE).await), 101);
}

#[tokio::test]
async fn a_preflight_is_answered_and_pages_are_not_closed_to_strangers() {
    let server = Server::echo().await;
    let listed = [("origin", "http://localhost:3000"), ("access-control-request-method", "POST")];
    let answer = request(&server.address, "OPTIONS", POLLING, &listed, "").await;
    assert_eq!(status(&answer), 204, "{answer}");
    assert!(answer.contains("access-control-allow-methods: GET, POST, OPTIONS"), "{answer}");
    let answer = get(&server.address, "/page", &[("origin", "https://evil.example")]).await;
    assert_eq!(status(&answer), 200, "{answer}");
    assert!(!answer.contains("access-control-allow-origin"), "{answer}");
}

#[tokio::test]
async fn malformed_handshakes_get_400() {
    let server = Server::echo().await;
    for target in [
        "/socket.io/",
        "/socket.io/?EIO=3&transport=polling",
        "/socket.io/?EIO=4&transport=__proto__",
        "/socket.io/?EIO=4&transport=polling&sid=../..",
        "/socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA",
        "/socket.io/?EIO=4&transport=polling&sid=",
    ] {
        let answer = get(&server.address, target, &[]).await;
        assert_eq!(status(&answer), 400, "{target}: {answer}");
    }
    for target in [
        "/socket.io/?EIO=3&transport=websocket",
        "/socket.io/?EIO=4&transport=websocket=&sid=AAAAAAAAAAAAAAAA",
        "/socket.io/?EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAA",
    ] {
        let answer = get(&server.address, target, &UPGRADE).await;
        assert_eq!(status(&answer), 400, "{target}: {answer}");
    }
    for target in [WEBSOCKET, "/socket.io/?EIO=4&transport=websocket=polling"] {
        assert_eq!(status(&get(&server.address, target, &[]).await), 400, "{target}");
    }
    assert_eq!(status(&request(&server.address, "POST", POLLING, &[], "40").await), 400);
    server.sessions(0, Duration::from_secs(1)).await;
}

#[tokio::test]
async fn too_many_or_too_large_headers_get_431() {
    let server = Server::echo().await;
    let many = "a: b\r\n".repeat(2000);
    let large = format!("a: {}\r\n", "b".repeat(10_000_000));
    for headers in [many, large] {
        let head = format!("GET {POLLING} HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        let answer = exchange(&server.address, head.as_bytes()).await;
        // The answer to the large one may be cut off by the reset that its unread rest causes.
        assert!(matches!(status(&answer), 431 | 0), "{answer}");
        assert_ne!(status(&answer), 200);
    }
    assert_eq!(status(&get(&server.address, POLLING, &[]).await), 200);
}

#[tokio::test]
async fn headers_that_drip_are_given_ten_seconds() {
    let server = Server::echo().await;
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    let began = Instant::now();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\na: ").await.unwrap();
    let mut answer = [0; 1024];
    while timeout(Duration::from_millis(500), stream.read(&mut answer)).await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(12), "still open");
        let _sent = stream.write_all(b"b").await.is_ok();
    }
    assert!(Duration::from_secs(9) < began.elapsed());
}

#[tokio::test]
async fn a_session_that_never_connects_is_reclaimed_within_five_seconds() {
    let server = Server::echo().await;
    let _websocket = RawClient::open(Lane::Lean, &server.address).await;
    let _polling = open_polling(&server.address).await;
    let mut refused = RawClient::open(Lane::Lean, &server.address).await;
    refused.send(r#"40/conversation,{"token":"bad"}"#).await;
    assert_eq!(server.gateway.open_count(), 3);
    server.sessions(0, Duration::from_millis(6500)).await;
}

#[tokio::test]
async fn tokens_are_found_in_connect_headers_and_cookies_but_not_in_the_query() {
    let server = Server::echo().await;
    let connect = async |packet: &str, query: &str, headers: &[(&str, &str)]| {
        let target = format!("{POLLING}{query}");
        let answer = get(&server.address, &target, headers).await;
        let session = answer.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();
        let target = format!("{POLLING}&sid={session}");
        assert_eq!(status(&request(&server.address, "POST", &target, &[], packet).await), 200);
        loop {
            let answer = get(&server.address, &target, &[]).await;
            let body = answer.split("\r\n\r\n").nth(1).unwrap();
            if let Some(packet) = body.split('\x1e').find(|it| it.starts_with('4')) {
                return packet.to_owned();
            }
        }
    };
    let refused = r#"44/conversation,{"message":"AUTH_REQUIRED"}"#;
    let none = "40/conversation,";
    let good = r#"40/conversation,{"token":"good"}"#;
    let is_connected = |answer: String| answer.starts_with(r#"40/conversation,{"sid":"#);
    assert!(is_connected(connect(good, "", &[]).await));
    assert!(is_connected(connect(none, "", &[("authorization", "Bearer good")]).await));
    assert!(is_connected(connect(none, "", &[("cookie", "a=b; access_token=good")]).await));
    assert_eq!(connect(none, "", &[]).await, refused);
    assert_eq!(connect(none, "&token=good", &[]).await, refused);
    assert_eq!(connect(r#"40/conversation,{"token":null}"#, "", &[]).await, refused);
    let empty = r#"40/conversation,{"token":""}"#;
    assert_eq!(connect(empty, "", &[("authorization", "Bearer good")]).await, refused);
    let invalid = r#"44/conversation,{"message":"INVALID_DATA"}"#;
    assert_eq!(connect("40/conversation,[1]", "", &[]).await, invalid);
    assert!(connect("40", "", &[]).await.starts_with(r#"40{"sid":"#));
    assert_eq!(connect(r#"40{"token":"bad"}"#, "", &[]).await, r#"44{"message":"AUTH_REQUIRED"}"#);
}

#[tokio::test]
async fn a_request_body_that_never_comes_holds_nothing_up() {
    let server = Server::echo().await;
    let session = open_polling(&server.address).await;
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    let target = format!("{POLLING}&sid={session}");
    let head = format!("POST {target} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n4");
    stream.write_all(head.as_bytes()).await.unwrap();
    sleep(Duration::from_millis(50)).await;
    let answer = request(&server.address, "POST", &target, &[], "40").await;
    assert_eq!(status(&answer), 200, "{answer}");
}
