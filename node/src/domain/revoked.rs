//! Tokens that are taken back before they end, and users who may be nowhere any more.

use crate::domain::id::{TokenId, UserId};
use crate::domain::time::Timestamp;

/// What is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Revoked {
    /// The token with this id (`jti`).
    Token(TokenId),
    /// All tokens of this user that were issued up to now.
    User(UserId),
    /// Not a token, but leave to be here: the user was banned, and perhaps is no more.
    Leave(UserId),
}

/// Something was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// What.
    pub what: Revoked,
    /// When, by Redis' clock.
    pub at: Timestamp,
}

/// What of a token tells whether it was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// Whose token it is.
    pub user: UserId,
    /// Its id, if it has one.
    pub token: Option<TokenId>,
    /// When it was issued, as far as it says so.
    pub issued_at: Option<Timestamp>,
}

impl Pass {
    /// What may be taken back to end it.
    pub fn subjects(&self) -> impl Iterator<Item = Revoked> {
        let token = self.token.clone().map(Revoked::Token);
        token.into_iter().chain([Revoked::User(self.user.clone())])
    }

    /// Whether taking back `what` at `at` ends it.
    ///
    /// Tokens tell their time in whole seconds, so one that was issued in the very second of the
    /// revocation is older than it looks; one that tells no time may be as old as any.
    #[must_use]
    pub fn is_ended_by(&self, what: &Revoked, at: Timestamp) -> bool {
        match what {
            Revoked::Token(token) => self.token.as_ref() == Some(token),
            Revoked::User(user) => {
                self.user == *user && self.issued_at.is_none_or(|issued_at| issued_at <= at)
            }
            Revoked::Leave(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(token: Option<&str>, issued_at: Option<u64>, revoked: &Revoked, is_ended: bool) {
        let pass = Pass {
            user: UserId::parse("alice").unwrap(),
            token: token.map(|it| TokenId::parse(it).unwrap()),
            issued_at: issued_at.map(Timestamp),
        };
        assert_eq!(pass.is_ended_by(revoked, Timestamp(5_400)), is_ended, "{pass:?} {revoked:?}");
        assert!(!is_ended || pass.subjects().any(|it| it == *revoked));
    }

    #[test]
    fn a_user_ends_what_was_issued_until_then_and_an_id_ends_its_token() {
        let user = |id: &str| Revoked::User(UserId::parse(id).unwrap());
        let token = |id: &str| Revoked::Token(TokenId::parse(id).unwrap());
        check(Some("t-1"), Some(4_000), &user("alice"), true);
        check(None, Some(5_000), &user("alice"), true);
        check(None, Some(6_000), &user("alice"), false);
        check(None, None, &user("alice"), true);
        check(Some("t-1"), Some(4_000), &user("bob"), false);
        check(Some("t-1"), Some(6_000), &token("t-1"), true);
        check(Some("t-1"), None, &token("t-2"), false);
        check(None, None, &token("t-1"), false);
    }
}
