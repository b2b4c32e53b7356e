//! Protocols as files: what clients may send, and how they are told things.
//!
//! A dialect is compiled once at start. Decoding turns a packet into a [`Command`] whose every
//! value is right; encoding writes a [`Notice`] straight into text, once per dialect and node.

pub mod check;
mod compile;
mod deed;
mod dialects;
pub mod envelope;
mod file;
mod forms;
mod frame;
mod json;
mod links;
mod occasion;
mod offer;
mod pattern;
mod rates;
mod request;
mod set;
mod shape;
pub mod source;
mod template;
mod venue;
mod word;
mod words;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::dialect::check::Fault;
use crate::dialect::deed::Deed;
pub use crate::dialect::dialects::Dialects;
use crate::dialect::envelope::RequestId;
pub use crate::dialect::forms::Coding;
pub use crate::dialect::frame::Frame;
pub use crate::dialect::links::LinkTo;
use crate::dialect::occasion::Occasion;
use crate::dialect::pattern::Pattern;
use crate::dialect::request::{Given, Rules};
pub use crate::dialect::set::DialectSet;
use crate::dialect::template::Template;
pub use crate::dialect::venue::Venue;
use crate::dialect::venue::Venues;
use crate::dialect::words::{Style, Words};
use crate::domain::claims::Claims;
use crate::domain::command::Command;
use crate::domain::notice::Notice;
use crate::domain::quota::Limit;
use crate::domain::recovery::Offset;
use crate::domain::refusal::Refusal;
use crate::domain::reply::Reply;
use crate::domain::view::Wanted;

/// Number of a compiled dialect in [`Dialects`]; small, so tables can be indexed by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DialectId(pub u8);

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

/// The bounds that a dialect's file names. Configuration may override them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Events of one connection, joins and leaves aside; `None`: no limit.
    pub events: Option<Limit>,
    /// Messages of one user, on all of the user's connections.
    pub messages: Option<Limit>,
    /// Status changes of one user.
    pub statuses: Option<Limit>,
}

/// What a dialect asks for, or brings about, beside a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The connection must have joined the room, not only be allowed to.
    pub needs_join: bool,
    /// A room that is closed cannot be joined.
    pub needs_open: bool,
    /// Joining a room leaves those that this dialect has joined before.
    pub leaves_others: bool,
    /// What the answer to a join tells of the room.
    pub wanted: Wanted,
}

/// A packet that a dialect understood.
#[derive(Debug)]
pub struct Request {
    /// Whose words it was in.
    pub dialect: DialectId,
    /// The event's name, from the dialect's file: safe as a metric label.
    pub event: Arc<str>,
    /// On what terms.
    pub terms: Terms,
    /// The client's own id of it, which every answer carries.
    pub request: Option<RequestId>,
    /// What the sender says about itself.
    pub claims: Claims,
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
    /// The client's own id of it, which the answer carries.
    pub request: Option<RequestId>,
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

/// An event's name and payload as the file spells them.
#[derive(Debug)]
struct Utterance {
    event: Arc<str>,
    payload: Template,
}

impl Utterance {
    /// `None`: what the application gave as JSON is none.
    fn speak(&self, words: &Words<'_>) -> Option<Frame> {
        let payload = self.payload.write(words).ok()?;
        Some(Frame::new(Arc::clone(&self.event), payload))
    }
}

/// The name of a CONNECT among events; Socket.IO keeps clients from using it.
const CONNECT: &str = "connect";

/// An event that clients may send.
#[derive(Debug)]
struct ClientEvent {
    /// Where it stands in the file.
    line: usize,
    /// The ways to write its arguments; the first that fits is taken.
    patterns: Vec<Pattern>,
    /// Values that the file gives.
    fixed: Given,
    deed: Deed,
    terms: Terms,
    /// Kinds of messages that clients may not send.
    kinds_refused: Vec<Box<str>>,
    ack: Template,
    answers: Vec<Utterance>,
    /// How a refusal of this event is told, where not as all others.
    refused: Option<Utterance>,
}

/// A dialect's own code, and text, for one of the core's codes.
#[derive(Debug)]
struct Spelling {
    code: Arc<str>,
    message: Option<Arc<str>>,
}

/// One compiled protocol.
#[derive(Debug)]
pub struct Dialect {
    name: Arc<str>,
    venues: Venues,
    rates: Rates,
    needs_token: bool,
    has_standing_rooms: bool,
    rules: Rules,
    style: Style,
    codes: Vec<(&'static str, Spelling)>,
    refused: Utterance,
    refusal_ack: Template,
    /// What a CONNECT asks for; `None`: nothing.
    greeting: Option<ClientEvent>,
    client: BTreeMap<Arc<str>, ClientEvent>,
    server: HashMap<Occasion, (Audience, Arc<Utterance>)>,
}

/// Why a template that takes no JSON from the application always writes JSON.
const SPELLED: &str = "only room updates and notifications hold JSON that was not made here";

impl Dialect {
    /// The file's name without its ending.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The bounds that the file names.
    #[must_use]
    pub fn rates(&self) -> Rates {
        self.rates
    }

    /// Whether its clients show their token when they connect, and not later.
    #[must_use]
    pub fn needs_token(&self) -> bool {
        self.needs_token
    }

    /// Whether it tells members of a room, or agents who see to it, what happens there while they
    /// are elsewhere.
    #[must_use]
    pub fn tells_news(&self) -> bool {
        let news = [Occasion::RoomNews, Occasion::RoomEnded, Occasion::RoomRaised];
        news.iter().any(|it| self.server.contains_key(it))
    }

    /// Whether its users hear their own room and those of their departments without joining.
    #[must_use]
    pub fn has_standing_rooms(&self) -> bool {
        self.has_standing_rooms
    }

    /// The notice in this dialect's words; `None`: the dialect has no event for it, or the
    /// application's JSON in it is none.
    #[must_use]
    pub fn encode(&self, notice: &Notice) -> Option<Spoken> {
        if let Notice::Emitted { event, data } = notice {
            let payload = RawValue::from_string(data.clone()).ok()?;
            let frame = Arc::new(Frame::new(Arc::from(event.as_str()), payload));
            return Some(Spoken { to: Audience::All, frame });
        }
        let (to, utterance) = self.server.get(&Occasion::of(notice)?)?;
        let frame = utterance.speak(&Words::of_notice(notice, &self.style))?;
        let frame = match notice {
            Notice::Entry(entry) => frame.at(Offset { event: entry.id(), at: entry.at }),
            Notice::Connected { .. }
            | Notice::TypingStarted { .. }
            | Notice::TypingStopped { .. }
            | Notice::Entered { .. }
            | Notice::Left { .. }
            | Notice::Present { .. }
            | Notice::Inside { .. }
            | Notice::UserOnline { .. }
            | Notice::UserOffline { .. }
            | Notice::Listed { .. }
            | Notice::Delivered { .. }
            | Notice::Read { .. }
            | Notice::Notification { .. }
            | Notice::Emitted { .. }
            | Notice::HistoryReset { .. }
            | Notice::News { .. }
            | Notice::Ended { .. }
            | Notice::Raised { .. }
            | Notice::Stats { .. }
            | Notice::TokenExpiring { .. } => frame,
        };
        Some(Spoken { to: *to, frame: Arc::new(frame) })
    }

    /// The answer yes to `event`; a plain yes to an event that the dialect does not know.
    #[must_use]
    pub fn reply(&self, event: &str, reply: &Reply) -> Answer {
        let words = Words::of_reply(reply, &self.style);
        match self.asked(event) {
            Some(event) => Answer {
                ack: Arc::from(event.ack.write(&words).expect(SPELLED)),
                events: event
                    .answers
                    .iter()
                    .filter_map(|it| it.speak(&words).map(Arc::new))
                    .collect(),
            },
            None => {
                let ack = RawValue::from_string(r#"{"ok":true}"#.to_owned());
                Answer { ack: Arc::from(ack.expect("it is JSON")), events: Vec::new() }
            }
        }
    }

    /// The answer no, for an acknowledgement.
    #[must_use]
    pub fn refusal_ack(&self, refusal: &Refusal) -> Arc<RawValue> {
        Arc::from(self.refusal_ack.write(&self.words_of(refusal)).expect(SPELLED))
    }

    /// The answer no as an event, where `event` (if any is known) was not to be acknowledged.
    #[must_use]
    pub fn refusal_event(&self, event: Option<&str>, refusal: &Refusal) -> Arc<Frame> {
        let own = event.and_then(|event| self.asked(event)?.refused.as_ref());
        let frame = own.unwrap_or(&self.refused).speak(&self.words_of(refusal));
        Arc::new(frame.expect(SPELLED))
    }

    /// Whether messages are envelopes instead of packets of Socket.IO.
    #[must_use]
    pub fn is_enveloped(&self) -> bool {
        self.venues.is_enveloped()
    }

    /// Whether the event shows a token.
    #[must_use]
    pub fn authenticates(&self, event: &str) -> bool {
        self.asked(event).is_some_and(|it| it.deed == Deed::Authenticate)
    }

    fn asked(&self, event: &str) -> Option<&ClientEvent> {
        if event == CONNECT { self.greeting.as_ref() } else { self.client.get(event) }
    }

    /// The faults of `later`, which stands in `file`: a path of both, or an event of both on a
    /// namespace of both. Authentication belongs to the connection, so all may claim it.
    fn quarrels(&self, later: &Self, file: &Arc<str>) -> Vec<Fault> {
        let fault = |line, cause| Fault { file: Arc::clone(file), line, cause };
        match (&self.venues, &later.venues) {
            (Venues::Paths(own), Venues::Paths(paths)) => {
                let taken = paths.iter().filter(|it| own.contains(it));
                let cause = |it| format!("`{it}` belongs to dialect `{}` already", self.name);
                taken.map(|it| fault(0, cause(it))).collect()
            }
            (Venues::Namespaces(own), Venues::Namespaces(namespaces)) => {
                let Some(namespace) = namespaces.iter().find(|it| own.contains(it)) else {
                    return Vec::new();
                };
                let claimed = later.client.iter().filter(|(name, event)| {
                    let earlier = self.client.get(*name).map(|earlier| earlier.deed);
                    earlier.is_some_and(|deed| deed != Deed::Authenticate || deed != event.deed)
                });
                let cause = |name: &str| {
                    format!("dialect `{}` claims `{name}` on `{namespace}` already", self.name)
                };
                claimed.map(|(name, event)| fault(event.line, cause(name))).collect()
            }
            (Venues::Paths(_), Venues::Namespaces(_))
            | (Venues::Namespaces(_), Venues::Paths(_)) => Vec::new(),
        }
    }

    fn words_of(&self, refusal: &Refusal) -> Words<'_> {
        let core = refusal.code();
        let spelling = self.codes.iter().find(|(code, _)| *code == core).map(|(_, it)| it);
        let text = match spelling.and_then(|it| it.message.as_deref()) {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(refusal.to_string()),
        };
        Words::of_refusal(refusal, spelling.map_or(core, |it| &it.code), text, &self.style)
    }
}

impl ClientEvent {
    /// The command that these arguments ask for.
    fn command(&self, args: &[&RawValue], rules: Rules) -> Result<(Claims, Command), Refusal> {
        let given = pattern::take(&self.patterns, args, &self.fixed, rules);
        let mut given = given.map_err(Refusal::invalid)?;
        let claims = std::mem::take(&mut given.claims);
        if let Some(kind) = &given.kind
            && self.kinds_refused.iter().any(|it| **it == **kind)
        {
            return Err(Refusal::invalid(format!("messages of the type `{kind}` are not taken")));
        }
        let command = self.deed.command(given);
        Ok((claims, command.ok_or_else(|| Refusal::invalid("incomplete arguments"))?))
    }
}

#[cfg(test)]
mod tests;
