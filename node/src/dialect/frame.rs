//! An event in a dialect's words, encoded once for all who hear it.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::dialect::envelope::RequestId;
use crate::dialect::forms::{Coding, Forms};
use crate::domain::recovery::Offset;

/// One event as a client hears it: an event name and one JSON value, encoded once and shared.
#[derive(Debug)]
pub struct Frame {
    /// The event's name.
    pub event: Arc<str>,
    /// The event's only argument.
    pub payload: Box<RawValue>,
    /// Where an event of a room stands, for clients that come back and go on from there.
    pub offset: Option<Offset>,
    /// What it answers, where envelopes say so.
    pub request: Option<RequestId>,
    /// What a gateway made of the two, for each namespace in which somebody hears it.
    ready: Forms,
}

impl Frame {
    /// An event called `event` with this argument.
    #[must_use]
    pub fn new(event: Arc<str>, payload: Box<RawValue>) -> Self {
        Self { event, payload, offset: None, request: None, ready: Forms::default() }
    }

    /// The same event, standing there in its room.
    #[must_use]
    pub fn at(self, offset: Offset) -> Self {
        Self { offset: Some(offset), ..self }
    }

    /// A copy of the event that stands nowhere.
    #[must_use]
    pub fn without_offset(&self) -> Arc<Self> {
        Arc::new(Self::new(Arc::clone(&self.event), self.payload.clone()))
    }

    /// The event as the answer to `request`; of a frame that others hear too, a copy.
    #[must_use]
    pub fn answering(self: Arc<Self>, request: RequestId) -> Arc<Self> {
        let (event, payload) = match Arc::try_unwrap(self) {
            Ok(frame) => (frame.event, frame.payload),
            Err(shared) => (Arc::clone(&shared.event), shared.payload.clone()),
        };
        Arc::new(Self { request: Some(request), ..Self::new(event, payload) })
    }

    /// Whether it says the same, whoever's words it is in.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.event == other.event && self.payload.get() == other.payload.get()
    }

    /// The bytes that a gateway writes for this event on `namespace`, or under another name of its
    /// own, in one coding: made by `write` for the first connection that hears it, and shared by
    /// all others.
    pub fn ready(
        &self,
        namespace: &Arc<str>,
        coding: Coding,
        write: impl FnOnce(&Self) -> Vec<u8>,
    ) -> &[u8] {
        self.ready.get_or_write((namespace, coding), || write(self))
    }
}
