//! The rooms' logs against what the senders were told.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use crate::history::{Mid, RoomIndex};
use crate::ledger::RoomLog;
use crate::ledger::finding::{Class, Findings};
use crate::ledger::sends::Sends;

/// Where each message stands.
#[derive(Debug)]
pub(crate) struct Places {
    by_mid: HashMap<Mid, Place>,
    rooms: Vec<Span>,
}

/// Where a message stands in its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) room: RoomIndex,
    pub(crate) seq: u64,
    pub(crate) id: u32,
}

/// The messages of a room's log in order.
#[derive(Debug)]
struct Span {
    before_first: u64,
    mids: Vec<Option<Mid>>,
    is_read: bool,
}

impl Places {
    /// Reads the logs and checks each entry by itself.
    pub(crate) fn read(logs: &[RoomLog], sends: &Sends, findings: &mut Findings) -> Self {
        let mut places = Self { by_mid: HashMap::new(), rooms: Vec::new() };
        for (room, log) in (0..).zip(logs) {
            if let Some(fault) = &log.fault {
                findings.add(Class::Unread, || format!("log of room {room}: {fault}"));
            }
            places.rooms.push(Span {
                before_first: log.start.seq,
                mids: log.entries.iter().map(|it| it.mid).collect(),
                is_read: log.fault.is_none(),
            });
            for (seq, entry) in (log.start.seq + 1..).zip(&log.entries) {
                let Some(mid) = entry.mid else {
                    findings.add(Class::Invented, || {
                        format!("room {room} at {seq} holds a text that nobody wrote for it")
                    });
                    continue;
                };
                places.put(mid, Place { room, seq, id: entry.id }, findings);
                let Some(send) = sends.get(mid) else {
                    findings.add(Class::Invented, || {
                        format!("room {room} at {seq} holds message {mid} that nobody sent")
                    });
                    continue;
                };
                if send.room != room {
                    findings.add(Class::WrongRoom, || {
                        format!("message {mid} for room {} is in the log of room {room}", send.room)
                    });
                }
                if send.is_refused() {
                    findings.add(Class::AbortedRead, || {
                        format!("message {mid} was refused and is in room {room} at {seq}")
                    });
                }
            }
        }
        places
    }

    fn put(&mut self, mid: Mid, place: Place, findings: &mut Findings) {
        match self.by_mid.entry(mid) {
            Slot::Vacant(slot) => {
                slot.insert(place);
            }
            Slot::Occupied(slot) => findings.add(Class::DupLog, || {
                let (before, room) = (slot.get().seq, place.room);
                format!("message {mid} is in room {room} at {before} and at {}", place.seq)
            }),
        }
    }

    pub(crate) fn of(&self, mid: Mid) -> Option<Place> {
        self.by_mid.get(&mid).copied()
    }

    /// The message at a place of a room.
    pub(crate) fn at(&self, room: RoomIndex, seq: u64) -> Option<Mid> {
        let span = self.rooms.get(room as usize)?;
        let place = usize::try_from(seq.checked_sub(span.before_first + 1)?).ok()?;
        *span.mids.get(place)?
    }

    /// The last place of a room; `None`: its log was not read to the end.
    pub(crate) fn top(&self, room: RoomIndex) -> Option<u64> {
        let span = self.rooms.get(room as usize).filter(|it| it.is_read)?;
        Some(span.before_first + span.mids.len() as u64)
    }
}

/// Every promise against the logs.
pub(crate) fn check_sends(sends: &Sends, places: &Places, findings: &mut Findings) {
    for (mid, send) in sends.iter() {
        let Some(acked) = send.acked else { continue };
        match places.of(mid) {
            None if places.top(send.room).is_none() => (),
            None => findings.add(Class::LostAck, || {
                format!("message {mid} was acknowledged at {} of room {}", acked.seq, send.room)
            }),
            Some(place) if place.seq == u64::from(acked.seq) && place.id == acked.id => (),
            Some(place) => findings.add(Class::Diverged, || {
                let (told, room) = (acked.seq, send.room);
                format!("message {mid} was told to be at {told} and is at {} of {room}", place.seq)
            }),
        }
    }
}

/// Every room's order against time, and against each sender's own order.
pub(crate) fn check_order(logs: &[RoomLog], sends: &Sends, findings: &mut Findings) {
    for (room, log) in logs.iter().enumerate() {
        check_realtime(room, log, sends, findings);
        check_fifo(room, log, sends, findings);
    }
}

/// From the end: nothing later may have been acknowledged before an earlier one was sent.
fn check_realtime(room: usize, log: &RoomLog, sends: &Sends, findings: &mut Findings) {
    let mut first_acked: Option<(u64, Mid)> = None;
    for mid in log.entries.iter().rev().filter_map(|it| it.mid) {
        let Some(send) = sends.get(mid) else { continue };
        if let Some((acked_us, later)) = first_acked.filter(|it| it.0 < send.tried_us) {
            findings.add(Class::Realtime, || {
                format!("room {room}: {later} was acknowledged at {acked_us} us, before {mid} was sent, and stands behind it")
            });
        }
        if let Some(acked) = send.acked {
            first_acked = first_acked.into_iter().chain([(acked.at_us, mid)]).min();
        }
    }
}

/// A message that was tried once stands before the later ones of the same connection. One that was
/// tried again may stand behind them, because its first attempt may have come to nothing.
fn check_fifo(room: usize, log: &RoomLog, sends: &Sends, findings: &mut Findings) {
    let mut last: HashMap<(usize, u32), Mid> = HashMap::new();
    for mid in log.entries.iter().filter_map(|it| it.mid) {
        let Some(send) = sends.get(mid) else { continue };
        let last = last.entry((send.client, send.connection)).or_insert(mid);
        if mid < *last && send.attempts == 1 {
            let later = *last;
            findings.add(Class::SenderFifo, || {
                format!("room {room}: {mid} was sent before {later} and stands behind it")
            });
        }
        *last = mid.max(*last);
    }
}
