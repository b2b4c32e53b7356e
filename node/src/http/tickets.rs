//! The `ticket` protocol's older way over plain HTTP, for clients that have not moved on.
//!
//! What a client asks is put into the words of the dialect and its answers come out of them, so
//! both ways say the same.

mod visits;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::auth::{AuthFailure, Authenticator};
use crate::chat::{Asker, Chat};
use crate::dialect::{Dialect, Dialects};
use crate::domain::command::{Command, Token};
use crate::domain::id::ConnId;
use crate::domain::notice::Notice;
use crate::domain::quota::Limit;
use crate::domain::refusal::{Outcome, Refusal};
use crate::domain::reply::Reply;
use crate::domain::role::Actor;
use crate::http::api::status_of;
use crate::http::body::{Bodies, WITH_FILES_BYTES_MAX};
use crate::http::tickets::visits::{Visit, Visits};
use crate::hub::revocations::Revocations;
use crate::telemetry::audit::{self, Audit};
use crate::telemetry::traces::{Part, Span};

/// The dialect, the namespace on which only it is spoken, and its events.
const DIALECT: &str = "ticket";
const NAMESPACE: &str = "/ticket";
const SEND: &str = "send_message";
const READ: &str = "get_messages";

/// Messages of one user: the guard that connections have too.
const MESSAGES: Limit = Limit { times: 50, per: Duration::from_secs(1) };

/// Since when this way is deprecated (RFC 9745): the beginning of 2026.
const DEPRECATED: (HeaderName, &str) = (HeaderName::from_static("deprecation"), "@1767225600");

/// What the older way needs.
#[derive(Debug)]
pub struct Tickets {
    /// The chat core.
    pub chat: Chat,
    /// For the dialect `ticket`.
    pub dialects: Arc<Dialects>,
    /// For bearer tokens.
    pub auth: Arc<Authenticator>,
    /// For tokens that were taken back.
    pub revocations: Arc<Revocations>,
    /// Told of tokens, and of what is refused.
    pub audit: Audit,
    /// Reads bodies.
    pub bodies: Bodies,
    /// Bytes of a body without files at most, as of an event.
    pub body_bytes_max: usize,
}

/// Files are many bytes, so they are not taken apart here.
#[derive(Debug, Deserialize)]
struct Said<'b> {
    #[serde(borrow)]
    message: &'b RawValue,
    #[serde(borrow)]
    attachments: Option<&'b RawValue>,
}

/// Which page.
#[derive(Debug, Deserialize)]
struct Page {
    limit: Option<u64>,
    offset: Option<u64>,
}

/// The path of the older way.
pub fn routes(tickets: Tickets) -> Router {
    let visits = Visits::new(tickets.audit.clone());
    let way = get(messages).post(send).with_state(Arc::new(Way { tickets, visits }));
    Router::new().route("/api/tickets/{ticket}/chat", way)
}

/// The older way, and what is written down of it.
#[derive(Debug)]
struct Way {
    tickets: Tickets,
    visits: Visits,
}

type Caller = Option<Extension<Arc<audit::Caller>>>;

/// Writes a message, as its bearer.
async fn send(
    State(way): State<Arc<Way>>,
    Path(ticket): Path<String>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(dialect) = way.tickets.dialect() else { return no_such_way() };
    let sent = way.visited((SEND, &ticket), (caller, &headers), async |actor| {
        way.tickets.sent(dialect, &ticket, actor, body).await
    });
    match sent.await {
        Ok(message) => answer(StatusCode::CREATED, &message),
        Err(refusal) => refused(dialect, SEND, &refusal),
    }
}

/// A page of messages.
async fn messages(
    State(way): State<Arc<Way>>,
    Path(ticket): Path<String>,
    caller: Caller,
    headers: HeaderMap,
    page: Result<Query<Page>, QueryRejection>,
) -> Response {
    let Some(dialect) = way.tickets.dialect() else { return no_such_way() };
    let found = way.visited((READ, &ticket), (caller, &headers), async |actor| match page {
        Ok(Query(page)) => way.tickets.page(dialect, &ticket, actor, page).await,
        Err(_no_numbers) => Err(Refusal::invalid("limit and offset have to be whole numbers")),
    });
    match found.await {
        Ok(page) => answer(StatusCode::OK, &page),
        Err(refusal) => refused(dialect, READ, &refusal),
    }
}

impl Way {
    /// Does what the bearer asks, and writes down what has to be.
    async fn visited(
        &self,
        asked: (&str, &str),
        (caller, headers): (Caller, &HeaderMap),
        does: impl AsyncFnOnce(&Actor) -> Result<Box<RawValue>, Refusal>,
    ) -> Result<Box<RawValue>, Refusal> {
        let mut visit = Visit { caller: caller.map(|it| it.0), user: None };
        let actor = match self.tickets.bearer(headers).await {
            Ok(actor) => actor,
            Err(failure) => {
                self.visits.authenticated(&visit, failure.map_or("no_token", AuthFailure::as_str));
                return Err(failure.map_or(Refusal::AuthRequired, AuthFailure::counted));
            }
        };
        visit.user = Some(actor.id().clone());
        self.visits.authenticated(&visit, "authenticated");
        let done = does(&actor).await;
        if let Err(refusal) = &done {
            self.visits.refused(&visit, asked, refusal);
        }
        done
    }
}

impl Tickets {
    fn dialect(&self) -> Option<&Dialect> {
        self.dialects.by_name(DIALECT).map(|it| self.dialects.get(it))
    }

    /// Who asks; `Err(None)`: there is no token.
    async fn bearer(&self, headers: &HeaderMap) -> Result<Actor, Option<AuthFailure>> {
        let shown = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
        let (scheme, token) = shown.and_then(|it| it.split_once(' ')).ok_or(None)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(None);
        }
        let token = Token::new(token.trim().to_owned());
        let identity = self.auth.verify_patiently(&token).await?;
        let is_revoked = self.revocations.ends(&identity.pass());
        if is_revoked { Err(Some(AuthFailure::Revoked)) } else { Ok(identity.actor) }
    }

    /// What the dialect makes of an event with this argument.
    fn command(&self, event: &str, argument: &Value) -> Result<Command, Refusal> {
        self.decoded(&json!([event, argument]).to_string())
    }

    fn decoded(&self, packet: &str) -> Result<Command, Refusal> {
        let request = self.dialects.decode(NAMESPACE, packet);
        request.map(|it| it.command).map_err(|it| it.refusal)
    }

    async fn sent(
        &self,
        dialect: &Dialect,
        ticket: &str,
        actor: &Actor,
        body: Body,
    ) -> Result<Box<RawValue>, Refusal> {
        // A stranger's files are not even read.
        let bounds = (self.body_bytes_max, self.body_bytes_max.max(WITH_FILES_BYTES_MAX));
        let body = self.bodies.read(body, bounds).await?;
        let Said { message, attachments } = serde_json::from_slice(&body.bytes)
            .map_err(|_malformed| Refusal::invalid("the body has to be {message, attachments?}"))?;
        let (ticket, files) = (json!(ticket), attachments.map_or("null", RawValue::get));
        let argument =
            format!(r#"{{"ticketId":{ticket},"message":{message},"attachments":{files}}}"#);
        let packet = format!(r#"["{SEND}",{argument}]"#);
        let Command::Send(draft) = self.decoded(&packet)? else { return Err(broken()) };
        let room = draft.room.clone();
        self.chat.admit(actor, &room).await?;
        // No connection has this number, so all of them hear it.
        let (origin, limit) = (ConnId(u64::MAX), Some(MESSAGES));
        let mut span = Span::begin(Part::Receive);
        span.tell("messaging.destination.name", &room);
        let trace = span.parent();
        let asker = Asker { actor, origin, is_spread: true, limit, trace, request: None };
        let Reply::Sent { message, .. } = self.chat.send(asker, draft).await? else {
            return Err(broken());
        };
        let entry = self.chat.message(&room, message).await?.ok_or_else(broken)?;
        let told = dialect.encode(&Notice::Entry(entry)).ok_or_else(broken)?;
        data_of(&told.frame.payload).ok_or_else(broken)
    }

    async fn page(
        &self,
        dialect: &Dialect,
        ticket: &str,
        actor: &Actor,
        Page { limit, offset }: Page,
    ) -> Result<Box<RawValue>, Refusal> {
        let mut argument = json!({ "ticketId": ticket });
        for (name, value) in [("limit", limit), ("offset", offset)] {
            if let Some(value) = value {
                argument[name] = json!(value);
            }
        }
        let Command::History { room, limit, offset, before } = self.command(READ, &argument)?
        else {
            return Err(broken());
        };
        self.chat.admit(actor, &room).await?;
        let reply = self.chat.history(room, (limit, offset), before).await?;
        let told = dialect.reply(READ, &reply).events;
        told.first().map(|it| it.payload.clone()).ok_or_else(broken)
    }
}

/// The message within what everybody in the room is told.
fn data_of(payload: &RawValue) -> Option<Box<RawValue>> {
    #[derive(Deserialize)]
    struct Told {
        data: Box<RawValue>,
    }
    serde_json::from_str::<Told>(payload.get()).ok().map(|it| it.data)
}

/// A dialect of the operator's own under this name need not say what the older way says.
fn broken() -> Refusal {
    Refusal::Unavailable(Outcome::Refused)
}

fn no_such_way() -> Response {
    StatusCode::NOT_FOUND.into_response()
}

fn answer(status: StatusCode, body: &RawValue) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), DEPRECATED];
    (status, headers, body.get().to_owned()).into_response()
}

fn refused(dialect: &Dialect, event: &str, refusal: &Refusal) -> Response {
    let told = dialect.refusal_event(Some(event), refusal);
    answer(status_of(refusal), &told.payload)
}
