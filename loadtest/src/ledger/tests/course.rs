//! A run that breaks no rule, and what it takes to change it.

use std::time::Duration;

use crate::dialect::{Offer, Position};
use crate::history::{Event, History, Joined, Mid, What};
use crate::ledger::{Entry, Evidence, RoomLog};

pub(super) const SECOND: u64 = 1_000_000;

pub(super) fn position(seq: u64) -> Position {
    Position { epoch: 7, seq }
}

pub(super) fn joined(room: u32, seq: u64, missed: u64, resumed: bool) -> What {
    What::Joined(Box::new(Joined { room, position: position(seq), missed, resumed }))
}

pub(super) fn id(mid: Mid) -> u32 {
    1000 + mid
}

pub(super) fn heard(mid: Mid) -> What {
    What::Heard { mid, room: 0, id: id(mid) }
}

pub(super) fn acked(mid: Mid, seq: u32) -> What {
    What::Acked { mid, seq, id: id(mid) }
}

pub(super) fn tried(mid: Mid) -> What {
    What::Tried { mid, room: 0 }
}

pub(super) fn history(user: u32, events: Vec<(u64, What)>) -> History {
    let events = events.into_iter().map(|(at, what)| Event { at_us: at * SECOND, what });
    History { user, events: events.collect() }
}

/// User 0 sends messages 0 to 4 into room 0; user 1 hears them, is away for 2 and 3, and resumes.
/// User 2 comes and goes; user 0 sends 5, which nobody can place until it is tried again.
pub(super) fn good() -> Evidence {
    let sender = vec![
        (1, What::Up),
        (1, joined(0, 0, 0, false)),
        (2, What::Online { user: 1 }),
        (3, What::Online { user: 2 }),
        (4, tried(0)),
        (5, acked(0, 1)),
        (6, tried(1)),
        (7, acked(1, 2)),
        (8, tried(2)),
        (8, tried(3)),
        (9, acked(2, 3)),
        (9, acked(3, 4)),
        (10, What::Offline { user: 2 }),
        (14, tried(4)),
        (15, acked(4, 5)),
        (16, tried(5)),
        (17, What::Unknown { mid: 5 }),
        (18, tried(5)),
        (19, acked(5, 6)),
        (20, tried(6)),
        (21, What::Refused { mid: 6 }),
    ];
    let listener = vec![
        (1, What::Up),
        (1, joined(0, 0, 0, false)),
        (2, What::Online { user: 0 }),
        (5, heard(0)),
        (7, heard(1)),
        (8, What::Down),
        (11, What::Up),
        (12, joined(0, 4, 2, true)),
        (12, What::Online { user: 0 }),
        (12, heard(2)),
        (12, heard(3)),
        (15, heard(4)),
        (19, heard(5)),
    ];
    let visitor = vec![
        (2, What::Up),
        (3, joined(0, 0, 0, false)),
        (3, What::Left { room: 0 }),
        (4, What::Down),
    ];
    let entries = (0..6).map(|mid| Entry { mid: Some(mid), id: id(mid) }).collect();
    Evidence {
        offer: Offer::Full,
        histories: vec![history(0, sender), history(1, listener), history(2, visitor)],
        logs: vec![RoomLog { start: position(0), entries, fault: None }],
        end_us: 60 * SECOND,
        presence_bound: Duration::from_secs(10),
    }
}

/// Where an event stands in a client's history.
pub(super) fn find(evidence: &Evidence, client: usize, what: &What) -> usize {
    evidence.histories[client].events.iter().position(|it| it.what == *what).unwrap()
}

pub(super) fn remove(evidence: &mut Evidence, client: usize, what: &What) {
    let place = find(evidence, client, what);
    evidence.histories[client].events.remove(place);
}

pub(super) fn replace(evidence: &mut Evidence, client: usize, what: &What, with: What) {
    let place = find(evidence, client, what);
    evidence.histories[client].events[place].what = with;
}

pub(super) fn add(evidence: &mut Evidence, client: usize, at: u64, what: What) {
    let events = &mut evidence.histories[client].events;
    let place = events.partition_point(|it| it.at_us <= at * SECOND);
    events.insert(place, Event { at_us: at * SECOND, what });
}
