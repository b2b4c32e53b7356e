//! Reads the logs of the rooms as a client can: by joining with the last known place.
//!
//! A server resumes only a bounded number of messages, so busy rooms are read page by page while
//! the run goes on; the last page is read after it.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::content::{Stamp, id_hash};
use crate::dialect::{Answer, Heard, Position, Since, Speech};
use crate::history::RoomIndex;
use crate::ledger::{Entry, RoomLog};
use crate::wire::packet::Packet;
use crate::wire::socket::{Dial, Socket, SocketError};
use crate::wire::target::source;
use crate::world::World;

/// A room is read on when so many messages were acknowledged since: far below what servers resume.
const PAGE_MESSAGES: u64 = 300;

/// How often the rooms are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Time for one page.
const PAGE_TIME_MAX: Duration = Duration::from_secs(20);

/// Attempts at one page, with a pause between them.
const ATTEMPTS_MAX: usize = 30;
const ATTEMPT_PAUSE: Duration = Duration::from_millis(500);

/// Pages read after the run: they end when there is nothing more.
const LAST_PAGES_MAX: usize = 100;

/// Why a page could not be read.
#[derive(Debug, thiserror::Error)]
enum PageError {
    #[error("{0}")]
    Socket(#[from] SocketError),
    #[error("no page within {} s", PAGE_TIME_MAX.as_secs())]
    Slow,
    #[error("join refused: {0}")]
    Refused(String),
    #[error("the answer has another shape")]
    Shape,
    #[error("the log does not lead on from {} of epoch {}", .0.seq, .0.epoch)]
    Gap(Position),
}

/// What is asked for in one page.
#[derive(Debug)]
struct Page {
    head: Position,
    entries: Vec<Entry>,
}

/// A reader of some rooms.
#[derive(Debug)]
pub(crate) struct Auditor {
    token: String,
    source: IpAddr,
    socket: Option<Socket>,
    attempts: usize,
    rooms: Vec<(RoomIndex, RoomLog, Position)>,
}

impl Auditor {
    /// Notes where these rooms stand before anybody writes.
    pub(crate) async fn open(world: &World, index: usize, rooms: Vec<RoomIndex>) -> Self {
        let user = format!("lt-{:08x}-auditor{index}", world.run);
        // A token that cannot be made is refused like a wrong one.
        let token = world.mint.token(&user).unwrap_or_default();
        let source = source(index);
        let mut auditor = Self { token, source, socket: None, attempts: index, rooms: Vec::new() };
        for room in rooms {
            let page = auditor.page(world, room, None).await;
            let (start, fault) = match page {
                Ok(page) => (page.head, None),
                Err(error) => (Position { epoch: 0, seq: 0 }, Some(error.to_string())),
            };
            let is_lost = fault.is_some();
            auditor.rooms.push((room, RoomLog { start, entries: Vec::new(), fault }, start));
            if is_lost {
                break;
            }
        }
        auditor.socket = None;
        auditor
    }

    /// Why a room could not be opened, if one could not.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.rooms.iter().find_map(|(_, log, _)| log.fault.as_deref())
    }

    /// Reads busy rooms until the word to stop, then all of them to their ends.
    pub(crate) async fn run(
        mut self,
        world: Arc<World>,
        stop: CancellationToken,
    ) -> Vec<(RoomIndex, RoomLog)> {
        while timeout(LOOK_EVERY, stop.cancelled()).await.is_err() {
            for place in 0..self.rooms.len() {
                let (room, log, _) = &self.rooms[place];
                let acked = world.room(*room).acked.load(Ordering::Relaxed);
                if log.entries.len() as u64 + PAGE_MESSAGES < acked {
                    self.read_on(&world, place).await;
                }
            }
        }
        // The end is read by a client that has never been there.
        self.socket = None;
        for place in 0..self.rooms.len() {
            for _ in 0..LAST_PAGES_MAX {
                if !self.read_on(&world, place).await {
                    break;
                }
            }
        }
        self.rooms.into_iter().map(|(room, log, _)| (room, log)).collect()
    }

    /// Reads one page; `false`: there was nothing more, or it cannot be read.
    async fn read_on(&mut self, world: &World, place: usize) -> bool {
        let (room, log, at) = &self.rooms[place];
        if log.fault.is_some() {
            return false;
        }
        let since = Since::Position(*at);
        let page = self.page(world, *room, Some(&since)).await;
        let (_, log, at) = &mut self.rooms[place];
        match page {
            Ok(page) => {
                *at = page.head;
                log.entries.extend(&page.entries);
                !page.entries.is_empty()
            }
            Err(error) => {
                log.fault = Some(error.to_string());
                false
            }
        }
    }

    /// Asks for a page until it is there.
    async fn page(
        &mut self,
        world: &World,
        room: RoomIndex,
        since: Option<&Since>,
    ) -> Result<Page, PageError> {
        let mut result = Err(PageError::Slow);
        for attempt in 0..ATTEMPTS_MAX {
            if 0 < attempt {
                self.socket = None;
                self.attempts += 1;
                sleep(ATTEMPT_PAUSE).await;
            }
            result = timeout(PAGE_TIME_MAX, self.try_page(world, room, since))
                .await
                .unwrap_or(Err(PageError::Slow));
            if matches!(result, Ok(_) | Err(PageError::Gap(_))) {
                break;
            }
        }
        result
    }

    async fn try_page(
        &mut self,
        world: &World,
        room: RoomIndex,
        since: Option<&Since>,
    ) -> Result<Page, PageError> {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            empty @ None => {
                let target = world.target(self.attempts);
                let dial = Dial {
                    target,
                    source: self.source,
                    token: &self.token,
                    trace: None,
                    receive_buffer: None,
                };
                empty.insert(Socket::connect(dial).await?)
            }
        };
        let name = &world.room(room).name;
        let join = Speech::Join { room: name, since };
        let (head, missed) = match ask(world, socket, &join).await? {
            Answer::Joined { position, resumed, .. } if since.is_some() && !resumed => {
                return Err(PageError::Gap(position));
            }
            Answer::Joined { position, missed, .. } => (position, missed),
            Answer::Refused(no) => return Err(PageError::Refused(no.code)),
            Answer::Sent { .. } | Answer::Done => return Err(PageError::Shape),
        };
        let mut entries = Vec::new();
        // Without a place to go on from, a server may show the newest page: it is not asked for.
        while since.is_some() && (entries.len() as u64) < missed {
            let text = socket.next().await?;
            let Ok(Packet::Event { name: event, arguments }) = Packet::parse(&text) else {
                continue;
            };
            if let Heard::Message { room: its, id, text } = world.dialect.hear(&event, arguments)
                && its == *name
            {
                let mid = Stamp::read(&text, world.run, name).map(|it| it.mid);
                entries.push(Entry { mid, id: id_hash(&id) });
            }
        }
        match ask(world, socket, &Speech::Leave { room: name }).await? {
            Answer::Done => Ok(Page { head, entries }),
            Answer::Refused(no) => Err(PageError::Refused(no.code)),
            Answer::Sent { .. } | Answer::Joined { .. } => Err(PageError::Shape),
        }
    }
}

/// Asks and waits for the answer; events on the way are left alone.
async fn ask(world: &World, socket: &mut Socket, what: &Speech<'_>) -> Result<Answer, PageError> {
    let (name, argument) = world.dialect.spell(what, world.offer);
    let number = socket.number();
    socket.ask(number, name, &argument).await?;
    loop {
        let text = socket.next().await?;
        if let Ok(Packet::Ack { id, arguments }) = Packet::parse(&text)
            && id == number
        {
            return world.dialect.answer(arguments).ok_or(PageError::Shape);
        }
    }
}
