//! What one operation is: where it is, what it takes and answers, and what it does.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::domain::id::{ClientMessageId, MessageId, RoomId, TokenId, UserId};
use crate::http::api::Parts;
use crate::http::api::config::Scope;
use crate::http::api::problem::Problem;
use crate::http::api::shape::Shape;

/// A request that passed the gate.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) parts: Parts,
    /// The values of the path's names, decoded.
    pub(super) path: BTreeMap<String, String>,
    /// As it came, without the question mark.
    pub(super) query: String,
    pub(super) body: Vec<u8>,
    /// A name under which a repeated attempt is recognised.
    pub(super) name: Option<ClientMessageId>,
}

/// A request with its values checked.
#[derive(Debug)]
pub(super) struct Call<Q, B> {
    pub(super) parts: Parts,
    path: BTreeMap<String, String>,
    pub(super) query: Q,
    pub(super) body: B,
    pub(super) name: Option<ClientMessageId>,
}

impl<Q, B> Call<Q, B> {
    fn named(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// The room of the path.
    pub(super) fn room(&self) -> Result<RoomId, Problem> {
        RoomId::parse(self.named("room")).map_err(|it| Problem::invalid(format!("room {it}")))
    }

    /// The room of the path, where it names one.
    pub(super) fn room_if_named(&self) -> Result<Option<RoomId>, Problem> {
        self.path.contains_key("room").then(|| self.room()).transpose()
    }

    /// The user of the path.
    pub(super) fn user(&self) -> Result<UserId, Problem> {
        UserId::parse(self.named("user")).map_err(|it| Problem::invalid(format!("user {it}")))
    }

    /// The token's id of the path.
    pub(super) fn token(&self) -> Result<TokenId, Problem> {
        TokenId::parse(self.named("token")).map_err(|it| Problem::invalid(format!("token {it}")))
    }

    /// The message of the path.
    pub(super) fn message(&self) -> Result<MessageId, Problem> {
        let message = MessageId::parse(self.named("message"));
        message.ok_or_else(|| Problem::invalid("message is no id of a message"))
    }
}

/// Schemas of what an operation takes and answers; `None`: nothing.
#[derive(Debug)]
pub(super) struct Shapes {
    /// Name and schema of each parameter.
    pub(super) query: Vec<(String, Value)>,
    pub(super) body: Option<Value>,
    pub(super) answer: Option<Value>,
}

type Run = dyn Fn(Asked) -> BoxFuture<'static, Result<String, Problem>> + Send + Sync;

/// One operation.
pub(super) struct Operation {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// `operationId`.
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    pub(super) scope: Scope,
    pub(super) status: StatusCode,
    /// Files may come in its body.
    pub(super) takes_files: bool,
    /// Answers no beside those that every operation may give.
    pub(super) refusals: &'static [StatusCode],
    pub(super) shapes: fn() -> Shapes,
    pub(super) run: Arc<Run>,
}

fn is_nothing<T: 'static>() -> bool {
    TypeId::of::<T>() == TypeId::of::<()>()
}

fn shape_of<T: Shape>() -> Option<Value> {
    (!is_nothing::<T>()).then(T::schema)
}

impl Operation {
    /// An operation that needs `scope` and answers 200 and a body.
    pub(super) fn new<Q, B, A, F, Fut>(
        (method, path): (Method, &'static str),
        (name, summary): (&'static str, &'static str),
        scope: Scope,
        handler: F,
    ) -> Self
    where
        Q: DeserializeOwned + Shape + Send + 'static,
        B: DeserializeOwned + Shape + Send + 'static,
        A: Serialize + Shape,
        F: Fn(Call<Q, B>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<A, Problem>> + Send + 'static,
    {
        let run = move |asked: Asked| match checked(asked) {
            Ok(call) => handler(call).map(|answer| answer.and_then(|it| json(&it))).boxed(),
            Err(problem) => std::future::ready(Err(problem)).boxed(),
        };
        Self {
            method,
            path,
            name,
            summary,
            scope,
            status: if is_nothing::<A>() { StatusCode::NO_CONTENT } else { StatusCode::OK },
            takes_files: false,
            refusals: &[],
            shapes: || Shapes {
                query: Q::members(),
                body: shape_of::<B>(),
                answer: shape_of::<A>(),
            },
            run: Arc::new(run),
        }
    }

    /// Something is made.
    pub(super) fn creates(self) -> Self {
        Self { status: StatusCode::CREATED, ..self }
    }

    /// Its body may bring files.
    pub(super) fn takes_files(self) -> Self {
        Self { takes_files: true, ..self }
    }

    /// It may answer no in these ways too.
    pub(super) fn refuses(self, refusals: &'static [StatusCode]) -> Self {
        Self { refusals, ..self }
    }

    /// Whether it changes something.
    pub(super) fn writes(&self) -> bool {
        self.method != Method::GET
    }
}

fn checked<Q, B>(asked: Asked) -> Result<Call<Q, B>, Problem>
where
    Q: DeserializeOwned + 'static,
    B: DeserializeOwned + 'static,
{
    let Asked { parts, path, query, body, name } = asked;
    let query = read_query::<Q>(&query)?;
    let body = if is_nothing::<B>() {
        serde_json::from_str("null")
    } else {
        serde_json::from_slice(&body)
    };
    let body = body.map_err(|error| Problem::invalid(format!("body: {error}")))?;
    Ok(Call { parts, path, query, body, name })
}

fn read_query<Q: DeserializeOwned + 'static>(query: &str) -> Result<Q, Problem> {
    if is_nothing::<Q>() && query.is_empty() {
        let nothing = serde_json::from_str("null");
        return nothing.map_err(|error| Problem::invalid(format!("query: {error}")));
    }
    if is_nothing::<Q>() {
        return Err(Problem::invalid("query: there is none here"));
    }
    let uri = format!("/?{query}").parse::<http::Uri>();
    let uri = uri.map_err(|_no_uri| Problem::invalid("query: cannot be read"))?;
    let query = axum::extract::Query::<Q>::try_from_uri(&uri);
    query.map(|it| it.0).map_err(|error| Problem::invalid(format!("query: {}", error.body_text())))
}

fn json<A: Serialize>(answer: &A) -> Result<String, Problem> {
    serde_json::to_string(answer).map_err(|error| {
        tracing::error!(%error, "an answer has no form");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "SERVER_ERROR", "Server error")
    })
}
