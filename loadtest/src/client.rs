//! One client of a run: connects, follows its plan, comes back when it is cut off.
//!
//! Everything it does and hears goes into its history; it judges nothing.

mod hearing;
mod session;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::behaviour::{Absence, Away, Behaviour};
use crate::client::session::{End, Session};
use crate::content::Stamp;
use crate::dialect::{Resume, Since};
use crate::history::{Event, History, Mid, RoomIndex, What};
use crate::meters::{Count, Timed};
use crate::wire::packet::Trace;
use crate::wire::socket::{Dial, Socket, SocketError};
use crate::wire::target::source;
use crate::world::{World, micros, reconnect_pause};

/// What the kernel keeps for a client that sleeps through its messages: little, so that its server
/// feels it.
const SLEEPER_BUFFER_BYTES: u32 = 4096;

/// A client and everything it remembers between connections.
#[derive(Debug)]
pub(crate) struct Client {
    world: Arc<World>,
    index: usize,
    plan: Behaviour,
    absences: VecDeque<Absence>,
    token: String,
    seats: Vec<Seat>,
    next_seat: usize,
    is_typing: bool,
    /// Messages whose last attempt had no outcome, oldest first.
    retries: VecDeque<Draft>,
    retry_at: Duration,
    lost_at: Option<Duration>,
    /// For the next connection, if the server recovers connections and the run makes use of it.
    trace: Option<Trace>,
    history: History,
    chance: fastrand::Rng,
}

/// A client's place in a room.
#[derive(Debug)]
struct Seat {
    room: RoomIndex,
    /// From where to go on; `None`: it was never in the room.
    since: Option<Since>,
    is_joined: bool,
    /// When it last entered: older messages are not timed.
    entered_us: u64,
}

/// A message until its outcome is known.
#[derive(Debug)]
struct Draft {
    mid: Mid,
    room: RoomIndex,
    due_us: u64,
    attempts: u32,
    /// It was acknowledged, and is sent again to see whether it is stored again.
    is_repeat: bool,
}

impl Draft {
    fn text(&self, world: &World) -> String {
        let stamp = Stamp { mid: self.mid, due_us: self.due_us };
        stamp.write(world.run, &world.room(self.room).name, world.message_bytes)
    }

    fn client_id(&self, world: &World) -> String {
        format!("{:08x}-{}", world.run, self.mid)
    }
}

impl Client {
    /// A client that has not connected yet. The token names the plan's user.
    pub(crate) fn new(world: Arc<World>, index: usize, plan: Behaviour, token: String) -> Self {
        let seat =
            |room: &RoomIndex| Seat { room: *room, since: None, is_joined: false, entered_us: 0 };
        Self {
            seats: plan.rooms.iter().map(seat).collect(),
            absences: plan.absences.iter().copied().collect(),
            history: History { user: plan.user, events: Vec::new() },
            chance: fastrand::Rng::with_seed(index as u64 + (u64::from(world.run) << 32)),
            next_seat: 0,
            is_typing: false,
            retries: VecDeque::new(),
            retry_at: Duration::ZERO,
            lost_at: None,
            trace: None,
            world,
            index,
            plan,
            token,
        }
    }

    /// Follows the plan until the word to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> History {
        let start = self.world.start + self.plan.start;
        tokio::select! {
            () = stop.cancelled() => (),
            () = tokio::time::sleep_until(start) => self.live(&stop).await,
        }
        self.history
    }

    async fn live(&mut self, stop: &CancellationToken) {
        let mut failures = 0;
        let mut server = self.index;
        while !stop.is_cancelled() {
            let mut is_meant = false;
            let pause = match self.dial(server).await {
                Ok(socket) => {
                    failures = 0;
                    self.is_up(socket.pid.clone());
                    let end = Session::new(self, socket).run(stop).await;
                    if !matches!(end, End::Stopped) {
                        self.leave_seats();
                    }
                    match end {
                        End::Stopped => return,
                        End::Cut { until } => {
                            is_meant = true;
                            until.saturating_sub(self.world.now())
                        }
                        End::Lost(error) => {
                            self.world.meters.count(Count::Losses);
                            self.world.meters.code(&format!("lost: {error}"));
                            reconnect_pause(0, self.chance.f64())
                        }
                    }
                }
                Err(error) => {
                    self.world.meters.count(Count::ConnectFailures);
                    self.world.meters.code(&format!("not connected: {error}"));
                    failures += 1;
                    reconnect_pause(failures, self.chance.f64())
                }
            };
            let pause = pause.max(self.absent_until().saturating_sub(self.world.now()));
            if tokio::time::timeout(pause, stop.cancelled()).await.is_ok() {
                return;
            }
            // As a balancer would: whoever comes back may meet any node.
            server = self.chance.usize(..self.world.targets.len());
            self.skip_absences();
            if is_meant {
                self.skip_rhythms();
            }
        }
    }

    async fn dial(&mut self, server: usize) -> Result<Socket, SocketError> {
        let began = self.world.now();
        let sleeps = self.plan.absences.iter().any(|it| it.how == Away::Asleep);
        let socket = Socket::connect(Dial {
            target: self.world.target(server),
            source: source(self.index),
            token: &self.token,
            trace: self.trace.as_ref(),
            receive_buffer: sleeps.then_some(SLEEPER_BUFFER_BYTES),
        })
        .await?;
        let took = self.world.now() - began;
        self.world.meters.count(Count::Connects);
        self.world.meters.time(self.index, Timed::Connect, micros(took));
        Ok(socket)
    }

    /// The end of the cut that it is in now.
    fn absent_until(&self) -> Duration {
        let now = self.world.now();
        let cut = self.absences.front().filter(|it| it.at <= now && it.how == Away::Cut);
        cut.map_or(Duration::ZERO, |it| it.at + it.lasting)
    }

    /// Forgets absences that began while it was not there.
    fn skip_absences(&mut self) {
        let now = self.world.now();
        while self.absences.front().is_some_and(|it| it.at <= now) {
            self.absences.pop_front();
        }
    }

    /// Somebody who means to be away does not write meanwhile: those times are skipped.
    fn skip_rhythms(&mut self) {
        let now = self.world.now();
        let plan = &mut self.plan;
        for rhythm in [&mut plan.messages, &mut plan.typing, &mut plan.status] {
            while let Some(rhythm) =
                rhythm.as_mut().filter(|it| it.due().is_some_and(|at| at < now))
            {
                rhythm.advance();
            }
        }
    }

    /// Connected: either anew, or with everything that the connection before had.
    fn is_up(&mut self, pid: Option<String>) {
        let pid = pid.filter(|_| self.world.resume == Resume::Recovery);
        let before = self.trace.take();
        if let Some(trace) = before.as_ref().filter(|it| Some(&it.pid) == pid.as_ref()) {
            self.trace = Some(trace.clone());
            self.note(What::Recovered);
            self.seats.iter_mut().for_each(|it| it.is_joined = true);
            if let Some(lost_at) = self.lost_at.take() {
                let took = self.world.now() - lost_at;
                self.world.meters.time(self.index, Timed::Return, micros(took));
            }
            return;
        }
        if before.is_some() {
            // It knows of no other way to get what it missed.
            self.world.meters.count(Count::Gaps);
            self.seats.iter_mut().for_each(|it| it.since = None);
        }
        self.trace = pid.map(|pid| Trace { pid, offset: None });
        self.note(What::Up);
    }

    fn leave_seats(&mut self) {
        self.note(What::Down);
        if !self.seats.iter().all(|it| it.is_joined) {
            // What the server thinks of a join or leave that was not answered, nobody knows.
            self.trace = None;
        }
        self.is_typing = false;
        self.lost_at = Some(self.world.now());
        for seat in &mut self.seats {
            seat.is_joined = false;
        }
    }

    fn note(&mut self, what: What) {
        let at_us = micros(self.world.now());
        self.history.events.push(Event { at_us, what });
        self.world.budget.spend();
    }

    /// What came of the attempt is not known: it is made again after a pause.
    fn retry(&mut self, draft: Draft, pause: Duration) {
        self.note(What::Unknown { mid: draft.mid });
        self.world.meters.count(Count::Unknown);
        self.queue(draft, pause);
    }

    /// The message is sent again, in its turn.
    fn queue(&mut self, draft: Draft, pause: Duration) {
        self.retry_at = self.world.now() + pause;
        let place = self.retries.partition_point(|it| it.mid < draft.mid);
        self.retries.insert(place, draft);
    }

    fn settle(&self) {
        self.world.open_sends.fetch_sub(1, Ordering::Relaxed);
        self.world.news(self.world.now());
    }
}
