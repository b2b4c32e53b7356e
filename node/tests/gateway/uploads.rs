//! Events that are larger than others because files come with them.

use std::time::Duration;

use parlance::gateway::config::Config;
use tokio::time::{Instant, sleep};

use crate::raw::{LANES, Lane, RawClient, open_polling, request, status};
use crate::server::{Server, echo};

const MIB: usize = 1024 * 1024;

/// Time for a busy machine to read what fills a node.
const FULL_WITHIN: Duration = Duration::from_secs(180);

fn large(name: &str, bytes: usize) -> String {
    format!(r#"42/conversation,7["{name}","{}"]"#, "x".repeat(bytes))
}

/// How a large event is answered: by the length of its array.
const TAKEN_5_MIB: &str = "43/conversation,7[5242892]";
const TAKEN_8_MIB: &str = "43/conversation,7[8388620]";

/// The head of a frame that holds a whole text; its mask changes nothing.
fn head(bytes: usize) -> Vec<u8> {
    [&[0x81, 0xff][..], &(bytes as u64).to_be_bytes(), &[0; 4]].concat()
}

#[tokio::test]
async fn an_event_with_files_may_be_large_on_either_lane() {
    for lane in LANES {
        let server = Server::echo().await;
        let mut client = RawClient::connect(lane, &server.address).await;
        client.next().await.unwrap();
        for _ in 0..3 {
            client.send(&large("files", 5 * MIB)).await;
            assert_eq!(client.next().await.unwrap(), TAKEN_5_MIB);
        }
        client.send_bytes(&head(33 * MIB)).await;
        let code = (lane == Lane::Lean).then_some(1009);
        assert_eq!(client.close_code().await, code);
        server.sessions(0, Duration::from_secs(5)).await;
    }
}

#[tokio::test]
async fn strangers_send_little_on_either_lane() {
    for lane in LANES {
        let server = Server::echo().await;
        let mut client = RawClient::open(lane, &server.address).await;
        client.send("40").await;
        client.next().await.unwrap();
        client.next().await.unwrap();
        client.send_bytes(&head(80_000)).await;
        client.try_send_bytes(&vec![b'x'; 80_000]).await;
        let code = (lane == Lane::Lean).then_some(1009);
        assert_eq!(client.close_code().await, code);
        server.sessions(0, Duration::from_secs(5)).await;
    }
}

#[tokio::test]
async fn posts_may_be_as_large() {
    let server = Server::echo().await;
    let session = open_polling(&server.address).await;
    let target = format!("/socket.io/?EIO=4&transport=polling&sid={session}");
    let post =
        async |body: &str| status(&request(&server.address, "POST", &target, &[], body).await);
    assert_eq!(post(r#"40/conversation,{"token":"good"}"#).await, 200);
    assert_eq!(post(&large("files", 5 * MIB)).await, 200);
    assert_eq!(post(&large("other", 5 * MIB)).await, 200, "it is refused by an answer");
}

#[tokio::test]
async fn a_node_that_is_full_of_uploads_says_so_and_takes_the_next_one() {
    // They answer no ping, however long it takes to read all of their bytes.
    let patient = |config: &mut Config| config.heartbeat.interval_ms = 600_000.try_into().unwrap();
    let server = Server::start(patient, echo).await;
    let mut slow = Vec::new();
    for _ in 0..4 {
        let mut client = RawClient::connect(Lane::Lean, &server.address).await;
        client.next().await.unwrap();
        client.send_bytes(&head(32 * MIB)).await;
        client.send_bytes(large("files", 31 * MIB).as_bytes()).await;
        slow.push(client);
    }
    let mut client = RawClient::connect(Lane::Lean, &server.address).await;
    client.next().await.unwrap();
    let (full, deadline) = (r#"43/conversation,7["BUSY"]"#, Instant::now() + FULL_WITHIN);
    loop {
        client.send(&large("files", 8 * MIB)).await;
        let answer = client.next().await.unwrap();
        if answer == full {
            break;
        }
        // The others' bytes are not all read yet: this is the thread that reads them, too.
        assert_eq!(answer, TAKEN_8_MIB);
        assert!(Instant::now() < deadline, "the node never gets full");
        sleep(Duration::from_millis(300)).await;
    }
    client.send(r#"42/conversation,8["small"]"#).await;
    assert_eq!(client.next().await.unwrap(), r#"43/conversation,8[["small"]]"#);
    drop(slow);
    server.sessions(1, Duration::from_secs(5)).await;
    client.send(&large("files", 8 * MIB)).await;
    assert_eq!(client.next().await.unwrap(), TAKEN_8_MIB);
}
