use std::time::Duration;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;
use tower::ServiceExt;

use super::*;
use crate::blobs::config::PublicUrl;
use crate::secret::Secret;

fn sources(health: watch::Receiver<Health>) -> Sources {
    let folder = std::path::Path::new("/nowhere"); // no page here asks for a file
    let links = (&Secret::new("s".to_owned()), PublicUrl::local(3000));
    let blobs = Blobs::open(&Default::default(), folder, links, Lifecycle::default()).unwrap();
    Sources {
        node: Arc::from("node-1"),
        started: Instant::now(),
        local: Arc::new(|| LocalFigures { connections: 2, rooms: 1, users: 2 }),
        cluster: Arc::new(|| ClusterFigures { nodes: 3, connections: 5, rooms: 4 }),
        blobs,
        health,
    }
}

async fn get_text(router: &Router, path: &str) -> (u16, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn get_json(router: &Router, path: &str) -> (u16, Value) {
    let (status, text) = get_text(router, path).await;
    (status, serde_json::from_str(&text).unwrap())
}

#[tokio::test(start_paused = true)]
async fn public_pages_tell_health_and_figures() {
    let (health, receiver) = watch::channel(Health::Ready);
    let router = public(sources(receiver), Router::new());
    tokio::time::advance(Duration::from_secs(7)).await;

    let (status, body) = get_json(&router, "/health").await;
    assert_eq!((status, &body["status"], &body["uptime"]), (200, &json!("ok"), &json!(7)));
    assert!(body["timestamp"].as_str().unwrap().ends_with('Z'));

    let (status, mut body) = get_json(&router, "/api/status").await;
    assert!(body["timestamp"].take().as_str().unwrap().ends_with('Z'));
    let expected = json!({
        "status": "running", "connectedClients": 2, "rooms": 1, "node": "node-1",
        "cluster": { "nodes": 3, "connectedClients": 5 }, "timestamp": null,
    });
    assert_eq!((status, body), (200, expected));

    let mut expected =
        json!({ "status": "ok", "socket": { "initialized": true, "connected": 5, "rooms": 4 } });
    assert_eq!(get_json(&router, "/api/socket/health").await, (200, expected.clone()));
    health.send_replace(Health::Degraded);
    expected["status"] = json!("error");
    assert_eq!(get_json(&router, "/api/socket/health").await, (503, expected));

    assert_eq!(get_json(&router, "/nowhere").await.0, 404);
    assert_eq!(get_text(&router, "/files/some-id/a.txt").await.0, 403);
}

#[tokio::test(start_paused = true)]
async fn a_node_without_redis_stays_ready_for_a_while_and_a_leaving_one_does_not() {
    let (health, receiver) = watch::channel(Health::Starting);
    let lifecycle = Lifecycle::default();
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let router = internal(receiver, metrics, Router::new(), &lifecycle);
    let check = async |expected: u16, status: &str| {
        tokio::time::sleep(Duration::from_millis(1)).await; // lets the watching task see it
        let (code, body) = get_json(&router, "/readyz").await;
        assert_eq!((code, body["status"].as_str()), (expected, Some(status)));
    };
    check(503, "starting").await;
    health.send_replace(Health::Ready);
    check(200, "ready").await;
    health.send_replace(Health::Degraded);
    check(200, "degraded").await;
    tokio::time::advance(probes::DEGRADED_MAX).await;
    check(503, "degraded").await;
    assert_eq!(get_json(&router, "/livez").await.0, 200);
    health.send_replace(Health::Ready);
    check(200, "ready").await;
    lifecycle.stop_soft();
    check(404, "draining").await;
    assert_eq!(get_json(&router, "/livez").await.0, 200);
}

#[tokio::test]
async fn metrics_are_rendered_as_text() {
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || metrics::counter!("parlance_x_total").increment(1));
    let (_health, receiver) = watch::channel(Health::Ready);
    let router = internal(receiver, recorder.handle(), Router::new(), &Lifecycle::default());
    let (status, text) = get_text(&router, "/metrics").await;
    assert_eq!(status, 200);
    assert!(text.contains("parlance_x_total 1"), "{text}");
}
