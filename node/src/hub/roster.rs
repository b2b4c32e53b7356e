//! Who was seen in a room, as this node has told its listeners.
//!
//! A user who has left the room while still online elsewhere stays listed as absent, because the
//! room heard that the user came online and has to hear when the user goes offline.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::domain::id::UserId;
use crate::domain::presence::{Presence, Shown, Status};
use crate::domain::role::Participant;
use crate::domain::time::Timestamp;

/// Users of a room that a joiner is told of, and of which changes are told.
pub const ROSTER_USERS_MAX: usize = 200;

#[derive(Debug, Clone)]
struct Seen {
    user: Participant,
    is_present: bool,
    /// As last told, with its version; `None`: not known yet.
    told: Option<(u64, Status)>,
}

/// Somebody who is in the room, as a joiner is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Present {
    /// Who.
    pub(crate) user: Participant,
    /// Version of the user's presence, and online, away or busy; `None`: not known yet, or seen
    /// as offline.
    pub(crate) seen: Option<(u64, Status)>,
}

/// The users of one room.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    seen: IndexMap<UserId, Seen>,
    /// How often somebody came or went.
    moves: u64,
}

/// A change that listeners are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// Seen as online, away or busy now.
    Online(Participant, Status),
    /// Seen as offline now.
    Offline(Participant),
}

impl Roster {
    /// A user's first connection came in; `true`: that is news, and the user's status is wanted.
    pub(crate) fn enter(&mut self, user: Participant) -> bool {
        self.moves += 1;
        if let Some(seen) = self.seen.get_mut(&user.id) {
            let is_news = !seen.is_present;
            seen.is_present = true;
            seen.user = user;
            return is_news;
        }
        if ROSTER_USERS_MAX <= self.seen.len() && !self.forget_one_absent() {
            return false;
        }
        self.seen.insert(user.id.clone(), Seen { user, is_present: true, told: None });
        true
    }

    /// A user's last connection has left; `Some`: that is news.
    pub(crate) fn leave(&mut self, user: &UserId) -> Option<Participant> {
        self.moves += 1;
        let seen = self.seen.get_mut(user).filter(|it| it.is_present)?;
        seen.is_present = false;
        let participant = seen.user.clone();
        let is_told_online = seen.told.is_some_and(|(_, status)| status != Status::Offline);
        if !is_told_online {
            self.seen.swap_remove(user);
        }
        Some(participant)
    }

    /// A user's status was looked up because the user came in, or it changed. Who came in again is
    /// news again: some have joined since. Those who know are not told twice ([`Once`]).
    ///
    /// [`Once`]: crate::hub::outbox::Once
    pub(crate) fn status(&mut self, presence: &Presence, has_entered: bool) -> Option<Change> {
        let seen = self.seen.get_mut(&presence.user)?;
        let (before, was) = match seen.told {
            Some((version, status)) => (version, Some(status)),
            None => (0, None),
        };
        let is_repeat = presence.version == before && !(has_entered && seen.is_present);
        if presence.version < before || is_repeat {
            return None;
        }
        seen.told = Some((presence.version, presence.status));
        let user = seen.user.clone();
        let is_present = seen.is_present;
        match presence.status {
            Status::Online | Status::Away | Status::Busy => {
                is_present.then_some(Change::Online(user, presence.status))
            }
            Status::Offline => {
                if !is_present {
                    self.seen.swap_remove(&presence.user);
                }
                was.is_some_and(|it| it != Status::Offline).then_some(Change::Offline(user))
            }
        }
    }

    /// Rises whenever somebody comes or goes: a list that was asked for before is out of date then.
    pub(crate) fn moves(&self) -> u64 {
        self.moves
    }

    /// Those who are listed as present and are not among `counted`.
    pub(crate) fn missing(&self, counted: &[Participant]) -> Vec<UserId> {
        let counted: BTreeSet<_> = counted.iter().map(|it| &it.id).collect();
        let present = self.seen.values().filter(|it| it.is_present);
        present.filter(|it| !counted.contains(&it.user.id)).map(|it| it.user.id.clone()).collect()
    }

    /// Those who are in the room.
    pub(crate) fn present(&self) -> impl Iterator<Item = &UserId> {
        self.seen.values().filter(|it| it.is_present).map(|it| &it.user.id)
    }

    /// Somebody who is in the room, as a joiner is told now; `None`: not there any more.
    pub(crate) fn presence(&self, user: &UserId) -> Option<Present> {
        let seen = self.seen.get(user).filter(|it| it.is_present)?;
        let shown = seen.told.filter(|(_, status)| *status != Status::Offline);
        Some(Present { user: seen.user.clone(), seen: shown })
    }

    /// Those who are in the room and not seen as offline; online where nothing is known yet.
    pub(crate) fn listed(&self, at: Timestamp) -> Vec<Shown> {
        let present = self.seen.values().filter(|it| it.is_present);
        let shown = present.map(|it| Shown {
            user: it.user.clone(),
            status: it.told.map_or(Status::Online, |(_, status)| status),
            at,
        });
        shown.filter(|it| it.status != Status::Offline).collect()
    }

    /// How many users are in the room if `user` is, too.
    pub(crate) fn count_with(&self, user: &UserId) -> u64 {
        let others = self.seen.iter().filter(|(id, it)| it.is_present && *id != user);
        1 + others.count() as u64
    }

    /// Whether changes of this user concern the room.
    pub(crate) fn lists(&self, user: &UserId) -> bool {
        self.seen.contains_key(user)
    }

    /// All users whose changes concern the room.
    pub(crate) fn users(&self) -> impl Iterator<Item = &UserId> {
        self.seen.keys()
    }

    fn forget_one_absent(&mut self) -> bool {
        match self.seen.values().position(|it| !it.is_present) {
            Some(at) => self.seen.swap_remove_index(at).is_some(),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::role::Role;

    fn participant(id: &str) -> Participant {
        Participant {
            id: UserId::parse(id).unwrap(),
            name: id.to_owned(),
            role: Role::User,
            full_name: None,
        }
    }

    fn presence(id: &str, version: u64, status: Status) -> Presence {
        Presence { user: UserId::parse(id).unwrap(), version, status }
    }

    #[test]
    fn who_was_told_online_is_told_offline_once_also_after_leaving() {
        let (mut roster, ann) = (Roster::default(), participant("ann"));
        assert!(roster.enter(ann.clone()));
        assert!(!roster.enter(ann.clone()));
        let online = roster.status(&presence("ann", 1, Status::Online), true);
        assert_eq!(online, Some(Change::Online(ann.clone(), Status::Online)));
        assert_eq!(roster.leave(&ann.id), Some(ann.clone()));
        assert_eq!(roster.status(&presence("ann", 2, Status::Away), false), None);
        let offline = roster.status(&presence("ann", 3, Status::Offline), false);
        assert_eq!(offline, Some(Change::Offline(ann.clone())));
        assert_eq!(roster.status(&presence("ann", 3, Status::Offline), false), None);
        assert!(!roster.lists(&ann.id));
    }

    #[test]
    fn an_older_or_repeated_version_is_no_news() {
        let (mut roster, ann) = (Roster::default(), participant("ann"));
        roster.enter(ann);
        assert!(roster.status(&presence("ann", 5, Status::Busy), true).is_some());
        assert_eq!(roster.status(&presence("ann", 4, Status::Offline), false), None);
        assert_eq!(roster.status(&presence("ann", 5, Status::Busy), false), None);
        assert_eq!(roster.present().count(), 1);
    }

    #[test]
    fn a_joiner_is_told_what_is_true_when_it_is_told() {
        let (mut roster, ann) = (Roster::default(), participant("ann"));
        roster.enter(ann.clone());
        roster.status(&presence("ann", 1, Status::Online), true);
        let to_tell: Vec<UserId> = roster.present().cloned().collect();
        assert_eq!(to_tell, std::slice::from_ref(&ann.id));
        let online = Present { user: ann.clone(), seen: Some((1, Status::Online)) };
        assert_eq!(roster.presence(&ann.id), Some(online));
        roster.status(&presence("ann", 2, Status::Offline), false);
        assert_eq!(roster.presence(&ann.id), Some(Present { user: ann.clone(), seen: None }));
        roster.leave(&ann.id);
        assert_eq!(roster.presence(&ann.id), None);
    }

    #[test]
    fn whoever_comes_back_is_told_online_again() {
        let (mut roster, ann) = (Roster::default(), participant("ann"));
        roster.enter(ann.clone());
        roster.status(&presence("ann", 1, Status::Online), true);
        roster.leave(&ann.id);
        assert!(roster.enter(ann.clone()));
        let again = roster.status(&presence("ann", 1, Status::Online), true);
        assert_eq!(again, Some(Change::Online(ann, Status::Online)));
    }
}
