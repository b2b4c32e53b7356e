//! One connection of a client: what is due is done, what arrives is noted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::behaviour::{Absence, Away, Rhythm};
use crate::client::{Client, Draft};
use crate::dialect::{Offer, Position, Speech};
use crate::history::{RoomIndex, What};
use crate::meters::Count;
use crate::wire::socket::{Socket, SocketError};
use crate::world::micros;

/// So long an acknowledgement may take before the outcome counts as unknown.
pub(super) const ASK_MAX: Duration = Duration::from_secs(10);

/// Messages that may wait for their acknowledgements; the next ones wait, and their clocks run.
const IN_FLIGHT_MAX: usize = 256;

/// How often a client that wants to come back looks whether its leaving was answered.
const LEAVE_POLL: Duration = Duration::from_millis(5);

/// So far away that it never comes during a run.
const NEVER: Duration = Duration::from_secs(30 * 24 * 3600);

/// How a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// The run is over.
    Stopped,
    /// The plan said so.
    Cut {
        until: Duration,
    },
    Lost(SocketError),
}

/// What an acknowledgement will be about.
#[derive(Debug)]
pub(super) enum Question {
    Join { seat: usize },
    Leave { room: RoomIndex },
    Send(Draft),
}

#[derive(Debug)]
pub(super) struct Asked {
    at: Duration,
    pub(super) question: Question,
}

/// A connection at work.
#[derive(Debug)]
pub(super) struct Session<'a> {
    pub(super) client: &'a mut Client,
    socket: Socket,
    /// In the order of asking.
    pub(super) asked: BTreeMap<u64, Asked>,
    pub(super) sends_in_flight: usize,
    /// Away though connected, and until when.
    away: Option<(Away, Duration)>,
    pub(super) join_at: Option<Duration>,
}

impl<'a> Session<'a> {
    pub(super) fn new(client: &'a mut Client, socket: Socket) -> Self {
        let join_at = Some(client.world.now());
        let asked = BTreeMap::new();
        Self { client, socket, asked, sends_in_flight: 0, away: None, join_at }
    }

    /// Works until the connection ends.
    pub(super) async fn run(mut self, stop: &CancellationToken) -> End {
        let end = self.work(stop).await.unwrap_or_else(End::Lost);
        for (_, asked) in std::mem::take(&mut self.asked) {
            match asked.question {
                Question::Send(draft) => self.client.retry(draft, Duration::ZERO),
                Question::Join { .. } | Question::Leave { .. } => (),
            }
        }
        if matches!(end, End::Cut { .. }) {
            self.socket.cut();
        }
        end
    }

    async fn work(&mut self, stop: &CancellationToken) -> Result<End, SocketError> {
        let timer = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(timer);
        loop {
            let due = self.client.world.start + self.due();
            if timer.deadline() != due {
                timer.as_mut().reset(due);
            }
            let is_awake = !matches!(self.away, Some((Away::Asleep, _)));
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(End::Stopped),
                () = &mut timer => if let Some(end) = self.act().await? {
                    return Ok(end);
                },
                text = self.socket.next(), if is_awake => self.hear(text?.as_str()),
            }
        }
    }

    /// When something is to be done next.
    fn due(&self) -> Duration {
        if let Some((_, until)) = self.away {
            return until;
        }
        let client = &*self.client;
        let timeout = self.asked.first_key_value().map(|(_, it)| it.at + ASK_MAX);
        let absence = client.absences.front().map(|it| it.at);
        let mut due = [self.join_at, timeout, absence].into_iter().flatten().min().unwrap_or(NEVER);
        if self.is_seated() {
            let retry = (!client.retries.is_empty()).then_some(client.retry_at);
            let message = client.plan.messages.filter(|_| self.sends_in_flight < IN_FLIGHT_MAX);
            let rhythms = [message, client.plan.typing, client.plan.status];
            let rhythms = rhythms.into_iter().flatten().filter_map(|it| it.due());
            let curfew = client.world.curfew();
            let rhythms = rhythms.filter(|it| *it < curfew);
            due = due.min(rhythms.chain(retry).min().unwrap_or(NEVER));
        }
        due
    }

    pub(super) fn is_seated(&self) -> bool {
        self.client.seats.iter().all(|it| it.is_joined)
    }

    /// Does what is due.
    async fn act(&mut self) -> Result<Option<End>, SocketError> {
        let now = self.client.world.now();
        if let Some((how, until)) = self.away {
            let is_leaving =
                self.asked.values().any(|it| matches!(it.question, Question::Leave { .. }));
            if until <= now && is_leaving {
                // Until it is answered more may come, after which the client has to go on.
                self.expire(now)?;
                self.away = Some((how, now + LEAVE_POLL));
            } else if until <= now {
                self.away = None;
                self.join_at = (!self.is_seated()).then_some(now);
                self.client.skip_rhythms();
            }
            return Ok(None);
        }
        if let Some(absence) = self.client.absences.pop_front_if(|it| it.at <= now) {
            return self.go_away(absence).await;
        }
        self.expire(now)?;
        if self.join_at.is_some_and(|it| it <= now) {
            self.join_at = None;
            self.join().await?;
        }
        if self.is_seated() {
            self.speak(now).await?;
        }
        Ok(None)
    }

    async fn go_away(&mut self, absence: Absence) -> Result<Option<End>, SocketError> {
        let until = absence.at + absence.lasting;
        match absence.how {
            Away::Cut => return Ok(Some(End::Cut { until })),
            Away::Asleep => self.socket.forgive_silence(absence.lasting),
            Away::Left => self.leave().await?,
        }
        self.away = Some((absence.how, until));
        Ok(None)
    }

    /// Questions that were not answered in time.
    fn expire(&mut self, now: Duration) -> Result<(), SocketError> {
        while self.asked.first_key_value().is_some_and(|(_, it)| it.at + ASK_MAX <= now) {
            match self.asked.pop_first().map(|(_, it)| it.question) {
                Some(Question::Send(draft)) => {
                    self.sends_in_flight -= 1;
                    self.client.retry(draft, Duration::ZERO);
                }
                Some(Question::Join { .. } | Question::Leave { .. }) => {
                    return Err(SocketError::Silent);
                }
                None => (),
            }
        }
        Ok(())
    }

    async fn join(&mut self) -> Result<(), SocketError> {
        let world = Arc::clone(&self.client.world);
        for seat in 0..self.client.seats.len() {
            let it = &self.client.seats[seat];
            if it.is_joined {
                continue;
            }
            let speech = Speech::Join { room: &world.room(it.room).name, since: it.since.as_ref() };
            let (name, argument) = world.dialect.spell(&speech, world.offer);
            match world.offer {
                Offer::Full => self.ask(name, &argument, Question::Join { seat }).await?,
                Offer::Bare => {
                    self.socket.tell(name, &argument).await?;
                    self.joined(seat, Position { epoch: 0, seq: 0 }, 0, true);
                }
            }
        }
        Ok(())
    }

    async fn leave(&mut self) -> Result<(), SocketError> {
        let world = Arc::clone(&self.client.world);
        for seat in 0..self.client.seats.len() {
            let it = &mut self.client.seats[seat];
            it.is_joined = false;
            let room = it.room;
            let speech = Speech::Leave { room: &world.room(room).name };
            let (name, argument) = world.dialect.spell(&speech, world.offer);
            match world.offer {
                Offer::Full => self.ask(name, &argument, Question::Leave { room }).await?,
                Offer::Bare => self.socket.tell(name, &argument).await?,
            }
        }
        Ok(())
    }

    async fn ask(&mut self, name: &str, argument: &str, what: Question) -> Result<(), SocketError> {
        let at = self.client.world.now();
        if matches!(what, Question::Send(_)) {
            self.sends_in_flight += 1;
        }
        // Noted before it is written: what cannot be written has an unknown outcome, too.
        let number = self.socket.number();
        self.asked.insert(number, Asked { at, question: what });
        self.socket.ask(number, name, argument).await
    }

    async fn speak(&mut self, now: Duration) -> Result<(), SocketError> {
        let until = now.min(self.client.world.curfew());
        if self.client.retry_at <= now
            && self.sends_in_flight < IN_FLIGHT_MAX
            && let Some(draft) = self.client.retries.pop_front()
        {
            self.send(draft).await?;
        }
        if self.sends_in_flight < IN_FLIGHT_MAX
            && let Some(due) = take_due(&mut self.client.plan.messages, until)
        {
            let client = &mut *self.client;
            let room = client.seats[client.next_seat].room;
            client.next_seat = (client.next_seat + 1) % client.seats.len();
            let (mid, due_us) = (client.world.mint_mid(), micros(due));
            client.world.open_sends.fetch_add(1, Ordering::Relaxed);
            self.send(Draft { mid, room, due_us, attempts: 0, is_repeat: false }).await?;
        }
        if take_due(&mut self.client.plan.typing, until).is_some() {
            self.type_on().await?;
        }
        if take_due(&mut self.client.plan.status, until).is_some() {
            let statuses = ["online", "away", "busy"];
            let status = statuses[self.client.chance.usize(..statuses.len())];
            self.tell(&Speech::Status { status }).await?;
        }
        Ok(())
    }

    async fn send(&mut self, mut draft: Draft) -> Result<(), SocketError> {
        let world = Arc::clone(&self.client.world);
        draft.attempts += 1;
        self.client.note(What::Tried { mid: draft.mid, room: draft.room });
        world.meters.count(Count::Tried);
        let (text, client_id) = (draft.text(&world), draft.client_id(&world));
        let room = &world.room(draft.room).name;
        let speech = Speech::Send { room, text: &text, client_id: &client_id };
        let (name, argument) = world.dialect.spell(&speech, world.offer);
        match world.offer {
            Offer::Full => self.ask(name, &argument, Question::Send(draft)).await,
            Offer::Bare => {
                self.client.settle();
                self.socket.tell(name, &argument).await
            }
        }
    }

    async fn type_on(&mut self) -> Result<(), SocketError> {
        let world = Arc::clone(&self.client.world);
        let room = &world.room(self.client.seats[self.client.next_seat].room).name;
        world.meters.count(Count::TypingTold);
        self.client.is_typing = !self.client.is_typing;
        if self.client.is_typing {
            self.tell(&Speech::TypingStart { room }).await
        } else {
            self.tell(&Speech::TypingStop { room }).await
        }
    }

    async fn tell(&mut self, speech: &Speech<'_>) -> Result<(), SocketError> {
        let world = &self.client.world;
        let (name, argument) = world.dialect.spell(speech, world.offer);
        self.socket.tell(name, &argument).await
    }
}

/// The time that was due, if one is, and moves on to the next.
fn take_due(rhythm: &mut Option<Rhythm>, until: Duration) -> Option<Duration> {
    let rhythm = rhythm.as_mut()?;
    let due = rhythm.due().filter(|it| *it <= until)?;
    rhythm.advance();
    Some(due)
}
