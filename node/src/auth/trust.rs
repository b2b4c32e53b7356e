//! Clients that are taken at their word: they need no token where their protocol has them say who
//! they are when they connect.
//!
//! For one's own machine and for closed trials: nothing that such a client says is checked.

use serde::Deserialize;

use crate::auth::Identity;
use crate::domain::claims::Claims;
use crate::domain::role::{Actor, Grant, Participant, Role, Side};
use crate::domain::time::Timestamp;

/// How clients show who they are (`auth.mode`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// By a signed token.
    #[default]
    Jwt,
    /// By a signed token, or by their word alone where their protocol has them give it.
    Trust,
}

/// The end of the year 9999: a word does not end as a token does.
const NEVER: Timestamp = Timestamp(253_402_300_799_000);

/// Who somebody without a token says at `now` that it is; `None`: it says no id. It may be in every room that is
/// not reserved, as it may name any when it connects; nobody is an admin by their word.
pub(crate) fn identity(claims: &Claims, now: Timestamp) -> Option<Identity> {
    let id = claims.id.clone()?;
    let name = claims.name.clone().unwrap_or_else(|| id.to_string());
    let role = match claims.side {
        Some(Side::Agent) => Role::Volunteer,
        Some(Side::Client) | None => Role::User,
    };
    let actor = Actor {
        participant: Participant { id, name, role, full_name: None },
        is_named: claims.name.is_some(),
        grants: vec![Grant::Prefix(String::new())],
        departments: Vec::new(),
    };
    // A word is given anew each time, so no earlier revocation is about it.
    Some(Identity { actor, expires_at: NEVER, token: None, issued_at: Some(now) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{RoomId, UserId};

    #[test]
    fn a_word_makes_nobody_an_admin_and_ends_not() {
        let id = UserId::parse("ann").unwrap();
        let said = Claims { id: Some(id), side: Side::parse("admin"), name: None };
        let now = Timestamp(1);
        let Identity { actor, expires_at, token, issued_at } = identity(&said, now).unwrap();
        assert_eq!((token, issued_at), (None, Some(now)));
        assert_eq!((actor.participant.role, expires_at), (Role::Volunteer, NEVER));
        assert_eq!(expires_at.to_string(), "9999-12-31T23:59:59.000Z");
        assert!(actor.is_granted(&RoomId::parse("case-1").unwrap()));
        assert_eq!(identity(&Claims { id: None, ..said }, now), None);
    }
}
