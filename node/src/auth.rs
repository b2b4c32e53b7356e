//! Credentials → who it is.
//!
//! Nothing here trusts what a token says about itself: the algorithm belongs to the configured key,
//! and every claim is checked by our own rules, not by the defaults of a library.

mod claims;
pub mod config;
mod issuer;
mod jwks;
pub mod key;
mod key_set;
mod metrics;
pub mod mint;
pub mod remote;
pub mod trust;

use std::collections::BTreeSet;

use crate::auth::config::Config;
use crate::auth::issuer::Issuer;
use crate::auth::key::{Header, KeyProblem};
use crate::auth::trust::Mode;
use crate::clock;
use crate::domain::claims::Claims;
use crate::domain::command::Token;
use crate::domain::id::TokenId;
use crate::domain::refusal::{Outcome, Refusal};
use crate::domain::revoked::Pass;
use crate::domain::role::Actor;
use crate::domain::time::Timestamp;
use crate::lifecycle::Lifecycle;

/// Somebody whose token verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who, and what the token lets them do.
    pub actor: Actor,
    /// When the token ends.
    pub expires_at: Timestamp,
    /// The token's own id, if it has one that is an id.
    pub token: Option<TokenId>,
    /// When the token was issued (`iat`, else `nbf`), if it says so.
    pub issued_at: Option<Timestamp>,
}

impl Identity {
    /// What tells whether the token was taken back.
    #[must_use]
    pub fn pass(&self) -> Pass {
        let user = self.actor.id().clone();
        Pass { user, token: self.token.clone(), issued_at: self.issued_at }
    }
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
    /// It was taken back.
    #[error("revoked")]
    Revoked,
    /// Its key is not known, and its issuer has not answered yet: asking again helps.
    #[error("the issuer's keys cannot be had now")]
    KeysAway,
}

impl AuthFailure {
    /// The reason in metrics and audit records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Expired => "expired",
            Self::Claims => "claims",
            Self::Revoked => "revoked",
            Self::KeysAway => "keys_away",
        }
    }

    /// What the client hears; the failure is counted.
    #[must_use]
    pub fn counted(self) -> Refusal {
        metrics::failed(self);
        self.refusal()
    }

    /// What the client hears. Only what cannot pass by itself is the token's fault.
    #[must_use]
    fn refusal(self) -> Refusal {
        match self {
            Self::Invalid | Self::Expired | Self::Claims | Self::Revoked => Refusal::AuthRequired,
            Self::KeysAway => Refusal::Unavailable(Outcome::Refused),
        }
    }
}

/// Verifies tokens.
#[derive(Debug)]
pub struct Authenticator {
    mode: Mode,
    issuers: Vec<Issuer>,
    cookies: Vec<String>,
}

impl Authenticator {
    /// Reads the configured keys, and from now on those that issuers publish.
    ///
    /// # Errors
    /// There is no key, or one of them is of no use.
    pub fn new(config: &Config, lifecycle: &Lifecycle) -> Result<Self, KeyProblem> {
        Self::check(config)?;
        metrics::describe();
        let issuers = config.all_issuers();
        let issuers =
            issuers.iter().map(|it| Issuer::new(it, lifecycle)).collect::<Result<_, _>>()?;
        Ok(Self { mode: config.mode, issuers, cookies: config.cookies.clone() })
    }

    /// Whether the configured keys can be used, as far as that can be told without asking anybody.
    ///
    /// # Errors
    /// There is no key, or one of them is of no use.
    pub fn check(config: &Config) -> Result<(), KeyProblem> {
        let issuers = config.all_issuers();
        if issuers.is_empty() && config.mode == Mode::Jwt {
            return Err(KeyProblem::Missing);
        }
        let mut names = BTreeSet::new();
        issuers.iter().try_for_each(|it| issuer::check(it, &mut names))
    }

    /// Who the bearer of `token` is.
    ///
    /// # Errors
    /// The token does not verify at `now`.
    pub fn verify(&self, token: &Token, now: Timestamp) -> Result<Identity, AuthFailure> {
        let header = Header::of(token)?;
        self.issuer_of(token).ok_or(AuthFailure::Claims)?.judge(token, &header, now)
    }

    /// Who the bearer of `token` is. Where its key is not known yet, the issuer is asked first: that
    /// takes a few seconds at most.
    ///
    /// # Errors
    /// The token does not verify.
    pub async fn verify_patiently(&self, token: &Token) -> Result<Identity, AuthFailure> {
        let verdict = self.verify(token, clock::now());
        match (verdict, self.issuer_of(token)) {
            (Err(AuthFailure::KeysAway), Some(issuer)) => {
                issuer.read_again().await;
                self.verify(token, clock::now())
            }
            (verdict, _) => verdict,
        }
    }

    /// By whose keys and rules a token is judged: those of the issuer that it names, else of the one
    /// that may have any name.
    fn issuer_of(&self, token: &Token) -> Option<&Issuer> {
        if let [only] = &self.issuers[..] {
            return Some(only);
        }
        let name = issuer::named_by(token);
        let named = self.issuers.iter().find(|it| it.name.is_some() && it.name == name);
        named.or_else(|| self.issuers.iter().find(|it| it.name.is_none()))
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

    /// Who somebody without a token is by these words, said at `now`; `None`: nobody is taken at their word, or
    /// the words say no id.
    #[must_use]
    pub fn take_at_word(&self, claims: &Claims, now: Timestamp) -> Option<Identity> {
        match self.mode {
            Mode::Jwt => None,
            Mode::Trust => trust::identity(claims, now),
        }
    }

    /// The cookies that may hold a token, in order.
    pub fn cookies(&self) -> &[String] {
        &self.cookies
    }
}

#[cfg(test)]
mod tests;
