//! What each client was told, against the logs and against what was sent.

use std::collections::{HashMap, HashSet};

use crate::history::{History, Joined, Mid, RoomIndex, What};
use crate::ledger::finding::{Class, Findings};
use crate::ledger::logs::Places;
use crate::ledger::sends::Sends;

/// Follows one client through the logs: after a place, it hears everything in order, once.
/// Its own messages may be left out on the connection that tried them.
pub(crate) fn check_in_order(
    client: usize,
    history: &History,
    places: &Places,
    findings: &mut Findings,
) {
    let mut listener = Listener {
        client,
        places,
        findings,
        seats: HashMap::new(),
        own: HashSet::new(),
        is_up: false,
    };
    for event in &history.events {
        match &event.what {
            What::Up => {
                listener.own.clear();
                listener.seats.values_mut().for_each(|it| it.is_live = false);
                listener.is_up = true;
            }
            // In its rooms as before, and its own messages are still its own.
            What::Recovered => listener.is_up = true,
            What::Down => listener.is_up = false,
            What::Joined(joined) => listener.join(joined),
            What::Reset(joined) => listener.reset(joined),
            What::Left { room } => {
                if let Some(seat) = listener.seats.get_mut(room) {
                    seat.is_live = false;
                }
            }
            What::Tried { mid, .. } => {
                listener.own.insert(*mid);
            }
            What::Heard { mid, room, id } => listener.hear(*mid, *room, *id),
            What::Acked { .. }
            | What::Refused { .. }
            | What::Unknown { .. }
            | What::Foreign { .. }
            | What::Online { .. }
            | What::Offline { .. } => (),
        }
    }
    listener.end();
}

/// Where a listener stands in a room.
#[derive(Debug)]
struct Seat {
    /// The first place that it has not been told.
    next: u64,
    epoch: u64,
    is_live: bool,
    told: HashSet<Mid>,
    /// What it was told and the log does not hold: a failover took it, which a reset has to say.
    taken_back: Vec<Mid>,
}

struct Listener<'a> {
    client: usize,
    places: &'a Places,
    findings: &'a mut Findings,
    seats: HashMap<RoomIndex, Seat>,
    /// Messages tried on the present connection.
    own: HashSet<Mid>,
    is_up: bool,
}

impl Listener<'_> {
    fn join(&mut self, joined: &Joined) {
        let (client, room) = (self.client, joined.room);
        let next = (joined.position.seq + 1).saturating_sub(joined.missed);
        let epoch = joined.position.epoch;
        let seat = self.seats.entry(room).or_insert_with(|| Seat {
            next,
            epoch,
            is_live: false,
            told: HashSet::new(),
            taken_back: Vec::new(),
        });
        if epoch < seat.epoch {
            let before = seat.epoch;
            self.findings.add(Class::EpochJump, || {
                format!("client {client}, room {room}: epoch {before}, then {epoch}")
            });
        }
        // Without the room's log, nobody knows where the last message stood.
        let is_known = self.places.top(room).is_some();
        if is_known && joined.resumed && seat.next < next {
            let due = seat.next;
            self.findings.add(Class::Skip, || {
                format!("client {client}, room {room}: goes on from {next} where {due} was due")
            });
        }
        if !joined.resumed {
            seat.taken_back.clear();
        }
        seat.next = if joined.resumed { seat.next.max(next) } else { next };
        seat.epoch = epoch;
        seat.is_live = true;
    }

    fn reset(&mut self, joined: &Joined) {
        if let Some(seat) = self.seats.get_mut(&joined.room) {
            seat.next = joined.position.seq + 1;
            seat.epoch = joined.position.epoch;
            seat.taken_back.clear();
        }
    }

    fn hear(&mut self, mid: Mid, room: RoomIndex, id: u32) {
        let client = self.client;
        let Some(seat) = self.seats.get_mut(&room).filter(|it| it.is_live) else { return };
        let place = self.places.of(mid).filter(|it| it.room == room && it.id == id);
        let Some(place) = place else {
            if self.places.top(room).is_some() {
                seat.taken_back.push(mid);
            }
            return;
        };
        let is_new = seat.told.insert(mid);
        if place.seq < seat.next {
            // What was told twice is counted where no log is needed.
            if is_new {
                let due = seat.next;
                self.findings.add(Class::Reorder, || {
                    format!("client {client}, room {room}: {} where {due} was due", place.seq)
                });
            }
            return;
        }
        let from = seat.next;
        seat.next = place.seq + 1;
        for seq in from..place.seq {
            let mid = self.places.at(room, seq);
            if !mid.is_some_and(|it| self.own.contains(&it)) {
                self.findings.add(Class::Skip, || {
                    format!("client {client}, room {room}: {} where {seq} was due", place.seq)
                });
            }
        }
    }

    fn end(&mut self) {
        if !self.is_up {
            return;
        }
        let client = self.client;
        let mut live: Vec<_> = self.seats.iter().filter(|(_, it)| it.is_live).collect();
        live.sort_by_key(|(room, _)| **room);
        for (room, seat) in live {
            for mid in &seat.taken_back {
                self.findings.add(Class::Diverged, || {
                    format!("client {client} heard {mid}, which is not so in the log of room {room}, and was told of no reset")
                });
            }
            let Some(top) = self.places.top(*room) else { continue };
            for seq in seat.next..=top {
                let mid = self.places.at(*room, seq);
                if !mid.is_some_and(|it| self.own.contains(&it)) {
                    self.findings.add(Class::Undelivered, || {
                        format!("client {client}, room {room}: never told {seq} of {top}")
                    });
                }
            }
        }
    }
}

/// The rules that need no order: everything heard was sent, to that room, and came once, to
/// somebody who was there.
pub(crate) fn check_all(histories: &[History], sends: &Sends, findings: &mut Findings) {
    for (client, history) in histories.iter().enumerate() {
        let mut inside: HashSet<RoomIndex> = HashSet::new();
        // What a failover took and was sent again is another message with another id.
        let mut told: HashSet<(Mid, u32)> = HashSet::new();
        for event in &history.events {
            match &event.what {
                What::Up => inside.clear(),
                What::Joined(joined) => {
                    inside.insert(joined.room);
                }
                What::Left { room } => {
                    inside.remove(room);
                }
                What::Foreign { room } => findings.add(Class::Invented, || {
                    format!("client {client} heard a text in room {room} that nobody wrote for it")
                }),
                What::Heard { mid, room, id } => {
                    let heard = Hearing { client, mid: *mid, room: *room, at_us: event.at_us };
                    heard.check(sends, findings);
                    if !inside.contains(room) {
                        findings.add(Class::NonMember, || {
                            format!("client {client} heard {mid} and was not in room {room}")
                        });
                    }
                    if !told.insert((*mid, *id)) {
                        findings.add(Class::DupDelivery, || {
                            format!("client {client} was told {mid} of room {room} again")
                        });
                    }
                }
                What::Recovered
                | What::Down
                | What::Reset(_)
                | What::Tried { .. }
                | What::Acked { .. }
                | What::Refused { .. }
                | What::Unknown { .. }
                | What::Online { .. }
                | What::Offline { .. } => (),
            }
        }
    }
}

struct Hearing {
    client: usize,
    mid: Mid,
    room: RoomIndex,
    at_us: u64,
}

impl Hearing {
    fn check(&self, sends: &Sends, findings: &mut Findings) {
        let Self { client, mid, room, at_us } = self;
        let Some(send) = sends.get(*mid).filter(|it| it.tried_us <= *at_us) else {
            findings.add(Class::Invented, || {
                format!("client {client} heard {mid} in room {room} before anybody sent it")
            });
            return;
        };
        if send.room != *room {
            findings.add(Class::WrongRoom, || {
                format!("client {client} heard {mid} of room {} in room {room}", send.room)
            });
        }
        if send.is_refused() {
            findings.add(Class::AbortedRead, || {
                format!("client {client} heard {mid}, which was refused")
            });
        }
    }
}

/// Without logs: each listener hears the messages of one connection in the order of sending.
pub(crate) fn check_senders(histories: &[History], sends: &Sends, findings: &mut Findings) {
    for (client, history) in histories.iter().enumerate() {
        let mut last: HashMap<(RoomIndex, usize, u32), Mid> = HashMap::new();
        for event in &history.events {
            let What::Heard { mid, room, .. } = event.what else { continue };
            let Some(send) = sends.get(mid) else { continue };
            let last = last.entry((room, send.client, send.connection)).or_insert(mid);
            if mid < *last {
                let later = *last;
                findings.add(Class::SenderFifo, || {
                    format!("client {client}, room {room}: heard {mid} after {later}")
                });
            }
            *last = mid.max(*last);
        }
    }
}
