//! How many may come.

use std::time::Duration;

use axum::Router;
use futures_util::future::join_all;
use parlance::gateway::accept::Listener;
use parlance::lifecycle::Lifecycle;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::raw::{Lane, RawClient, exchange, get, open_polling, status};
use crate::server::{Server, echo};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

#[tokio::test]
async fn an_address_that_opens_too_many_sessions_gets_429() {
    let tune = |config: &mut parlance::gateway::config::Config| {
        config.limits.connections_per_address = 3;
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    };
    let server = Server::start(tune, echo).await;
    let from_one = [("x-forwarded-for", "192.0.2.1")];
    let answers = join_all((0..8).map(|_| get(&server.address, POLLING, &from_one))).await;
    let denied = answers.iter().filter(|it| status(it) == 429).count();
    // They may fall into two seconds.
    assert!((1..=5).contains(&denied), "{denied}");
    let answer = get(&server.address, POLLING, &[("x-forwarded-for", "192.0.2.2")]).await;
    assert_eq!(status(&answer), 200, "{answer}");
}

#[tokio::test]
async fn a_full_node_and_a_leaving_one_answer_503() {
    let server = Server::start(|config| config.limits.connections = 2, echo).await;
    let first = RawClient::connect(Lane::Lean, &server.address).await;
    let second = open_polling(&server.address).await;
    let answer = get(&server.address, POLLING, &[]).await;
    assert_eq!(status(&answer), 503, "{answer}");
    assert!(answer.contains("retry-after: 5"), "{answer}");
    drop(first);
    server.sessions(1, Duration::from_secs(2)).await;
    open_polling(&server.address).await;

    server.lifecycle.stop_soft();
    assert_eq!(status(&get(&server.address, POLLING, &[]).await), 503);
    assert_eq!(status(&get(&server.address, "/page", &[]).await), 200);
    let poll = format!("{POLLING}&sid={second}");
    assert_eq!(status(&get(&server.address, &poll, &[]).await), 200);
}

#[tokio::test]
async fn a_connection_beyond_the_bound_is_told_so_and_closed() {
    let lifecycle = Lifecycle::default();
    let address = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(address, 1, CancellationToken::new()).await.unwrap();
    let address = listener.address().unwrap().to_string();
    lifecycle.spawn("listener", listener.serve(Router::new(), lifecycle.clone()));
    let mut first = TcpStream::connect(&address).await.unwrap();
    first.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    first.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 404");
    assert_eq!(status(&exchange(&address, b"").await), 503);
    drop(first);
    while status(&exchange(&address, b"GET / HTTP/1.0\r\n\r\n").await) != 404 {}
    lifecycle.stop_hard();
}
