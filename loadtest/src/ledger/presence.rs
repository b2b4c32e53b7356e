//! Who was told as online at the end, against who was there.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::dialect::Offer;
use crate::history::{History, RoomIndex, UserIndex, What};
use crate::ledger::Evidence;
use crate::ledger::finding::{Class, Findings};
use crate::world::micros;

/// A joiner is told about so many members; in larger rooms it may not know who was there before.
const TOLD_AT_JOIN_MAX: usize = 200;

/// A client as it was at the end.
#[derive(Debug, Default)]
struct Last {
    is_up: bool,
    /// The rooms it is in, and since when.
    rooms: BTreeMap<RoomIndex, u64>,
    /// When it last came, went, joined or left.
    changed_us: u64,
    /// What its present connection was told about others last.
    told: HashMap<UserIndex, bool>,
}

impl Last {
    fn of(history: &History) -> Self {
        let mut last = Self::default();
        for event in &history.events {
            match &event.what {
                What::Up => last = Self { is_up: true, changed_us: event.at_us, ..Self::default() },
                What::Down => last = Self { changed_us: event.at_us, ..Self::default() },
                What::Joined(joined) => {
                    last.rooms.insert(joined.room, event.at_us);
                    last.changed_us = event.at_us;
                }
                What::Left { room } => {
                    last.rooms.remove(room);
                    last.changed_us = event.at_us;
                    // Who is in no room is told nothing: what it knew may be old when it comes back.
                    if last.rooms.is_empty() {
                        last.told.clear();
                    }
                }
                What::Online { user } => {
                    last.told.insert(*user, true);
                }
                What::Offline { user } => {
                    last.told.insert(*user, false);
                }
                What::Reset(_)
                | What::Tried { .. }
                | What::Acked { .. }
                | What::Refused { .. }
                | What::Unknown { .. }
                | What::Heard { .. }
                | What::Foreign { .. } => (),
            }
        }
        last
    }
}

/// A user as all its clients were at the end.
#[derive(Debug, Default)]
struct User {
    is_up: bool,
    rooms: BTreeMap<RoomIndex, u64>,
    changed_us: u64,
}

/// Only changes that are older than the bound are judged.
pub(crate) fn check(evidence: &Evidence, findings: &mut Findings) {
    if evidence.offer == Offer::Bare {
        return;
    }
    let bound = micros(evidence.presence_bound);
    let Some(settled_us) = evidence.end_us.checked_sub(bound) else { return };
    let clients: Vec<Last> = evidence.histories.iter().map(Last::of).collect();
    let mut users: HashMap<UserIndex, User> = HashMap::new();
    let mut members: BTreeMap<RoomIndex, HashSet<UserIndex>> = BTreeMap::new();
    for (history, last) in evidence.histories.iter().zip(&clients) {
        let user = users.entry(history.user).or_default();
        user.is_up |= last.is_up;
        user.changed_us = user.changed_us.max(last.changed_us);
        for (room, since) in &last.rooms {
            user.rooms.insert(*room, *since);
            members.entry(*room).or_default().insert(history.user);
        }
    }
    for (client, (history, last)) in evidence.histories.iter().zip(&clients).enumerate() {
        let mut told: Vec<_> = last.told.iter().filter(|it| *it.0 != history.user).collect();
        told.sort();
        for (user, is_online) in told {
            let Some(truth) = users.get(user).filter(|it| it.changed_us < settled_us) else {
                continue;
            };
            if *is_online && !truth.is_up {
                findings.add(Class::PhantomOnline, || {
                    format!("client {client} believes that user {user} is online")
                });
            }
        }
        let expected = expected(last, settled_us, &members, &users);
        for user in expected.into_iter().filter(|it| *it != history.user) {
            if last.told.get(&user) != Some(&true) {
                findings.add(Class::MissingOnline, || {
                    format!("client {client} does not know that user {user} is online")
                });
            }
        }
    }
}

/// Whom a client has to know as online, in order.
fn expected(
    last: &Last,
    settled_us: u64,
    members: &BTreeMap<RoomIndex, HashSet<UserIndex>>,
    users: &HashMap<UserIndex, User>,
) -> Vec<UserIndex> {
    let mut expected = Vec::new();
    for (room, entered_us) in last.rooms.iter().filter(|it| *it.1 < settled_us) {
        let Some(members) = members.get(room) else { continue };
        let is_small = members.len() <= TOLD_AT_JOIN_MAX;
        let is_due = |user: &&UserIndex| {
            users.get(*user).is_some_and(|it| {
                let since = it.rooms.get(room).copied().unwrap_or(u64::MAX);
                it.changed_us < settled_us && (is_small || *entered_us < since)
            })
        };
        expected.extend(members.iter().filter(is_due));
    }
    expected.sort_unstable();
    expected.dedup();
    expected
}
