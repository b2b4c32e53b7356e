//! Bytes of the log and of inboxes: versioned MessagePack.
//!
//! A record is a header that the publishing script packs (it alone knows the place and the time)
//! and a body that the node packs. Bodies are maps with named fields, so a node passes over fields
//! that a newer one has added; a change that an older node cannot read raises the version.

use std::sync::Arc;

use rmp_serde::Deserializer;
use rmp_serde::decode::Error;
use serde::{Deserialize, Serialize};
use serde_bytes::Bytes;

use crate::domain::event::{Entry, Event, Origin, SharedEntry};
use crate::domain::id::{RoomId, UserId};
use crate::domain::position::Position;
use crate::domain::presence::Presence;
use crate::domain::revoked::Revocation;
use crate::domain::signal::Signal;
use crate::domain::time::Timestamp;
use crate::domain::topic::Topic;
use crate::store::Arrival;
use crate::store::revocations::revocation;

/// Version of records and frames that this node writes and reads.
const VERSION: u8 = 1;

/// Why bytes from Redis cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodecError {
    /// Written by a release that this one does not know.
    #[error("version {0} is not known here, only version {VERSION}")]
    Version(u8),
    /// Neither a token nor a user.
    #[error("what is revoked is neither a token nor a user")]
    Revocation,
    /// Not what it should be.
    #[error("malformed: {0}")]
    Malformed(#[from] Error),
}

/// What the node knows of an entry before Redis gives it a place.
#[derive(Serialize)]
struct NewBody<'a> {
    origin: Option<&'a Origin>,
    event: &'a Event,
}

#[derive(Deserialize)]
struct Body {
    origin: Option<Origin>,
    event: Event,
}

/// `[version, epoch, seq, nth, milliseconds]`
type RecordHeader = (u8, u64, u64, u64, u64);

/// `[version, generation, count, beat, items]`
type FrameHeader = (u8, u64, u64, u64, u32);

/// What a frame carries; names as the prelude of scripts writes them.
#[derive(Deserialize)]
enum Item<'a> {
    #[serde(rename = "e")]
    Entry(RoomId, #[serde(borrow)] &'a Bytes),
    #[serde(rename = "r")]
    RoomSignal(RoomId, #[serde(borrow)] &'a Bytes),
    #[serde(rename = "u")]
    UserSignal(UserId, #[serde(borrow)] &'a Bytes),
    #[serde(rename = "p")]
    Presence(Presence),
    #[serde(rename = "x")]
    Revoked(String, u64),
}

/// One publication to this node's inbox.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Generation of the shard that published it.
    pub(crate) generation: u64,
    /// Number of frames published to this inbox: up to and with this one, or up to a beat.
    pub(crate) count: u64,
    /// Number of the beat that caused it; 0: no beat.
    pub(crate) beat: u64,
    /// What happened, in order.
    pub(crate) arrivals: Vec<Arrival>,
    /// What was taken back.
    pub(crate) revoked: Vec<Revocation>,
}

/// The body of a record.
pub(crate) fn encode_body(origin: Option<&Origin>, event: &Event) -> Result<Vec<u8>, EncodeError> {
    rmp_serde::to_vec_named(&NewBody { origin, event })
}

/// A signal as frames carry it.
pub(crate) fn encode_signal(signal: &Signal) -> Result<Vec<u8>, EncodeError> {
    rmp_serde::to_vec_named(signal)
}

/// Writing to memory fails only for values that MessagePack has no form for.
pub(crate) type EncodeError = rmp_serde::encode::Error;

/// Reads a record of `room`'s log.
pub(crate) fn decode_record(room: &RoomId, record: &[u8]) -> Result<SharedEntry, CodecError> {
    let mut reader = Deserializer::from_read_ref(record);
    let (version, epoch, seq, nth, at) = RecordHeader::deserialize(&mut reader)?;
    known(version)?;
    let Body { origin, event } = Body::deserialize(&mut reader)?;
    let position = Position::new(epoch, seq);
    Ok(Arc::new(Entry { room: room.clone(), position, nth, at: Timestamp(at), origin, event }))
}

/// Reads a frame. One item that cannot be read spoils the frame: the reader repairs from the log.
pub(crate) fn decode_frame(frame: &[u8]) -> Result<Frame, CodecError> {
    let mut reader = Deserializer::from_read_ref(frame);
    let (version, generation, count, beat, items) = FrameHeader::deserialize(&mut reader)?;
    known(version)?;
    let (mut arrivals, mut revoked) = (Vec::new(), Vec::new());
    for _ in 0..items {
        arrivals.push(match Item::deserialize(&mut reader)? {
            Item::Entry(room, record) => Arrival::Entry(decode_record(&room, record)?),
            Item::RoomSignal(room, signal) => {
                Arrival::Signal(Topic::Room(room), rmp_serde::from_slice(signal)?)
            }
            Item::UserSignal(user, signal) => {
                Arrival::Signal(Topic::User(user), rmp_serde::from_slice(signal)?)
            }
            Item::Presence(presence) => Arrival::Presence(presence),
            Item::Revoked(what, at) => {
                revoked.push(revocation(&what, at).ok_or(CodecError::Revocation)?);
                continue;
            }
        });
    }
    Ok(Frame { generation, count, beat, arrivals, revoked })
}

fn known(version: u8) -> Result<(), CodecError> {
    if version == VERSION { Ok(()) } else { Err(CodecError::Version(version)) }
}

#[cfg(test)]
mod tests;
