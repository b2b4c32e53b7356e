//! What a payload says about its sender. Identity comes from the token alone, so these are only
//! compared with it.

use crate::domain::id::UserId;
use crate::domain::refusal::Refusal;
use crate::domain::role::{Actor, Side};

/// A sender's own words about itself, each as far as it said so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// Its id.
    pub id: Option<UserId>,
    /// On which side of the desk it stands: payloads name roles more coarsely than tokens.
    pub side: Option<Side>,
    /// Its display name.
    pub name: Option<String>,
}

impl Claims {
    /// Compares the claims with who it really is. A token without a name contradicts none.
    ///
    /// # Errors
    /// [`Refusal::AccessDenied`] where one of them differs.
    pub fn check(&self, actor: &Actor) -> Result<(), Refusal> {
        let user = &actor.participant;
        let is_right = self.id.as_ref().is_none_or(|it| *it == user.id)
            && self.side.is_none_or(|it| it == user.role.side())
            && self.name.as_ref().is_none_or(|it| !actor.is_named || *it == user.name);
        if is_right { Ok(()) } else { Err(Refusal::AccessDenied) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::role::{Participant, Role};

    fn check(claims: &Claims, name: Option<&str>, expected: &Result<(), Refusal>) {
        let id = UserId::parse("7").unwrap();
        let (name, is_named) = (name.unwrap_or("7").to_owned(), name.is_some());
        let participant = Participant { id, name, role: Role::Volunteer, full_name: None };
        let actor = Actor { participant, is_named, grants: vec![], departments: vec![] };
        assert_eq!(claims.check(&actor), *expected, "{claims:?} {actor:?}");
    }

    #[test]
    fn what_contradicts_the_token_is_denied() {
        let id = |text: &str| Some(UserId::parse(text).unwrap());
        let denied = Err(Refusal::AccessDenied);
        check(&Claims::default(), Some("Ann"), &Ok(()));
        check(&Claims { id: id("7"), ..Claims::default() }, Some("Ann"), &Ok(()));
        check(&Claims { id: id("07"), ..Claims::default() }, Some("Ann"), &denied);
        check(&Claims { side: Some(Side::Agent), ..Claims::default() }, Some("Ann"), &Ok(()));
        check(&Claims { side: Some(Side::Client), ..Claims::default() }, Some("Ann"), &denied);
        let named = || Claims { name: Some("Ann".to_owned()), ..Claims::default() };
        check(&named(), Some("Ann"), &Ok(()));
        check(&named(), Some("Bob"), &denied);
        check(&named(), None, &Ok(()));
        check(&named(), Some("7"), &denied);
    }
}
