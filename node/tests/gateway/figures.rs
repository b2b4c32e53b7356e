//! What is counted while clients come and go.

use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;

use crate::official::Script;
use crate::raw::{Lane, RawClient, get};
use crate::server::Server;

// One thread: the recorder is this thread's.
#[tokio::test]
async fn connections_are_counted_by_transport_and_nothing_is_left_when_they_end() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let has = |line: &str| {
        let text = recorder.handle().render();
        assert!(text.lines().any(|it| it == line), "no {line} in\n{text}");
    };
    let server = Server::echo().await;
    let open = r#"parlance_connections{transport="websocket",dialect="echo"}"#;
    let mut client = RawClient::connect(Lane::Lean, &server.address).await;
    client.next().await.unwrap();
    has(&format!("{open} 1"));
    has(r#"parlance_handshakes_total{result="opened"} 1"#);
    has(r#"parlance_handshakes_total{result="connected"} 1"#);
    get(&server.address, "/socket.io/?EIO=4", &[("origin", "https://evil.example")]).await;
    has(r#"parlance_handshakes_total{result="origin"} 1"#);
    drop(client);
    server.sessions(0, Duration::from_secs(2)).await;
    has(&format!("{open} 0"));
    has(r#"parlance_connection_duration_seconds_count{close_reason="gone"} 1"#);
}

#[tokio::test]
async fn a_session_that_becomes_a_websocket_is_counted_as_one() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let server = Server::echo().await;
    let url = format!("http://{}", server.address);
    let mut script = Script::run("reconnect.mjs", &[&url, &url, "polling,websocket"]);
    script.says("connected").await;
    let text = recorder.handle().render();
    // Whoever was a WebSocket before its namespace opened was never counted as polling at all.
    for (transport, count) in [("polling", "0"), ("websocket", "1")] {
        let name = format!(r#"parlance_connections{{transport="{transport}",dialect="echo"}} "#);
        let counted = text.lines().find_map(|it| it.strip_prefix(&name)).unwrap_or("0");
        assert_eq!(counted, count, "{text}");
    }
}
