//! What people write.

use serde::{Deserialize, Serialize};

use crate::domain::attachment::Attachment;
use crate::domain::id::ClientMessageId;
use crate::domain::role::Participant;

/// Longest message kind in bytes (`text`, `image`, …).
pub const KIND_BYTES_MAX: usize = 32;

/// A message as its room's log keeps it; its id and time are those of its entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who wrote it, as they were named when they wrote it.
    pub sender: Participant,
    /// The text as it was sent, without control characters; escaped only when it is spelled. Empty
    /// only beside files.
    pub text: String,
    /// `text` unless the client said something else.
    pub kind: String,
    /// The sender's own name for it.
    pub client_message_id: Option<ClientMessageId>,
    /// Its files. Without any the field is not written, as before there were files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}
