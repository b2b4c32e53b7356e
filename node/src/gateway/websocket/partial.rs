//! Packets that grow large as they come, and events whose bytes come in messages of their own.

use crate::gateway::websocket::connection::{Connection, End};
use crate::gateway::websocket::frame::CloseCode;
use crate::gateway::websocket::{Lane, Speech};
use crate::gateway::{binary, packet, uploads};
use crate::hub::outbox::AckId;

/// An event that waits for its bytes.
#[derive(Debug)]
pub(super) struct Partial {
    namespace: String,
    ack: Option<AckId>,
    packet: String,
    parts: Vec<Vec<u8>>,
    /// Messages of bytes that have not come.
    missing: usize,
    /// This node is full: what comes is not kept.
    is_dropped: bool,
}

impl Partial {
    /// An event with `missing` parts, none of which has come.
    #[must_use]
    pub(super) fn new(
        (namespace, ack, packet): (&str, Option<AckId>, &str),
        missing: usize,
    ) -> Box<Self> {
        let (namespace, packet) = (namespace.to_owned(), packet.to_owned());
        Box::new(Self { namespace, ack, packet, parts: Vec::new(), missing, is_dropped: false })
    }

    /// Bytes of the event when so many more have come.
    fn bytes(&self, more: usize) -> usize {
        let parts: usize = self.parts.iter().map(|it| binary::written_len(it.len())).sum();
        self.packet.len() + parts + binary::written_len(more)
    }

    /// Whether an event of so many bytes may be, wherever there is room for it.
    fn may_have(&self, bytes: usize, lane: &Lane, is_known: bool) -> bool {
        let uploads = &lane.inside.uploads;
        bytes <= uploads.packet_bytes_max(is_known)
            && (!uploads.is_large(bytes) || uploads.takes_files(&self.namespace, &self.packet))
    }
}

impl Connection {
    /// A packet that is under way grows beyond others. If nothing large may come there, the
    /// connection ends; if only this node is full, the rest of it is not kept.
    pub(super) fn make_room(&mut self) -> Result<(), End> {
        let pending = self.decoder.pending().len();
        if self.partial.is_some() {
            if !self.has_room_for_part(pending)? {
                self.decoder.drop_message();
            }
            return Ok(());
        }
        let uploads = &self.lane.inside.uploads;
        if !uploads.is_large(pending) {
            return Ok(());
        }
        if matches!(self.visitor.speech, Speech::Envelopes(_)) {
            return Err(End::Broken(CloseCode::TooBig)); // no files come in envelopes
        }
        let head = packet::Head::parse(self.decoder.pending()).ok_or(CloseCode::TooBig)?;
        if !uploads.takes_files(head.namespace, head.packet) {
            return Err(End::Broken(CloseCode::TooBig));
        }
        if !uploads.hold(&mut self.held, pending) {
            self.decoder.drop_message();
            self.held = None;
        }
        Ok(())
    }

    /// Whether so much of a part can be kept. If it may not be so large, the connection ends.
    fn has_room_for_part(&mut self, bytes: usize) -> Result<bool, End> {
        let Some(partial) = &mut self.partial else { return Ok(false) };
        let bytes = partial.bytes(bytes);
        if !partial.may_have(bytes, &self.lane, self.is_known) {
            return Err(End::Broken(CloseCode::TooBig));
        }
        if partial.is_dropped || !self.lane.inside.uploads.hold(&mut self.held, bytes) {
            partial.is_dropped = true;
            partial.parts.clear();
            self.held = None;
            return Ok(false);
        }
        Ok(true)
    }

    /// The next bytes of an event; with the last ones it is whole.
    pub(super) fn take_part(&mut self, bytes: Vec<u8>) -> Result<(), End> {
        let is_kept = self.has_room_for_part(bytes.len())?;
        let Some(mut partial) = self.partial.take() else { return Ok(()) };
        if is_kept {
            partial.parts.push(bytes);
        }
        partial.missing -= 1;
        if partial.missing != 0 {
            self.partial = Some(partial);
            return Ok(());
        }
        self.decoder.expect_bytes(false);
        let held = self.held.take();
        let Partial { namespace, ack, packet, parts, is_dropped, .. } = *partial;
        let space = self.spaces.iter().find(|it| it.is_namespace(&namespace));
        let Some(intake) = space.and_then(|it| it.intake.as_ref()) else { return Ok(()) };
        if is_dropped {
            return Ok(intake.refuse(uploads::busy(), ack)?);
        }
        let packet = binary::join(&packet, parts).ok_or(CloseCode::Protocol)?;
        Ok(intake.take(&packet, ack, held)?)
    }

    /// Tells the client that a packet was not kept.
    pub(super) fn turn_away(&mut self, start: &[u8]) -> Result<(), End> {
        if self.partial.is_some() {
            return self.take_part(Vec::new());
        }
        let head = packet::Head::parse(start).ok_or(CloseCode::TooBig)?;
        let space = self.spaces.iter().find(|it| it.is_namespace(head.namespace));
        if let Some(intake) = space.and_then(|it| it.intake.as_ref()) {
            intake.refuse(uploads::busy(), head.ack)?;
        }
        Ok(())
    }
}
