//! What a connection of a client is told: events and acknowledgements.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::client::Draft;
use crate::client::session::{ASK_MAX, Question, Session};
use crate::content::{Stamp, id_hash};
use crate::dialect::{Answer, Heard, No, Position, Since};
use crate::history::{Joined, RoomIndex, What};
use crate::meters::{Count, Timed};
use crate::wire::packet::Packet;
use crate::world::micros;

/// Pauses before a message is tried again on a living connection: doubling, from and to.
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(2);

/// Pause before a refused join is asked again, if the server names none.
const JOIN_PAUSE: Duration = Duration::from_millis(500);

impl Session<'_> {
    pub(super) fn hear(&mut self, text: &str) {
        let world = Arc::clone(&self.client.world);
        match Packet::parse(text) {
            Ok(Packet::Event { name, arguments }) => {
                if let (Some(trace), Some(offset)) = (&mut self.client.trace, arguments.last_text())
                {
                    trace.offset = Some(offset);
                }
                self.heard(world.dialect.hear(&name, arguments));
            }
            Ok(Packet::Ack { id, arguments }) => match world.dialect.answer(arguments) {
                Some(answer) => self.answered(id, answer),
                None => self.odd("acknowledgement of another shape"),
            },
            Ok(
                Packet::Open(_)
                | Packet::Close
                | Packet::Ping
                | Packet::Connected { .. }
                | Packet::ConnectError(_)
                | Packet::Disconnect
                | Packet::Other,
            ) => (),
            Err(error) => self.odd(&error.to_string()),
        }
    }

    fn odd(&self, what: &str) {
        self.client.world.meters.count(Count::Oddities);
        self.client.world.meters.code(what);
    }

    fn heard(&mut self, heard: Heard<'_>) {
        let world = Arc::clone(&self.client.world);
        match heard {
            Heard::Message { room, id, text } => self.received(&room, &id, &text),
            Heard::Typing => world.meters.count(Count::TypingHeard),
            Heard::Online { user } => {
                world.meters.count(Count::PresenceHeard);
                if let Some(user) = world.user_number(&user) {
                    self.client.note(What::Online { user });
                }
            }
            Heard::Offline { user } => {
                world.meters.count(Count::PresenceHeard);
                if let Some(user) = world.user_number(&user) {
                    self.client.note(What::Offline { user });
                }
            }
            Heard::Reset { room, position } => {
                world.meters.count(Count::Gaps);
                let room = world.room_number(&room);
                let seat = self.client.seats.iter_mut().find(|it| Some(it.room) == room);
                if let Some(seat) = seat {
                    seat.since = Some(Since::Position(position));
                    let room = seat.room;
                    let joined = Joined { room, position, missed: 0, resumed: false };
                    self.client.note(What::Reset(Box::new(joined)));
                }
            }
            Heard::Error { code } => self.odd(&code),
            Heard::Other => (),
        }
    }

    fn received(&mut self, room: &str, id: &str, text: &str) {
        let world = Arc::clone(&self.client.world);
        let now = world.now();
        world.meters.count(Count::Delivered);
        world.news(now);
        let number = world.room_number(room);
        let seat = self.client.seats.iter_mut().find(|it| Some(it.room) == number);
        let entered_us = seat.as_ref().map_or(u64::MAX, |it| it.entered_us);
        if let Some(seat) = seat {
            match &mut seat.since {
                Some(Since::Message(last)) => {
                    last.clear();
                    last.push_str(id);
                }
                other => *other = Some(Since::Message(id.to_owned())),
            }
        }
        let room_number = number.unwrap_or(RoomIndex::MAX);
        match Stamp::read(text, world.run, room) {
            Some(Stamp { mid, due_us }) => {
                if entered_us <= due_us {
                    let late = micros(now).saturating_sub(due_us);
                    world.meters.time(self.client.index, Timed::Delivery, late);
                }
                self.client.note(What::Heard { mid, room: room_number, id: id_hash(id) });
            }
            None => self.client.note(What::Foreign { room: room_number }),
        }
    }

    fn answered(&mut self, id: u64, answer: Answer) {
        let Some(asked) = self.asked.remove(&id) else {
            return self.odd("acknowledgement that nobody waits for");
        };
        match (asked.question, answer) {
            (Question::Join { seat }, Answer::Joined { position, resumed, missed }) => {
                self.joined(seat, position, missed, resumed);
            }
            (Question::Join { .. }, Answer::Refused(no)) => self.join_refused(&no),
            (Question::Leave { room }, Answer::Done) => self.client.note(What::Left { room }),
            (Question::Send(draft), Answer::Sent { id, seq }) => self.sent(draft, &id, seq),
            (Question::Send(draft), Answer::Refused(no)) => self.send_refused(draft, &no),
            (Question::Send(draft), Answer::Joined { .. } | Answer::Done) => {
                self.odd("acknowledgement of a message without its place");
                self.sends_in_flight -= 1;
                self.client.retry(draft, RETRY_MAX);
            }
            (Question::Join { .. } | Question::Leave { .. }, _) => {
                self.odd("acknowledgement of another question");
                self.join_at = Some(self.client.world.now() + JOIN_PAUSE);
            }
        }
    }

    pub(super) fn joined(&mut self, seat: usize, position: Position, missed: u64, resumed: bool) {
        let world = Arc::clone(&self.client.world);
        let now = world.now();
        let it = &mut self.client.seats[seat];
        it.is_joined = true;
        it.entered_us = micros(now);
        if it.since.is_some() && !resumed {
            world.meters.count(Count::Gaps);
        }
        if it.since.is_none() || !resumed {
            let seq = position.seq.saturating_sub(missed);
            it.since = Some(Since::Position(Position { seq, ..position }));
        }
        let joined = Joined { room: it.room, position, missed, resumed };
        self.client.note(What::Joined(Box::new(joined)));
        if self.is_seated()
            && let Some(lost_at) = self.client.lost_at.take()
        {
            world.meters.time(self.client.index, Timed::Return, micros(now - lost_at));
        }
    }

    fn join_refused(&mut self, no: &No) {
        self.client.world.meters.code(&format!("join: {}", no.code));
        let pause = no.retry_after_ms.map_or(JOIN_PAUSE, Duration::from_millis);
        self.join_at = Some(self.client.world.now() + pause.min(ASK_MAX));
    }

    fn sent(&mut self, mut draft: Draft, id: &str, seq: u64) {
        self.sends_in_flight -= 1;
        let world = Arc::clone(&self.client.world);
        let seq = u32::try_from(seq).unwrap_or(u32::MAX);
        self.client.note(What::Acked { mid: draft.mid, seq, id: id_hash(id) });
        if draft.is_repeat {
            world.meters.count(Count::Repeated);
            return self.client.settle();
        }
        world.meters.count(Count::Acked);
        let late = micros(world.now()).saturating_sub(draft.due_us);
        world.meters.time(self.client.index, Timed::Ack, late);
        world.room(draft.room).acked.fetch_add(1, Ordering::Relaxed);
        if self.client.chance.f64() < world.repeats {
            draft.is_repeat = true;
            return self.client.queue(draft, Duration::ZERO);
        }
        self.client.settle();
    }

    fn send_refused(&mut self, draft: Draft, no: &No) {
        self.sends_in_flight -= 1;
        self.client.world.meters.code(&format!("send: {}", no.code));
        if no.is_unknown {
            let pause = (RETRY_FIRST * 2_u32.saturating_pow(draft.attempts.min(8))).min(RETRY_MAX);
            self.client.retry(draft, no.retry_after_ms.map_or(pause, Duration::from_millis));
        } else {
            self.client.world.meters.count(Count::Refused);
            self.client.note(What::Refused { mid: draft.mid });
            self.client.settle();
        }
    }
}
