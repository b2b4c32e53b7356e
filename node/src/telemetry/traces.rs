//! Traces: the way of one message over the nodes, for a collector that speaks OTLP over HTTP.
//!
//! A trace begins where a client's message is taken. Its parent goes along in the record, so every
//! node that hands the message on adds to the same trace. Where traces go, how many are kept and
//! under which name is in OpenTelemetry's own variables, most of them read by its library. Without
//! a collector there is no tracer, and a span is nothing: one look at a static.

use std::fmt::{self, Display};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
    TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, Key, KeyValue};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;
use tracing::{info, warn};

use crate::domain::trace::TraceParent;

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// What the library calls a process that has no name.
const NAMELESS: &str = "unknown_service";

/// How long the last spans may take to leave at the end.
const FLUSH_MAX: Duration = Duration::from_secs(2);

/// What of OpenTelemetry's variables its library leaves to the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Whether traces are made at all.
    pub is_on: bool,
    /// How long the collector may take for one batch.
    pub timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { is_on: false, timeout: Duration::from_secs(10) }
    }
}

impl Config {
    /// Reads the variables with `get`; what is wrong is noted as `VARIABLE: cause and cure`.
    pub fn read<'a>(get: impl Fn(&str) -> Option<&'a str>, problems: &mut Vec<String>) -> Self {
        let either = |of_traces, of_all| get(of_traces).or_else(|| get(of_all));
        let is_disabled =
            get("OTEL_SDK_DISABLED").is_some_and(|it| it.eq_ignore_ascii_case("true"));
        let endpoint = either("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT");
        let is_on = match get("OTEL_TRACES_EXPORTER") {
            Some("otlp") => true,
            None => endpoint.is_some(),
            Some("none") => false,
            Some(_) => {
                problems.push("OTEL_TRACES_EXPORTER: write otlp or none".to_owned());
                false
            }
        };
        let protocol = either("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL");
        if is_on && protocol.is_some_and(|it| it != "http/protobuf") {
            problems.push(
                "OTEL_EXPORTER_OTLP_PROTOCOL: only http/protobuf is spoken; collectors take it \
                 at port 4318"
                    .to_owned(),
            );
        }
        let timeout = either("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT");
        let timeout = timeout.map(str::parse::<u64>).transpose().unwrap_or_else(|_| {
            problems.push("OTEL_EXPORTER_OTLP_TIMEOUT: write milliseconds".to_owned());
            None
        });
        let timeout = timeout.map_or_else(|| Self::default().timeout, Duration::from_millis);
        Self { is_on: is_on && !is_disabled, timeout }
    }
}

/// Traces cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// A variable that the library reads is wrong.
    #[error("{0}")]
    Exporter(#[from] ExporterBuildError),
    /// No client for HTTP could be made.
    #[error("{0}")]
    Client(#[from] reqwest::Error),
}

/// What sends spans away, in a thread of its own; bounded, and what does not fit is dropped.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

/// Starts traces in this process, if they are on.
///
/// # Errors
/// One of OpenTelemetry's variables has a value that cannot be used.
pub fn start(config: &Config) -> Result<Option<Traces>, TracesError> {
    if !config.is_on {
        return Ok(None);
    }
    let http = reqwest::Client::builder().timeout(config.timeout).build()?;
    let client = Sender { http, runtime: Handle::current(), is_failing: AtomicBool::new(false) };
    let exporter = SpanExporter::builder().with_http().with_http_client(client).build()?;
    let provider = SdkTracerProvider::builder()
        .with_resource(resource())
        .with_batch_exporter(exporter)
        .build();
    // A second start would be another node of this process: its spans go the same way.
    TRACER.get_or_init(|| provider.tracer("parlance"));
    info!("traces of messages are sent to a collector");
    Ok(Some(Traces(provider)))
}

fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let builder = || Resource::builder().with_attribute(version.clone());
    let resource = builder().build();
    let name = resource.get(&Key::new("service.name"));
    match name.is_none_or(|it| it.as_str().starts_with(NAMELESS)) {
        true => builder().with_service_name("parlance").build(),
        false => resource,
    }
}

impl Traces {
    /// Sends what is left, for at most two seconds.
    pub async fn finish(self) {
        let flushed =
            tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(FLUSH_MAX)).await;
        if !matches!(flushed, Ok(Ok(()))) {
            warn!("the last spans were not sent");
        }
    }
}

/// Sends batches. The thread that asks belongs to no runtime, so the requests run on the node's.
#[derive(Debug)]
struct Sender {
    http: reqwest::Client,
    runtime: Handle,
    is_failing: AtomicBool,
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let http = self.http.clone();
        // Not the lifecycle's: spans are sent after everything else has ended.
        let sent = self.runtime.spawn(async move { http.send_bytes(request).await }).await;
        let answer = sent.map_err(HttpError::from).flatten();
        let problem = match &answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(answer.status().to_string()),
            Err(error) => Some(error.to_string()),
        };
        let was_failing = self.is_failing.swap(problem.is_some(), Ordering::Relaxed);
        match (problem, was_failing) {
            (Some(error), false) => warn!(%error, "spans cannot be sent, they are dropped"),
            (None, true) => info!("spans are sent again"),
            (Some(_), true) | (None, false) => (),
        }
        answer
    }
}

/// A part of a message's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A node takes it from its client, and answers.
    Receive,
    /// It waits for its place in the log, and gets it.
    Publish,
    /// One call of the script for the batch that it is in.
    Script,
    /// A node puts it into the outboxes of its listeners.
    Deliver,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Publish => "publish",
            Self::Script => "publish.lua",
            Self::Deliver => "deliver",
        }
    }

    fn kind(self) -> SpanKind {
        match self {
            Self::Receive => SpanKind::Server,
            Self::Publish => SpanKind::Producer,
            Self::Script => SpanKind::Client,
            Self::Deliver => SpanKind::Consumer,
        }
    }

    fn attributes(self) -> Vec<KeyValue> {
        let messaging = |kind| {
            vec![
                KeyValue::new("messaging.system", "parlance"),
                KeyValue::new("messaging.operation.name", self.name()),
                KeyValue::new("messaging.operation.type", kind),
            ]
        };
        match self {
            Self::Receive => messaging("receive"),
            Self::Publish => messaging("send"),
            Self::Script => vec![
                KeyValue::new("db.system.name", "redis"),
                KeyValue::new("db.operation.name", "EVALSHA"),
                KeyValue::new("db.stored_procedure.name", "publish"),
            ],
            Self::Deliver => messaging("process"),
        }
    }
}

/// A part of a kept trace, until it is dropped; or nothing, which costs nothing.
#[derive(Default)]
pub struct Span(Option<Box<opentelemetry_sdk::trace::Span>>);

impl Span {
    /// Begins a trace, if there is a collector and the sampler keeps this one.
    #[must_use]
    pub fn begin(part: Part) -> Self {
        TRACER.get().map_or_else(Self::default, |it| Self::start(it, part, &Context::new()))
    }

    /// Goes on with a kept trace.
    #[must_use]
    pub fn after(parent: Option<TraceParent>, part: Part) -> Self {
        let (Some(parent), Some(tracer)) = (parent, TRACER.get()) else { return Self::default() };
        let parent = SpanContext::new(
            TraceId::from_bytes(parent.trace),
            SpanId::from_bytes(parent.span),
            TraceFlags::SAMPLED,
            true,
            TraceState::default(),
        );
        Self::start(tracer, part, &Context::new().with_remote_span_context(parent))
    }

    fn start(tracer: &SdkTracer, part: Part, parent: &Context) -> Self {
        let builder = tracer.span_builder(part.name()).with_kind(part.kind());
        let mut span = builder.start_with_context(tracer, parent);
        if !span.is_recording() {
            return Self::default();
        }
        span.set_attributes(part.attributes());
        Self(Some(Box::new(span)))
    }

    /// What goes along, so that others can go on with the trace.
    #[must_use]
    pub fn parent(&self) -> Option<TraceParent> {
        let context = self.0.as_ref()?.span_context();
        let (trace, span) = (context.trace_id().to_bytes(), context.span_id().to_bytes());
        Some(TraceParent { trace, span })
    }

    /// Tells something about it.
    pub fn tell(&mut self, key: &'static str, value: impl Display) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new(key, value.to_string()));
        }
    }

    /// Notes that it came to nothing.
    pub fn failed(&mut self, cause: impl Display) {
        if let Some(span) = &mut self.0 {
            span.set_status(Status::error(cause.to_string()));
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Span").field(&self.parent()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &'static str)]) -> (Config, Vec<String>) {
        let mut problems = Vec::new();
        let get = |name: &str| variables.iter().find(|it| it.0 == name).map(|it| it.1);
        (Config::read(get, &mut problems), problems)
    }

    #[test]
    fn there_are_traces_only_where_there_is_a_collector() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        for (variables, is_on) in [
            (&[][..], false),
            (&[endpoint][..], true),
            (&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c/v1/traces")][..], true),
            (&[("OTEL_TRACES_EXPORTER", "otlp")][..], true),
            (&[endpoint, ("OTEL_TRACES_EXPORTER", "none")][..], false),
            (&[endpoint, ("OTEL_SDK_DISABLED", "TRUE")][..], false),
            (&[endpoint, ("OTEL_SDK_DISABLED", "false")][..], true),
        ] {
            let (config, problems) = read(variables);
            assert_eq!((config.is_on, problems), (is_on, Vec::new()), "{variables:?}");
        }
    }

    #[test]
    fn variables_that_cannot_be_followed_are_mistakes() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        for wrong in [
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ] {
            let (_, problems) = read(&[endpoint, wrong]);
            assert!(problems.len() == 1 && problems[0].starts_with(wrong.0), "{problems:?}");
        }
        let (config, _) = read(&[endpoint, ("OTEL_EXPORTER_OTLP_TIMEOUT", "250")]);
        assert_eq!(config.timeout, Duration::from_millis(250));
    }

    #[test]
    fn without_a_collector_a_span_is_nothing_and_small() {
        let parent = TraceParent { trace: [1; 16], span: [2; 8] };
        let mut span = Span::after(Some(parent), Part::Deliver);
        span.tell("a", "b");
        assert_eq!((span.parent(), Span::begin(Part::Receive).parent()), (None, None));
        assert_eq!(size_of::<Span>(), size_of::<usize>());
    }
}
