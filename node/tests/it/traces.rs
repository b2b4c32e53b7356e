//! A collector can follow a message from its sender to the listeners of every node.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::harness::cluster::{Cluster, Plan};
use crate::harness::process::free_address;
use crate::harness::{SOON, until};

/// Takes spans over OTLP and keeps them.
struct Collector {
    url: String,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    async fn start() -> Self {
        let address = free_address();
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let spans = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&spans);
        let take = post(move |body: Bytes| {
            let request = ExportTraceServiceRequest::decode(body).unwrap();
            let scopes = request.resource_spans.into_iter().flat_map(|it| it.scope_spans);
            kept.lock().unwrap().extend(scopes.flat_map(|it| it.spans));
            async {}
        });
        let router = Router::new().route("/v1/traces", take);
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        Self { url: format!("http://{address}"), spans }
    }

    fn named(&self, name: &str) -> Vec<Span> {
        self.spans.lock().unwrap().iter().filter(|it| it.name == name).cloned().collect()
    }

    /// Two nodes that send their spans here, at once.
    async fn nodes(&self, sampler: &str) -> Cluster {
        let plan = Plan::nodes(2).with("OTEL_EXPORTER_OTLP_ENDPOINT", &self.url);
        let plan = plan.with("OTEL_BSP_SCHEDULE_DELAY", "50").with("OTEL_TRACES_SAMPLER", sampler);
        plan.start().await
    }
}

fn text(span: &Span, key: &str) -> String {
    let attribute = span.attributes.iter().find(|it| it.key == key).unwrap();
    let Some(Value::StringValue(text)) = attribute.value.as_ref().unwrap().value.as_ref() else {
        panic!("{key} is {attribute:?}");
    };
    text.clone()
}

#[tokio::test]
async fn a_message_is_one_trace_over_both_nodes() {
    let collector = Collector::start().await;
    let cluster = collector.nodes("always_on").await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let mut bob = cluster.join(1, "bob", "room").await;
    alice.say("room", "hello").await;
    bob.expect("message:new").await;
    until("all spans come", SOON, async || {
        collector.named("receive").len() == 1 && collector.named("deliver").len() == 2
    })
    .await;

    let one = |name| <[Span; 1]>::try_from(collector.named(name)).unwrap()[0].clone();
    let (receive, publish, script) = (one("receive"), one("publish"), one("publish.lua"));
    let delivers = collector.named("deliver");
    assert!(receive.parent_span_id.is_empty());
    assert_eq!(publish.parent_span_id, receive.span_id);
    assert_eq!(script.parent_span_id, publish.span_id);
    for span in delivers.iter().chain([&publish, &script]) {
        assert_eq!(span.trace_id, receive.trace_id);
    }
    for span in &delivers {
        assert_eq!(span.parent_span_id, publish.span_id);
        assert_eq!(text(span, "messaging.destination.name"), "room");
        assert!(publish.start_time_unix_nano <= span.start_time_unix_nano);
    }
    let nodes: BTreeSet<String> = delivers.iter().map(|it| text(it, "parlance.node")).collect();
    assert_eq!(nodes.len(), 2, "{nodes:?}");
}

#[tokio::test]
async fn a_trace_that_is_not_kept_leaves_nothing() {
    let collector = Collector::start().await;
    let mut cluster = collector.nodes("always_off").await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let mut bob = cluster.join(1, "bob", "room").await;
    alice.say("room", "hello").await;
    bob.expect("message:new").await;
    // A node sends what it has left before it ends.
    for node in [0, 1] {
        cluster.signal(node, rustix::process::Signal::TERM);
    }
    for node in [0, 1] {
        cluster.exited(node, 2 * SOON).await;
    }
    assert_eq!(collector.spans.lock().unwrap().len(), 0);
}
