//! Who was told as online at the end, against who was there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::dialect::Offer;
use crate::history::{History, RoomIndex, UserIndex, What};
use crate::ledger::Evidence;
use crate::ledger::finding::{Class, Findings};
use crate::world::micros;

/// Rooms that more users than this were in are not judged: servers tell presence for so many only.
const USERS_MAX: usize = 200;

/// A client as it was at the end.
#[derive(Debug, Default)]
struct Last {
    is_up: bool,
    /// The rooms it is in, and since when.
    rooms: BTreeMap<RoomIndex, u64>,
    /// When it last came, went, joined or left.
    changed_us: u64,
    /// What its present connection was told about others last, and when.
    told: HashMap<UserIndex, (bool, u64)>,
}

impl Last {
    fn of(history: &History) -> Self {
        let mut last = Self::default();
        for event in &history.events {
            match &event.what {
                What::Up => last = Self { is_up: true, changed_us: event.at_us, ..Self::default() },
                What::Recovered => (last.is_up, last.changed_us) = (true, event.at_us),
                What::Down => (last.is_up, last.changed_us) = (false, event.at_us),
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
                    last.told.insert(*user, (true, event.at_us));
                }
                What::Offline { user } => {
                    last.told.insert(*user, (false, event.at_us));
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
        if !last.is_up {
            last = Self { changed_us: last.changed_us, ..Self::default() };
        }
        last
    }
}

/// A user as all its clients were at the end.
#[derive(Debug, Default)]
struct User {
    is_up: bool,
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
    let mut members: BTreeMap<RoomIndex, BTreeSet<UserIndex>> = BTreeMap::new();
    for (history, last) in evidence.histories.iter().zip(&clients) {
        let user = users.entry(history.user).or_default();
        user.is_up |= last.is_up;
        user.changed_us = user.changed_us.max(last.changed_us);
        for room in last.rooms.keys() {
            members.entry(*room).or_default().insert(history.user);
        }
    }
    let is_settled =
        |user: &UserIndex| users.get(user).is_some_and(|it| it.changed_us < settled_us);
    let large = large_rooms(&evidence.histories);
    for (client, (history, last)) in evidence.histories.iter().zip(&clients).enumerate() {
        if rooms_of(history).any(|it| large.contains(&it)) {
            continue;
        }
        let mut told: Vec<_> = last.told.iter().filter(|it| *it.0 != history.user).collect();
        told.sort();
        for (user, (is_online, told_us)) in told.into_iter().filter(|it| is_settled(it.0)) {
            if *is_online && !users.get(user).is_some_and(|it| it.is_up) {
                findings.add(Class::PhantomOnline, || {
                    let gone = changed(&users, *user);
                    format!("client {client} was told at {told_us} us that user {user} is online, who went at {gone} us")
                });
            }
        }
        let entered = last.rooms.iter().filter(|it| *it.1 < settled_us);
        let present: BTreeSet<UserIndex> =
            entered.filter_map(|it| members.get(it.0)).flatten().copied().collect();
        for user in present.iter().filter(|it| **it != history.user && is_settled(it)) {
            let told = last.told.get(user);
            if !told.is_some_and(|it| it.0) {
                findings.add(Class::MissingOnline, || {
                    let (since, came) = (last.changed_us, changed(&users, *user));
                    let last = told.map_or_else(
                        || "nothing".to_owned(),
                        |it| format!("offline at {} us", it.1),
                    );
                    format!("client {client}, in its room since {since} us, does not know user {user}, who came at {came} us; it was told {last}")
                });
            }
        }
    }
}

/// When a user last came, went, joined or left.
fn changed(users: &HashMap<UserIndex, User>, user: UserIndex) -> u64 {
    users.get(&user).map_or(0, |it| it.changed_us)
}

fn rooms_of(history: &History) -> impl Iterator<Item = RoomIndex> {
    history.events.iter().filter_map(|it| match &it.what {
        What::Joined(joined) => Some(joined.room),
        What::Up
        | What::Recovered
        | What::Down
        | What::Left { .. }
        | What::Reset(_)
        | What::Tried { .. }
        | What::Acked { .. }
        | What::Refused { .. }
        | What::Unknown { .. }
        | What::Heard { .. }
        | What::Foreign { .. }
        | What::Online { .. }
        | What::Offline { .. } => None,
    })
}

fn large_rooms(histories: &[History]) -> BTreeSet<RoomIndex> {
    let mut visitors: BTreeMap<RoomIndex, HashSet<UserIndex>> = BTreeMap::new();
    for history in histories {
        for room in rooms_of(history) {
            visitors.entry(room).or_default().insert(history.user);
        }
    }
    let large = visitors.into_iter().filter(|(_, users)| USERS_MAX < users.len());
    large.map(|(room, _)| room).collect()
}
