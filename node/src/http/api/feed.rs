//! The feed: all that is stored, for an application that keeps a copy.

use http::{Method, StatusCode};

use crate::blobs::Blobs;
use crate::domain::event::{Entry, Event};
use crate::http::api::config::Scope;
use crate::http::api::messages::Message;
use crate::http::api::operation::{Call, Operation};
use crate::http::api::problem::Problem;
use crate::http::api::shape::shapes;
use crate::store::FeedPlace;

/// Batches that one page reads: of up to 64 entries each.
const BATCHES: u64 = 4;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(
            (Method::GET, "/v1/feed"),
            ("readFeed", "Reads what was stored in all rooms after a place, in order"),
            Scope::Read,
            read,
        )
        .refuses(&[StatusCode::GONE]),
    ]
}

shapes! {
    /// From where.
    input FeedWanted {
        /// As an earlier page told; left out: from the oldest that is kept.
        cursor: Option<String>,
    }
}

shapes! {
    /// What was stored.
    answer FeedPage {
        entries: Vec<FeedEntry>,
        /// Where to go on; the same as before where nothing follows yet.
        cursor: String,
    }
}

shapes! {
    /// One entry of a room's log.
    answer FeedEntry {
        /// `message`, `message.edited`, `message.deleted`, `erased`, `room.updated`, `room.closed`,
        /// `room.reopened`, `room.deleted` or `access.changed`.
        kind: &'static str,
        room: String,
        epoch: u64,
        seq: u64,
        at: String,
        /// The message as it is now, of one that was written.
        message: Option<Message>,
        /// Of which message this tells.
        message_id: Option<String>,
        /// Its new text.
        text: Option<String>,
    }
}

impl FeedEntry {
    fn of(blobs: &Blobs, entry: &Entry) -> Self {
        let (kind, message_id, text) = match &entry.event {
            Event::MessagePosted(_) => ("message", None, None),
            Event::MessageEdited { message, text } => {
                ("message.edited", Some(message.to_string()), Some(text.clone()))
            }
            Event::MessageDeleted { message } => {
                ("message.deleted", Some(message.to_string()), None)
            }
            Event::Erased => ("erased", None, None),
            Event::RoomUpdated { .. } => ("room.updated", None, None),
            Event::RoomClosed { .. } => ("room.closed", None, None),
            Event::RoomReopened => ("room.reopened", None, None),
            Event::RoomDeleted => ("room.deleted", None, None),
            Event::AccessChanged { .. } => ("access.changed", None, None),
        };
        Self {
            kind,
            room: entry.room.to_string(),
            epoch: entry.position.epoch.0,
            seq: entry.position.seq.0,
            at: entry.at.to_string(),
            message: Message::of(blobs, entry),
            message_id,
            text,
        }
    }
}

async fn read(call: Call<FeedWanted, ()>) -> Result<FeedPage, Problem> {
    let after = match call.query.cursor.as_deref() {
        None => None,
        Some(cursor) => Some(
            FeedPlace::parse(cursor)
                .ok_or_else(|| Problem::invalid("cursor is none of a page's"))?,
        ),
    };
    let page = call.parts.chat.feed(after, BATCHES).await?;
    if page.is_cut {
        let message = "the feed does not reach back to this cursor: begin anew without one";
        return Err(Problem::new(StatusCode::GONE, "FEED_CUT", message));
    }
    Ok(FeedPage {
        entries: page.entries.iter().map(|it| FeedEntry::of(&call.parts.blobs, it)).collect(),
        cursor: page.next.to_string(),
    })
}
