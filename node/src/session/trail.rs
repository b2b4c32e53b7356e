//! What a connection was written of its rooms, in order, and what of that its client has confirmed.
//!
//! The gateway notes what it writes. A pong proves that everything before its ping was received, so
//! only what came after the last confirmed ping is kept, and the last event before it: that may be
//! the newest one that the client has heard. What was confirmed moves the places of the rooms.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::domain::id::{MessageId, RoomId};
use crate::domain::position::Position;

/// Events that are kept unconfirmed: at one ping in 25 seconds, 40 events a second. Of a connection
/// that hears more, the order is not known when it is lost.
const WRITTEN_EVENTS_MAX: usize = 1024;

/// Places of rooms by their hash, sorted.
type Places = Vec<(u64, Position)>;

/// Sets a room's place.
fn set(places: &mut Places, room: u64, place: Position) {
    match places.binary_search_by_key(&room, |it| it.0) {
        Ok(at) => places[at].1 = place,
        Err(at) => places.insert(at, (room, place)),
    }
}

/// Moves the place of the event's room, if the room is there, and not back.
fn advance(places: &mut Places, event: MessageId) {
    if let Ok(at) = places.binary_search_by_key(&event.room_hash(), |it| it.0) {
        places[at].1 = places[at].1.max(event.position());
    }
}

#[derive(Debug, Default)]
struct Track {
    /// Up to where each room is confirmed.
    places: Places,
    written: VecDeque<MessageId>,
    /// Number of the oldest event in `written`.
    first: u64,
    /// Events that did not fit any more: not confirmed, and not to be named in order.
    spilled: Vec<MessageId>,
    /// Number of the first event after the last ping.
    pinged: u64,
    /// Rooms that have caught up since the last ping, before it, and confirmed.
    caught_up: Vec<RoomId>,
    caught_up_before_ping: Vec<RoomId>,
    confirmed: Vec<RoomId>,
    has_left: bool,
}

impl Track {
    fn told(&mut self, event: MessageId) {
        if self.written.len() == WRITTEN_EVENTS_MAX {
            self.spill();
        }
        self.written.push_back(event);
    }

    /// Of the spilled events only the newest of each room is of use.
    fn spill(&mut self) {
        let Some(oldest) = self.written.pop_front() else { return };
        self.first += 1;
        match self.spilled.iter_mut().find(|it| it.room_hash() == oldest.room_hash()) {
            Some(newest) => *newest = oldest,
            None => self.spilled.push(oldest),
        }
    }

    fn pinged(&mut self, is_all_written: bool) {
        self.pinged = self.first + self.written.len() as u64;
        if is_all_written {
            self.caught_up_before_ping.append(&mut self.caught_up);
        }
    }

    /// Answers whether a room was confirmed to have caught up.
    fn ponged(&mut self) -> bool {
        if self.first <= self.pinged {
            for event in mem::take(&mut self.spilled) {
                advance(&mut self.places, event);
            }
        }
        while self.first + 1 < self.pinged {
            let Some(event) = self.written.pop_front() else { break };
            self.first += 1;
            advance(&mut self.places, event);
        }
        // It may stay in the list, but it is confirmed.
        if self.first < self.pinged
            && let Some(event) = self.written.front()
        {
            advance(&mut self.places, *event);
        }
        if self.written.len() <= 1 {
            self.written.shrink_to_fit();
        }
        self.confirmed.append(&mut self.caught_up_before_ping);
        !self.confirmed.is_empty()
    }
}

/// Shared by a connection's gateway, which writes, and its session, which owns the rooms.
#[derive(Debug, Default)]
pub struct Trail {
    track: Mutex<Track>,
    confirmed: Notify,
}

impl Trail {
    fn lock(&self) -> MutexGuard<'_, Track> {
        // Nothing in here can leave the track half changed, so a poisoned lock is usable.
        self.track.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This room event is written next.
    pub fn told(&self, event: MessageId) {
        self.lock().told(event);
    }

    /// A ping is written next; `is_all_written`: nothing waits to be written before it.
    pub fn pinged(&self, is_all_written: bool) {
        self.lock().pinged(is_all_written);
    }

    /// The client has answered the last ping.
    pub fn ponged(&self) {
        if self.lock().ponged() {
            self.confirmed.notify_one();
        }
    }

    /// The client goes for good.
    pub fn left(&self) {
        self.lock().has_left = true;
    }

    /// The room goes on after `place`; what the client may have heard of it before is as it is.
    pub(super) fn enter(&self, room: &RoomId, place: Position) {
        set(&mut self.lock().places, room.hash38(), place);
    }

    /// The room is heard no more.
    pub(super) fn exit(&self, room: &RoomId) {
        let mut track = self.lock();
        track.places.retain(|it| it.0 != room.hash38());
        let Track { caught_up, caught_up_before_ping, confirmed, .. } = &mut *track;
        for rooms in [caught_up, caught_up_before_ping, confirmed] {
            rooms.retain(|it| it != room);
        }
    }

    /// All that the room missed was put into the outbox.
    pub(super) fn caught_up(&self, room: &RoomId) {
        self.lock().caught_up.push(room.clone());
    }

    /// Resolves with the rooms whose missed events were confirmed. One waiter: the session.
    pub(super) async fn confirmed(&self) -> Vec<RoomId> {
        loop {
            let confirmed = mem::take(&mut self.lock().confirmed);
            if !confirmed.is_empty() {
                return confirmed;
            }
            self.confirmed.notified().await;
        }
    }

    /// Up to where the room is confirmed.
    pub(super) fn place(&self, room: &RoomId) -> Option<Position> {
        let track = self.lock();
        let at = track.places.binary_search_by_key(&room.hash38(), |it| it.0).ok()?;
        Some(track.places[at].1)
    }

    /// What was written and not confirmed, in order, with the last confirmed event before it;
    /// `None`: it is not known.
    pub(super) fn written(&self) -> Option<Vec<MessageId>> {
        let track = self.lock();
        track.spilled.is_empty().then(|| track.written.iter().copied().collect())
    }

    /// Whether the client has gone for good.
    pub(super) fn has_left(&self) -> bool {
        self.lock().has_left
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn room(number: u64) -> RoomId {
        RoomId::parse(&format!("room-{number}")).unwrap()
    }

    fn event(number: u64, seq: u64) -> MessageId {
        MessageId::new(&room(number), Position::new(1, seq))
    }

    #[derive(Debug, Clone)]
    enum Act {
        Write(u64, u64),
        Ping,
        Pong,
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let act = prop_oneof![
            // Bursts, so that some trails spill.
            6 => (0_u64..3, 1_u64..300).prop_map(|(room, events)| Act::Write(room, events)),
            2 => Just(Act::Ping),
            2 => Just(Act::Pong),
        ];
        prop::collection::vec(act, 1..40)
    }

    proptest! {
        #[test]
        fn no_place_is_ahead_of_what_was_confirmed_and_nothing_unconfirmed_is_forgotten(
            acts in acts()
        ) {
            let trail = Trail::default();
            (0..3).for_each(|it| trail.enter(&room(it), Position::new(1, 0)));
            let mut written = Vec::new();
            let mut seqs = [0; 3];
            let (mut pinged, mut confirmed) = (None, 0);
            for act in acts {
                match act {
                    Act::Write(number, events) => for _ in 0..events {
                        let seq = &mut seqs[usize::try_from(number).unwrap()];
                        *seq += 1;
                        trail.told(event(number, *seq));
                        written.push((number, *seq));
                    },
                    Act::Ping if pinged.is_none() => {
                        trail.pinged(true);
                        pinged = Some(written.len());
                    }
                    Act::Pong => if let Some(before) = pinged.take() {
                        trail.ponged();
                        confirmed = before;
                    },
                    Act::Ping => (),
                }
                let heard = |number| {
                    let events = written[..confirmed].iter().rev();
                    events.clone().find(|it| it.0 == number).map_or(0, |it| it.1)
                };
                for number in 0..3 {
                    let place = trail.place(&room(number)).unwrap();
                    prop_assert!(place.seq.0 <= heard(number));
                }
                if let Some(kept) = trail.written() {
                    // Exact: the list and the places together are all that was written.
                    let from = written.len() - kept.len();
                    prop_assert!(from <= confirmed.max(1));
                    prop_assert!(confirmed == 0 || from + 1 == confirmed || from == confirmed);
                    let all = written[from..].iter().map(|it| event(it.0, it.1));
                    prop_assert!(kept.iter().copied().eq(all));
                    for number in 0..3 {
                        let place = trail.place(&room(number)).unwrap();
                        prop_assert_eq!(place.seq.0, heard(number));
                    }
                }
            }
        }
    }

    #[test]
    fn the_last_event_before_a_confirmed_ping_stays() {
        let trail = Trail::default();
        trail.enter(&room(1), Position::new(1, 0));
        (1..=3).for_each(|seq| trail.told(event(1, seq)));
        trail.pinged(true);
        trail.told(event(1, 4));
        trail.ponged();
        assert_eq!(trail.written(), Some(vec![event(1, 3), event(1, 4)]));
        assert_eq!(trail.place(&room(1)), Some(Position::new(1, 3)));
        trail.ponged();
        assert_eq!(trail.written().unwrap().len(), 2, "a pong without a ping confirms nothing");
    }

    #[tokio::test]
    async fn a_room_has_caught_up_once_a_ping_behind_its_events_is_answered() {
        let trail = Trail::default();
        trail.caught_up(&room(1));
        trail.pinged(false);
        trail.ponged();
        trail.caught_up(&room(2));
        trail.pinged(true);
        trail.caught_up(&room(3));
        trail.ponged();
        assert_eq!(trail.confirmed().await, [room(1), room(2)]);
    }
}
