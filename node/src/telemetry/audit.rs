//! Who did what, or was kept from it: a line in the log under the target `audit`, and a record in
//! Redis that applications can read.
//!
//! A record holds ids, addresses and codes; never a message's text, never a token. Texts that
//! clients chose are cut to a length and hold no control characters.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use metrics::{counter, describe_counter};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tracing::info;

use crate::domain::id::{RoomId, UserId};
use crate::domain::refusal::Refusal;

/// Records that may wait for Redis. Further ones are in the log only, and counted.
const RECORDS_WAITING_MAX: usize = 4096;

/// Characters of a text that a client chose.
const TEXT_CHARS_MAX: usize = 200;

const RECORDS: &str = "parlance_audit_records_total";
const DROPPED: &str = "parlance_audit_dropped_total";

/// Settings of the section `audit`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Records that Redis keeps, about; 0: none.
    pub records: u32,
    /// Days for which Redis keeps a record at most.
    pub days: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { records: 100_000, days: 30 }
    }
}

/// Longest time for which records are kept: a hundred years.
const DAYS_MAX: u32 = 36_500;

impl Config {
    /// All mistakes, each with the setting's name.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let is_right = (1..=DAYS_MAX).contains(&self.days);
        if is_right { Vec::new() } else { vec![format!("audit.days: has to be 1 to {DAYS_MAX}")] }
    }
}

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// A client wants to connect.
    Connect,
    /// A connected client shows a token, or does something for which it has none.
    Authenticate,
    /// Somebody was kept from a room or an action.
    Access,
    /// Something was refused as too frequent.
    Limit,
    /// The node has ended a connection.
    Disconnect,
    /// The application has changed something.
    Api,
}

impl What {
    /// What a refusal is about; `None`: a mistake, or a trouble of ours.
    #[must_use]
    pub fn refused(refusal: &Refusal) -> Option<Self> {
        match refusal {
            Refusal::AuthRequired => Some(Self::Authenticate),
            Refusal::AccessDenied | Refusal::NotAMember => Some(Self::Access),
            Refusal::RateLimited { .. } => Some(Self::Limit),
            Refusal::RoomNotFound
            | Refusal::RoomClosed
            | Refusal::Invalid(_)
            | Refusal::UserNotFound
            | Refusal::UnknownEvent
            | Refusal::StorageFull
            | Refusal::Busy { .. }
            | Refusal::Unavailable(_) => None,
        }
    }

    /// The word in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Authenticate => "authenticate",
            Self::Access => "access",
            Self::Limit => "limit",
            Self::Disconnect => "disconnect",
            Self::Api => "api",
        }
    }
}

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caller {
    /// Where, behind trusted proxies.
    pub address: IpAddr,
    /// What program it says it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<Box<str>>,
    /// The page that it says it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Box<str>>,
}

/// One line.
#[derive(Debug, Clone, Serialize)]
pub struct Record {
    /// What it is about.
    pub what: What,
    /// What came of it: a code, never a text for people.
    pub outcome: Cow<'static, str>,
    /// Who is at the other end.
    #[serde(flatten)]
    pub caller: Option<Arc<Caller>>,
    /// Who did it, as far as it is known; of an application's request, whom it concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomId>,
    /// What was asked: a client's event, or an application's operation and what else it named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<Box<str>>,
    /// The name of the key with which the application asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Arc<str>>,
}

impl Record {
    /// A record that says no more than this; give the rest with `Record { user, ..Record::of(…) }`.
    #[must_use]
    pub fn of(what: What, outcome: impl Into<Cow<'static, str>>) -> Self {
        let outcome = outcome.into();
        Self { what, outcome, caller: None, user: None, room: None, asked: None, key: None }
    }
}

/// A text that a client chose, as a record may hold it; `None`: nothing of it is left.
#[must_use]
pub fn text(chosen: &str) -> Option<Box<str>> {
    let printable = chosen.chars().filter(|it| !it.is_control());
    let cut: String = printable.take(TEXT_CHARS_MAX).collect();
    (!cut.is_empty()).then(|| cut.into_boxed_str())
}

/// Takes records. Cheap to clone; never waits.
#[derive(Debug, Clone)]
pub struct Audit {
    records: mpsc::Sender<Record>,
}

impl Audit {
    /// An audit, and what is to be kept of it.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Record>) {
        describe_counter!(RECORDS, "Audit records, by what they are about");
        describe_counter!(DROPPED, "Audit records that are in the log and were not kept in Redis");
        dropped(0);
        let (records, kept) = mpsc::channel(RECORDS_WAITING_MAX);
        (Self { records }, kept)
    }

    /// Writes a record down.
    pub fn tell(&self, record: Record) {
        let caller = record.caller.as_deref();
        info!(
            target: "audit",
            what = record.what.as_str(),
            outcome = &*record.outcome,
            user.id = record.user.as_ref().map(UserId::as_str),
            room.id = record.room.as_ref().map(RoomId::as_str),
            asked = record.asked.as_deref(),
            key = record.key.as_deref(),
            address = caller.map(|it| it.address.to_string()),
            agent = caller.and_then(|it| it.agent.as_deref()),
            origin = caller.and_then(|it| it.origin.as_deref()),
            "{}: {}", record.what.as_str(), record.outcome
        );
        counter!(RECORDS, "what" => record.what.as_str()).increment(1);
        match self.records.try_send(record) {
            // Nobody keeps records: that is how the node was set up.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => (),
            Err(mpsc::error::TrySendError::Full(_)) => dropped(1),
        }
    }
}

/// Records are not kept.
pub fn dropped(records: usize) {
    counter!(DROPPED).increment(records as u64);
}

/// Where a kept record stands: later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When Redis took it, in milliseconds since 1970.
    pub at: u64,
    /// Its number within the millisecond.
    pub nth: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.at, self.nth)
    }
}

/// A text is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no place among audit records")]
pub struct NoPlace;

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let number = |text: &str| {
            let is_plain = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
            text.parse().ok().filter(|_| is_plain).ok_or(NoPlace)
        };
        let (at, nth) = text.split_once('-').ok_or(NoPlace)?;
        Ok(Self { at: number(at)?, nth: number(nth)? })
    }
}

/// A kept record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Where it stands, and when it was taken.
    pub place: Place,
    /// The record, a JSON object.
    pub record: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_json_without_what_is_not_known() {
        let caller = Caller {
            address: "192.0.2.1".parse().unwrap(),
            agent: text("curl\r\n\u{1b}[31m{\"user\":\"root\"}"),
            origin: None,
        };
        let record = Record {
            user: Some(UserId::parse("alice").unwrap()),
            caller: Some(Arc::new(caller)),
            ..Record::of(What::Connect, "connected")
        };
        assert_eq!(
            serde_json::to_string(&record).unwrap(),
            r#"{"what":"connect","outcome":"connected","address":"192.0.2.1","agent":"curl[31m{\"user\":\"root\"}","user":"alice"}"#
        );
        let short = serde_json::to_string(&Record::of(What::Api, "ok")).unwrap();
        assert_eq!(short, r#"{"what":"api","outcome":"ok"}"#);
        assert_eq!(text(&"é".repeat(300)).unwrap().chars().count(), TEXT_CHARS_MAX);
        assert_eq!(text("\n"), None);
    }

    #[test]
    fn more_records_than_may_wait_are_dropped_without_a_wait() {
        let (audit, mut kept) = Audit::new();
        for _ in 0..RECORDS_WAITING_MAX + 5 {
            audit.tell(Record::of(What::Limit, "RATE_LIMIT_EXCEEDED"));
        }
        assert_eq!(std::iter::from_fn(|| kept.try_recv().ok()).count(), RECORDS_WAITING_MAX);
    }

    #[test]
    fn a_place_is_two_numbers() {
        let place = Place { at: 1_700_000_000_000, nth: 3 };
        assert_eq!(place.to_string().parse(), Ok(place));
        for text in
            ["", "-", "1", "1-", "-1", "1-2-3", "+", "(1-1", "+1-1", "1-99999999999999999999"]
        {
            assert_eq!(text.parse::<Place>(), Err(NoPlace), "{text}");
        }
    }
}
