//! What a node logs can be changed while it runs.

use reqwest::{Client, StatusCode};
use serde_json::Value;

use crate::harness::cluster::Plan;

#[tokio::test]
async fn the_log_level_of_a_running_node_is_read_and_changed() {
    let cluster = Plan::nodes(1).start().await;
    let (http, url) = (Client::new(), cluster.internal(0, "/log-level"));
    let tell = async || http.get(&url).send().await.unwrap().text().await.unwrap();
    let put = async |level: &'static str| http.put(&url).body(level).send().await.unwrap();
    assert_eq!(tell().await, "parlance=debug,info\n");

    let refused = put("loud").await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert!(refused.text().await.unwrap().contains("`loud` is no level"));

    assert_eq!(put("warn").await.text().await.unwrap(), "warn\n");
    drop(cluster.connect(0, "alice").await);
    assert_eq!(put("parlance::session=debug").await.status(), StatusCode::OK);
    cluster.join(0, "bob", "room").await;
    assert_eq!(put("off").await.text().await.unwrap(), "off\n");

    let log = cluster.log(0);
    let records: Vec<Value> = log.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    for field in ["timestamp", "level", "target", "message"] {
        assert!(records.iter().all(|it| it[field].is_string()), "no {field} in {log}");
    }
    let changes: Vec<&str> = records.iter().filter_map(|it| it["log.level"].as_str()).collect();
    // `warn` is what silences the one after it.
    assert_eq!(changes, ["warn", "off"], "{log}");
}
