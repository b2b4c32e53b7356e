//! News of rooms for those members who are elsewhere: at most once a second and room, whatever
//! number of nodes takes its messages, and nothing at all while nobody wants any.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::debug;

use crate::domain::id::RoomId;
use crate::domain::news::{Happened, News};
use crate::domain::signal::Signal;
use crate::domain::time::Timestamp;
use crate::domain::topic::Topic;
use crate::lifecycle::Lifecycle;
use crate::store::{Concerned, Store, StoreError, Turn};

/// How long news is gathered.
const GATHER: Duration = Duration::from_millis(100);

/// Rooms of which there may be news at once; of further ones members are not told.
const ROOMS_MAX: usize = 4096;

/// Rooms that are asked about at the same time.
const CALLS_AT_ONCE: usize = 32;

/// Something that happened in a room.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) room: RoomId,
    pub(super) what: Happened,
    pub(super) at: Timestamp,
}

/// Starts the task.
pub(super) fn start(store: Store, lifecycle: &Lifecycle) -> mpsc::Sender<Item> {
    let (sender, items) = mpsc::channel(ROOMS_MAX);
    let gathered = Gathered { store, waiting: HashMap::new() };
    lifecycle.spawn("news", gathered.run(items));
    sender
}

struct Gathered {
    store: Store,
    /// When it is the turn of which news, and when that was news.
    waiting: HashMap<(RoomId, Happened), (Instant, Timestamp)>,
}

impl Gathered {
    async fn run(mut self, mut items: mpsc::Receiver<Item>) {
        let mut tick = interval(GATHER);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                item = items.recv(), if self.waiting.len() < ROOMS_MAX => match item {
                    Some(Item { room, what, at }) => {
                        let now = Instant::now();
                        self.waiting.entry((room, what)).or_insert((now, at)).1 = at;
                    }
                    None => return,
                },
                _ = tick.tick(), if !self.waiting.is_empty() => self.tell().await,
            }
        }
    }

    /// Tells what is due.
    async fn tell(&mut self) {
        if !self.is_wanted().await {
            return self.waiting.clear();
        }
        let now = Instant::now();
        let due: Vec<_> = self.waiting.extract_if(|_, (at, _)| *at <= now).collect();
        let store = &self.store;
        let told = stream::iter(due).map(|((room, what), (_, at))| async move {
            match tell(store, &room, what, at).await {
                Ok(None) => None,
                Ok(Some(wait)) => Some(((room, what), (now + wait, at))),
                Err(error) => {
                    debug!(%error, %room, "the news of a room was not told");
                    None
                }
            }
        });
        let later: Vec<_> = told.buffer_unordered(CALLS_AT_ONCE).collect().await;
        self.waiting.extend(later.into_iter().flatten());
    }

    /// Whether any node has clients that want news.
    async fn is_wanted(&self) -> bool {
        let heard = self.store.is_heard(&RoomId::newsroom()).await;
        heard.inspect_err(|error| debug!(%error, "news was not told")).unwrap_or(false)
    }
}

/// Tells news now, or says after what time it may be told.
async fn tell(
    store: &Store,
    room: &RoomId,
    what: Happened,
    at: Timestamp,
) -> Result<Option<Duration>, StoreError> {
    let is_pressing = what == Happened::Closed;
    let Concerned { members, department, banned, agents } =
        match store.news_turn(room, is_pressing).await? {
            Turn::Wait(wait) => return Ok(Some(wait)),
            Turn::Tell(concerned) => concerned,
        };
    // Who sees to the room need not look at it again when it is over.
    let (department, agents) = match what {
        Happened::Posted => (department, agents),
        Happened::Closed => (None, Vec::new()),
    };
    let department = department.and_then(|it| RoomId::parse(&format!("dept_{it}")).ok());
    if let Some(department) = department {
        let raised = Signal::Raised { room: room.clone(), at, except: banned };
        store.signal(Topic::Room(department), raised);
    }
    let news = News { room: room.clone(), what, at, members, agents };
    store.signal(Topic::Room(RoomId::newsroom()), Signal::News(news));
    Ok(None)
}
