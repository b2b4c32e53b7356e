//! Who types in a room, as this node has told its listeners: whoever heard a start hears a stop.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::event::Origin;
use crate::domain::id::UserId;
use crate::domain::role::Participant;

/// A typist who is silent for so long has stopped: twice the time between two repeated starts.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(6);

/// Typists of a room that are told; a further start is dropped.
const TYPISTS_MAX: usize = 100;

/// Somebody who types.
#[derive(Debug, Clone)]
pub(crate) struct Typist {
    /// Who.
    pub(crate) user: Participant,
    /// On which connection; that one is told nothing.
    pub(crate) origin: Origin,
    until: Instant,
}

/// All who type in one room.
#[derive(Debug, Default)]
pub(crate) struct Typists {
    typing: BTreeMap<UserId, Typist>,
}

impl Typists {
    /// Takes a start; `Some`: it is news.
    pub(crate) fn start(
        &mut self,
        user: Participant,
        origin: Origin,
        now: Instant,
    ) -> Option<&Typist> {
        let until = now + SILENCE_MAX;
        if let Some(typist) = self.typing.get_mut(&user.id) {
            typist.until = until;
            return None;
        }
        if TYPISTS_MAX <= self.typing.len() {
            return None;
        }
        Some(self.typing.entry(user.id.clone()).or_insert(Typist { user, origin, until }))
    }

    /// Takes a stop, or that the user has left; `Some`: it is news.
    pub(crate) fn stop(&mut self, user: &UserId) -> Option<Typist> {
        self.typing.remove(user)
    }

    /// Those who have been silent for too long.
    pub(crate) fn silent(&self, now: Instant) -> Vec<UserId> {
        let silent = self.typing.values().filter(|it| it.until <= now);
        silent.map(|it| it.user.id.clone()).collect()
    }

    /// Whether nobody types.
    pub(crate) fn is_empty(&self) -> bool {
        self.typing.is_empty()
    }
}
