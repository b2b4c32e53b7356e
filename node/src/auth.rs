//! Credentials → who it is.
//!
//! Nothing here trusts what a token says about itself: the algorithm belongs to the configured key,
//! and every claim is checked by our own rules, not by the defaults of a library.

mod claims;
pub mod config;
pub mod key;
pub mod mint;
pub mod trust;

use crate::auth::claims::Rules;
use crate::auth::config::Config;
use crate::auth::key::{KeyProblem, Keys};
use crate::auth::trust::Mode;
use crate::domain::claims::Claims;
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
pub struct Authenticator {
    mode: Mode,
    keys: Keys,
    rules: Rules,
    cookies: Vec<String>,
}

impl Authenticator {
    /// Reads the configured keys.
    ///
    /// # Errors
    /// There is no key, or one of them is of no use.
    pub fn new(config: &Config) -> Result<Self, KeyProblem> {
        Ok(Self {
            mode: config.mode,
            keys: Keys::read(config)?,
            rules: Rules::new(config),
            cookies: config.cookies.clone(),
        })
    }

    /// Who the bearer of `token` is.
    ///
    /// # Errors
    /// The token does not verify at `now`.
    pub fn verify(&self, token: &Token, now: Timestamp) -> Result<Identity, AuthFailure> {
        let claims = self.keys.signed_claims(token)?;
        self.rules.identity(&claims, now)
    }

    /// Who these credentials name: the first token that is there must verify, and no other one
    /// that verifies may name somebody else. `Ok(None)`: none is there.
    ///
    /// # Errors
    /// A token is there and does not verify, or two tokens disagree.
    pub fn authenticate(
        &self,
        credentials: &Credentials,
        now: Timestamp,
    ) -> Result<Option<Identity>, AuthFailure> {
        let Credentials { connect, header, cookie } = credentials;
        let mut tokens = [connect, header, cookie].into_iter().flatten();
        let Some(first) = tokens.next() else { return Ok(None) };
        let identity = self.verify(first, now)?;
        // A stale cookie beside a fresh token is everyday life; a second person is not.
        let is_contradicted = tokens
            .filter_map(|it| self.verify(it, now).ok())
            .any(|other| other.actor.id() != identity.actor.id());
        if is_contradicted {
            return Err(AuthFailure::Claims);
        }
        Ok(Some(identity))
    }

    /// Who somebody without a token is by these words; `None`: nobody is taken at their word, or
    /// the words say no id.
    #[must_use]
    pub fn take_at_word(&self, claims: &Claims) -> Option<Identity> {
        match self.mode {
            Mode::Jwt => None,
            Mode::Trust => trust::identity(claims),
        }
    }

    /// The cookies that may hold a token, in order.
    pub fn cookies(&self) -> &[String] {
        &self.cookies
    }
}

#[cfg(test)]
mod tests;
