//! Protocols as files: what clients may send, and how they are told things.
//!
//! A dialect is compiled once at start. Decoding turns a packet into a [`Command`] whose every
//! value is right; encoding writes a [`Notice`] straight into text, once per dialect and node.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::domain::command::Command;
use crate::domain::notice::Notice;
use crate::domain::quota::Limit;
use crate::domain::refusal::Refusal;
use crate::domain::reply::Reply;

/// Number of a compiled dialect in [`Dialects`]; small, so tables can be indexed by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DialectId(pub u8);

/// One event as a client hears it: an event name and one JSON value, encoded once and shared.
#[derive(Debug)]
pub struct Frame {
    /// The event's name.
    pub event: Arc<str>,
    /// The event's only argument.
    pub payload: Box<RawValue>,
}

/// Who hears a notice, as the dialect's `to` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Everyone who hears the topic.
    All,
    /// Everyone but the connection that caused it.
    Others,
}

/// A notice in a dialect's words.
#[derive(Debug, Clone)]
pub struct Spoken {
    /// Who hears it.
    pub to: Audience,
    /// What they hear.
    pub frame: Arc<Frame>,
}

/// The bounds that a dialect's seed names. Configuration may override them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Events of one connection, joins and leaves aside; `None`: no limit.
    pub events: Option<Limit>,
    /// Messages of one user, on all of the user's connections.
    pub messages: Option<Limit>,
    /// Status changes of one user.
    pub statuses: Option<Limit>,
}

/// A packet that a dialect understood.
#[derive(Debug)]
pub struct Request {
    /// Whose words it was in.
    pub dialect: DialectId,
    /// The event's name, from the dialect's file: safe as a metric label.
    pub event: Arc<str>,
    /// What is asked.
    pub command: Command,
}

/// A packet that no dialect could take.
#[derive(Debug)]
pub struct Malformed {
    /// The dialect whose event it named; `None`: no dialect knows the event.
    pub dialect: Option<DialectId>,
    /// The event's name where a dialect knows it.
    pub event: Option<Arc<str>>,
    /// What to answer.
    pub refusal: Refusal,
}

/// An answer in a dialect's words.
#[derive(Debug)]
pub struct Answer {
    /// For the acknowledgement.
    pub ack: Arc<RawValue>,
    /// Events to the asker (some dialects answer by events too).
    pub events: Vec<Arc<Frame>>,
}

/// One compiled protocol.
#[derive(Debug)]
pub struct Dialect {}

impl Dialect {
    /// The file's name without its ending.
    pub fn name(&self) -> &str {
        unimplemented!()
    }

    /// The bounds that the file names.
    pub fn rates(&self) -> Rates {
        unimplemented!()
    }

    /// The notice in this dialect's words; `None`: the dialect has no event for it.
    pub fn encode(&self, _notice: &Notice) -> Option<Spoken> {
        unimplemented!()
    }

    /// The answer yes to `event`.
    pub fn reply(&self, _event: &str, _reply: &Reply) -> Answer {
        unimplemented!()
    }

    /// The answer no, for an acknowledgement.
    pub fn refusal_ack(&self, _refusal: &Refusal) -> Arc<RawValue> {
        unimplemented!()
    }

    /// The answer no as an event, where `event` (if any is known) was not to be acknowledged.
    pub fn refusal_event(&self, _event: Option<&str>, _refusal: &Refusal) -> Arc<Frame> {
        unimplemented!()
    }
}

/// All compiled dialects.
#[derive(Debug)]
pub struct Dialects {}

impl Dialects {
    /// The dialect with this number.
    pub fn get(&self, _id: DialectId) -> &Dialect {
        unimplemented!()
    }

    /// The dialect with this name.
    pub fn by_name(&self, _name: &str) -> Option<DialectId> {
        unimplemented!()
    }

    /// How many there are; numbers run from 0.
    pub fn len(&self) -> usize {
        unimplemented!()
    }

    /// Whether the dialect is spoken on the namespace.
    pub fn speaks(&self, _dialect: DialectId, _namespace: &str) -> bool {
        unimplemented!()
    }

    /// The namespace's dialect, where it has exactly one.
    pub fn only_one(&self, _namespace: &str) -> Option<DialectId> {
        unimplemented!()
    }

    /// All namespaces that some dialect is spoken on, with their dialects.
    pub fn namespaces(&self) -> Vec<(Arc<str>, Vec<DialectId>)> {
        unimplemented!()
    }

    /// Understands one packet: the JSON array `["name", …arguments]` of an event on `namespace`.
    ///
    /// # Errors
    /// No JSON, too deep, an unknown event, or arguments of the wrong shape.
    pub fn decode(&self, _namespace: &str, _packet: &str) -> Result<Request, Malformed> {
        unimplemented!()
    }
}
