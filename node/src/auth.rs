//! Credentials → who it is.

use crate::domain::command::Token;
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

/// What a handshake brought along, in the order in which it is looked at.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// `auth.token` of the CONNECT packet. Present but empty, or no text: an unverifiable token.
    pub connect: Option<Token>,
    /// The `Authorization` header's bearer token.
    pub header: Option<Token>,
    /// The first of the configured cookies that is there.
    pub cookie: Option<Token>,
}

/// Why a token was not taken; the client hears one text for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthFailure {
    /// It is no token, or its signature, algorithm or key is wrong.
    #[error("malformed or badly signed")]
    Invalid,
    /// It has ended, or has not begun.
    #[error("expired or not yet valid")]
    Expired,
    /// Another issuer or audience, or a claim that is missing or of the wrong type.
    #[error("claims refused")]
    Claims,
}

/// Verifies tokens.
#[derive(Debug)]
pub struct Authenticator {}

impl Authenticator {
    /// Who the bearer of `token` is.
    ///
    /// # Errors
    /// The token does not verify at `now`.
    pub fn verify(&self, _token: &Token, _now: Timestamp) -> Result<Identity, AuthFailure> {
        unimplemented!()
    }

    /// Who these credentials name: the first token that is there must verify. `Ok(None)`: none is
    /// there.
    ///
    /// # Errors
    /// A token is there and does not verify.
    pub fn authenticate(
        &self,
        _credentials: &Credentials,
        _now: Timestamp,
    ) -> Result<Option<Identity>, AuthFailure> {
        unimplemented!()
    }

    /// The cookies that may hold a token, in order.
    pub fn cookies(&self) -> &[String] {
        unimplemented!()
    }
}
