//! Connections whose messages are envelopes: one dialect, one session, pings of frames.

use std::sync::Arc;

use crate::domain::close::CloseReason;
use crate::domain::refusal::Refusal;
use crate::gateway::metrics::Handshake;
use crate::gateway::websocket::Served;
use crate::gateway::websocket::connection::{Connection, End};
use crate::gateway::websocket::frame::CloseCode;
use crate::gateway::websocket::space::Space;

impl Connection {
    /// Opens the connection's one session. A client without a token has its time to show one; a
    /// token that is not good ends the connection, and so does one that nobody can judge now.
    pub(super) fn begin(&mut self, served: &Served) -> Result<(), End> {
        let lane = Arc::clone(&self.lane);
        let greeted = lane.inside.recognise(&self.visitor.caller, &self.visitor.shown);
        let opened = greeted.and_then(|it| Space::open(served, &lane.inside, &self.visitor, it));
        Handshake::of_connect(opened.as_ref().err()).count();
        let space = opened.map_err(|refusal| {
            let passes = matches!(refusal, Refusal::Unavailable(_));
            if passes { CloseCode::TryLater } else { CloseCode::Unauthorized }
        })?;
        self.spaces.reserve_exact(1);
        self.spaces.push(space);
        self.heart.namespaces(1);
        Ok(())
    }

    /// Hands an envelope to the session.
    pub(super) fn hear(&self, text: &str) -> Result<(), End> {
        match self.spaces.first().and_then(|it| it.intake.as_ref()) {
            Some(intake) => Ok(intake.take_envelope(text)?),
            None => Ok(()), // the session has ended
        }
    }
}

/// What a client is told by the last frame: whether it needs a token, or should stay away.
pub(super) fn close_code(reason: CloseReason) -> CloseCode {
    match reason {
        CloseReason::TokenExpired | CloseReason::AuthTimeout | CloseReason::Revoked => {
            CloseCode::Unauthorized
        }
        CloseReason::Dismissed => CloseCode::Dismissed,
        CloseReason::Drain => CloseCode::Away,
        CloseReason::Gone => CloseCode::Normal,
        CloseReason::HeartbeatMissed
        | CloseReason::TooSlow
        | CloseReason::ProtocolViolation
        | CloseReason::Replaced
        | CloseReason::Unrestored => CloseCode::Policy,
    }
}
