//! What a running node tells Prometheus: every name, type and label that dashboards can go by.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::harness::client::Client;
use crate::harness::cluster::Plan;
use crate::harness::{SOON, until};

/// A line a metric: name, type, labels.
const KNOWN: &str = include_str!("metrics.txt");

#[tokio::test]
async fn a_running_node_tells_the_metrics_that_are_known() {
    let cluster = Plan::nodes(1).start().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    alice.say("room", "hello").await;
    refused(&mut alice).await;
    drop(cluster.join(0, "bob", "room").await);

    let url = cluster.internal(0, "/metrics");
    let mut told = String::new();
    // What is looked at once a second comes last.
    until("the node tells of its users", SOON, async || {
        told = reqwest::get(&url).await.unwrap().text().await.unwrap();
        told.contains("\nparlance_presence_sessions 1\n")
            && told
                .contains("\nparlance_connection_duration_seconds_count{close_reason=\"gone\"} 1")
    })
    .await;
    assert!(told.contains("parlance_messages_published_total{result=\"stored\"} 1"), "{told}");
    assert!(told.contains("parlance_draining 0"), "{told}");
    assert_eq!(summary(&told), KNOWN, "tests/it/metrics.txt and OPERATIONS.md tell them all");
}

async fn refused(client: &mut Client) {
    let (ack, packet) = client.asking("conversation:join", &json!("no room of this name"));
    client.send(vec![packet]).await;
    assert_eq!(client.answer(ack).await["ok"], false);
}

/// Every metric in the order of its name.
fn summary(told: &str) -> String {
    let mut metrics: BTreeMap<&str, (&str, BTreeSet<&str>)> = BTreeMap::new();
    let mut last = "";
    for line in told.lines().filter(|it| !it.is_empty()) {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            metrics.insert(name, (kind, BTreeSet::new()));
            last = name;
        } else if !line.starts_with('#') {
            assert!(line.starts_with(last), "{line} is no {last}");
            let labels = line.split_once('{').map_or("", |it| it.1.rsplit_once('}').unwrap().0);
            let names = labels.split(',').filter_map(|it| Some(it.split_once('=')?.0));
            metrics.get_mut(last).unwrap().1.extend(names.filter(|it| *it != "le"));
        }
    }
    let line = |(name, (kind, labels)): (&str, (&str, BTreeSet<&str>))| {
        let labels: Vec<&str> = labels.into_iter().collect();
        format!("{name} {kind} {}", labels.join(",")).trim_end().to_owned() + "\n"
    };
    metrics.into_iter().map(line).collect()
}
