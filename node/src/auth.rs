//! Credentials → who it is.

use crate::domain::role::Actor;
use crate::domain::time::Timestamp;

/// Somebody whose token verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who, and what the token lets them do.
    pub actor: Actor,
    /// When the token ends.
    pub expires_at: Timestamp,
}
