//! From a packet to its answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::dialect::envelope::RequestId;
use crate::dialect::{Dialect, DialectId, Frame, Malformed, Request};
use crate::domain::command::Command;
use crate::domain::event::SharedEntry;
use crate::domain::notice::Notice;
use crate::domain::refusal::Refusal;
use crate::domain::reply::Reply;
use crate::hub::outbox::{AckId, Outgoing};
use crate::session::Session;
use crate::session::metrics::Metrics;
use crate::telemetry::traces::{Part, Span};

/// How a client recognises the answer to what it asked.
#[derive(Debug, Default)]
pub(super) struct Asking {
    /// The acknowledgement's number, if it wants one.
    pub(super) ack: Option<AckId>,
    /// Its own id of the request, which envelopes carry.
    pub(super) request: Option<RequestId>,
}

fn answering(frame: Arc<Frame>, request: Option<&RequestId>) -> Arc<Frame> {
    match request {
        Some(request) => frame.answering(request.clone()),
        None => frame,
    }
}

impl Session {
    /// Carries out one event and answers it.
    pub(super) async fn event(&mut self, packet: Box<str>, ack: Option<AckId>) {
        let started = Instant::now();
        let understood = self.parts.dialects.understand(&self.peer.venue, &packet);
        drop(packet); // it may hold megabytes, and what it asks for takes its time
        let mut room = None;
        let (dialect, event, asking, result) = match understood {
            Ok(request) => {
                let (dialect, event) = (request.dialect, Arc::clone(&request.event));
                let asking = Asking { ack, request: request.request.clone() };
                room = request.command.room().cloned();
                self.trace(&request.command);
                // Authentication is the same in all, so it shows none.
                if !matches!(request.command, Command::Authenticate { .. }) {
                    self.speak(dialect).await;
                }
                let result = self.limited(request).await;
                self.keep_changes().await;
                (dialect, Some(event), asking, result)
            }
            Err(malformed) => {
                let refusal = self.judged(&malformed);
                let dialect = malformed.dialect.unwrap_or(self.dialect);
                let asking = Asking { ack, request: malformed.request };
                (dialect, malformed.event, asking, Err(refusal))
            }
        };
        let label = event.clone().unwrap_or_else(|| Arc::from(Metrics::OTHER));
        self.parts.metrics.counted(&label, result.as_ref().err(), started.elapsed());
        if let Err(refusal) = &result {
            self.auditor.refused(self.identity.as_ref(), event.as_deref(), room, refusal);
            self.span.failed(refusal.code());
        }
        let parts = Arc::clone(&self.parts);
        let dialect = parts.dialects.get(dialect);
        match result {
            Ok(reply) => self.answer(dialect, &label, &reply, &asking),
            Err(refusal) => self.refuse(dialect, event.as_deref(), &refusal, &asking),
        }
        self.span = Span::default();
    }

    /// Begins the trace of a message.
    fn trace(&mut self, command: &Command) {
        if let Command::Send(draft) = command {
            self.span = Span::begin(Part::Receive);
            self.span.tell("messaging.destination.name", &draft.room);
            self.span.tell("messaging.client.id", self.peer.conn);
        }
    }

    /// Why a packet is refused that could not be understood. It counts as any other, and who is
    /// not known is told that first.
    fn judged(&mut self, malformed: &Malformed) -> Refusal {
        let dialect = malformed.dialect.unwrap_or(self.dialect);
        if let Err(limited) = self.take_event(dialect) {
            return limited;
        }
        let authenticates = |event| self.parts.dialects.get(dialect).authenticates(event);
        let is_known = self.identity.is_some();
        if is_known || malformed.event.as_deref().is_some_and(authenticates) {
            malformed.refusal.clone()
        } else {
            Refusal::AuthRequired
        }
    }

    /// Carries out what the CONNECT asked for. Its refusal is an event: the connection lives.
    pub(super) async fn greet(&mut self, greeting: Request) {
        let started = Instant::now();
        let (dialect, event) = (greeting.dialect, Arc::clone(&greeting.event));
        let room = greeting.command.room().cloned();
        let result = self.limited(greeting).await;
        self.parts.metrics.counted(&event, result.as_ref().err(), started.elapsed());
        if let Err(refusal) = &result {
            self.auditor.refused(self.identity.as_ref(), Some(&event), room, refusal);
        }
        let parts = Arc::clone(&self.parts);
        let dialect = parts.dialects.get(dialect);
        match result {
            Ok(reply) => self.answer(dialect, &event, &reply, &Asking::default()),
            Err(refusal) => self.refuse(dialect, Some(&event), &refusal, &Asking::default()),
        }
    }

    /// An event that the gateway did not keep; its client is told so.
    pub(super) fn turned_away(&mut self, refusal: &Refusal, asking: &Asking) {
        self.parts.metrics.counted(Metrics::OTHER, Some(refusal), Duration::ZERO);
        self.auditor.refused(self.identity.as_ref(), None, None, refusal);
        self.refuse(self.parts.dialects.get(self.dialect), None, refusal, asking);
    }

    fn answer(&self, dialect: &Dialect, event: &str, reply: &Reply, asking: &Asking) {
        let answer = dialect.reply(event, reply);
        if let Some(id) = asking.ack {
            self.push(Outgoing::Ack { id, payload: answer.ack });
        }
        let mut events = answer.events;
        if let Reply::Sent { repeated: Some(entry), .. } = reply {
            // Nobody is told of it anew, so only its sender learns that it is stored. It comes out
            // of turn, so it has no offset: its client has heard more of the room than this.
            let told = dialect.encode(&Notice::Entry(SharedEntry::clone(entry)));
            events.extend(told.map(|it| it.frame.without_offset()));
        }
        for frame in events {
            self.push(Outgoing::Event(answering(frame, asking.request.as_ref())));
        }
    }

    /// A refusal goes to the acknowledgement if there is one, else it is an event; never both.
    pub(super) fn refuse(
        &self,
        dialect: &Dialect,
        event: Option<&str>,
        refusal: &Refusal,
        asking: &Asking,
    ) {
        let outgoing = match asking.ack {
            Some(id) => Outgoing::Ack { id, payload: dialect.refusal_ack(refusal) },
            None => {
                let frame = dialect.refusal_event(event, refusal);
                Outgoing::Event(answering(frame, asking.request.as_ref()))
            }
        };
        self.push(outgoing);
    }

    pub(super) fn take_event(&mut self, dialect: DialectId) -> Result<(), Refusal> {
        let rates = self.parts.dialects.get(dialect).rates();
        self.buckets.take_event(&self.parts.config, rates)
    }
}
