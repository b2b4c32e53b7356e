//! One topic on this node: its tail, its listeners, who is seen and who types in it.
//!
//! Plain state without waiting: the keeper calls it, and makes the reads that it asks for.

use std::time::Duration;

use indexmap::IndexMap;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::clock;
use crate::domain::close::CloseReason;
use crate::domain::event::{Event, SharedEntry};
use crate::domain::id::{ConnId, RoomId, UserId};
use crate::domain::notice::Notice;
use crate::domain::position::Position;
use crate::domain::receipt::{Handed, RECEIPT_MESSAGES_MAX};
use crate::domain::recovery::Pid;
use crate::domain::time::Timestamp;
use crate::domain::topic::Topic;
use crate::hub::fanout::{Cause, Listener, Manner, SpelledEntries, Spelling, Voice, tell};
use crate::hub::outbox::Once;
use crate::hub::roster::{Present, Roster};
use crate::hub::tail::Tail;
use crate::hub::typists::Typists;
use crate::hub::{AttachError, Attached, Change, Progress};
use crate::store::{PAGE_ENTRIES_MAX, Stamp};

/// Entries that a returning client may have missed; beyond them it starts afresh.
pub(crate) const MISSED_ENTRIES_MAX: u64 = 1000;

#[derive(Debug)]
enum Stage {
    /// Is sent what it missed, page by page; `pending` was read already.
    CatchingUp { pending: Vec<SharedEntry> },
    /// Hears everything, and is still told who is there.
    Greeting { rest: Vec<Present> },
    /// Hears everything.
    Live,
}

#[derive(Debug)]
struct Member {
    listener: Listener,
    /// The last entry that it was handed, or from which it goes on.
    after: Position,
    stage: Stage,
}

/// A client waiting for its attachment.
#[derive(Debug)]
pub(crate) struct Attaching {
    pub(crate) listener: Listener,
    pub(crate) since: Option<Position>,
    pub(crate) reply: oneshot::Sender<Result<Attached, AttachError>>,
}

/// What the keeper has to do for a member that asked for its next page.
#[derive(Debug)]
pub(crate) enum Next {
    /// Answer this.
    Answer(Progress),
    /// Read the log after this place first.
    Read(Position),
}

/// One topic.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) tail: Tail,
    pub(crate) roster: Roster,
    pub(crate) typists: Typists,
    pub(crate) stamp: Stamp,
    /// Since when nobody here listens.
    pub(crate) empty_since: Option<Instant>,
    /// When the list of the room's users was told last to those who want it.
    pub(crate) list_told: Option<Instant>,
    /// Entries since the last re-assertion: a quiet topic keeps nothing in memory.
    pub(crate) is_quiet: bool,
    members: IndexMap<ConnId, Member>,
    spelled: SpelledEntries,
    handed: Vec<(Position, UserId)>,
}

impl Watched {
    pub(crate) fn new(tail: Tail, stamp: Stamp) -> Self {
        Self {
            tail,
            roster: Roster::default(),
            typists: Typists::default(),
            stamp,
            empty_since: Some(Instant::now()),
            list_told: None,
            is_quiet: false,
            members: IndexMap::new(),
            spelled: SpelledEntries::default(),
            handed: Vec::new(),
        }
    }

    /// Takes a listener that goes on after `since` (checked by the caller to be in the log), or
    /// from now. It hears nothing until it asks for its next page.
    pub(crate) fn attach(
        &mut self,
        listener: Listener,
        since: Option<Position>,
        pending: Vec<SharedEntry>,
    ) -> Attached {
        self.empty_since = None;
        let last = self.tail.last();
        if since.is_none() && self.hears(&listener) {
            let members = self.roster.count_with(&listener.user);
            return Attached { position: last, resumed: false, missed: 0, members };
        }
        let missed = since.map(|it| last.seq.0.saturating_sub(it.seq.0));
        let since = since.filter(|_| missed.is_some_and(|it| it <= MISSED_ENTRIES_MAX));
        let (after, pending) = since.map_or_else(|| (last, Vec::new()), |it| (it, pending));
        let stage = Stage::CatchingUp { pending };
        let members = self.roster.count_with(&listener.user);
        self.members.insert(listener.conn, Member { listener, after, stage });
        Attached {
            position: last,
            resumed: since.is_some(),
            missed: since.and(missed).unwrap_or_default(),
            members,
        }
    }

    /// Whether the connection hears the topic already, in the same words, or will once it has
    /// caught up.
    fn hears(&self, listener: &Listener) -> bool {
        let member = self.members.get(&listener.conn);
        member.is_some_and(|it| it.listener.dialects == listener.dialects)
    }

    /// Changes how a listener hears the topic.
    pub(crate) fn change(&mut self, conn: ConnId, change: Change) {
        if let Some(member) = self.members.get_mut(&conn) {
            change.apply(&mut member.listener);
        }
    }

    /// Tells the list of the room's users to those members who want it.
    pub(crate) fn tell_list(&self, at: Timestamp, voice: &Voice<'_>) {
        let mut listing = self.members.values().filter(|it| it.listener.is_listing).peekable();
        if listing.peek().is_none() {
            return;
        }
        let notice = Notice::Listed { users: self.roster.listed(at), at };
        let mut spelling = Spelling::new(notice);
        for member in listing {
            tell(&member.listener, &mut spelling, (Cause::Nobody, Manner::Always), voice);
        }
    }

    /// Removes a listener.
    pub(crate) fn detach(&mut self, conn: ConnId) {
        self.members.swap_remove(&conn);
        self.note_emptiness();
    }

    /// Ends the connections of all who listen: an admin has put the user out.
    pub(crate) fn dismiss_all(&self) {
        for member in self.members.values() {
            member.listener.outbox.end(CloseReason::Dismissed);
        }
    }

    /// Ends the connection of this name, if it listens: its client has come back over another.
    pub(crate) fn hand_over(&self, pid: Pid) {
        for member in self.members.values() {
            member.listener.outbox.hand_over(pid);
        }
    }

    /// Removes everyone: the room is gone.
    pub(crate) fn put_out(&mut self) {
        self.members.clear();
        self.note_emptiness();
    }

    fn note_emptiness(&mut self) {
        if self.members.is_empty() && self.empty_since.is_none() {
            self.empty_since = Some(Instant::now());
        }
    }

    /// Hands a member its next page, or lets it become live.
    pub(crate) fn next(&mut self, conn: ConnId, topic: &Topic, voice: &Voice<'_>) -> Next {
        let last = self.tail.last();
        let Some(member) = self.members.get_mut(&conn) else {
            return Next::Answer(Progress::Gone);
        };
        let page = match &mut member.stage {
            Stage::Live => return Next::Answer(Progress::Live),
            Stage::Greeting { rest } => {
                let start = rest.len().saturating_sub(PAGE_ENTRIES_MAX);
                let page = rest.split_off(start);
                if rest.is_empty() {
                    member.stage = Stage::Live;
                }
                let progress = self.greet(conn, topic, page, voice);
                return Next::Answer(progress);
            }
            Stage::CatchingUp { pending } if !pending.is_empty() => std::mem::take(pending),
            Stage::CatchingUp { .. } if last <= member.after => {
                let rest: Vec<_> = self.roster.present().collect();
                member.stage = if rest.is_empty() { Stage::Live } else { Stage::Greeting { rest } };
                let is_live = matches!(member.stage, Stage::Live);
                return Next::Answer(if is_live { Progress::Live } else { Progress::More });
            }
            Stage::CatchingUp { .. } => match self.tail.after(member.after) {
                Some(page) => page,
                None => return Next::Read(member.after),
            },
        };
        self.hand_page(conn, &page, voice);
        Next::Answer(Progress::More)
    }

    /// Keeps a page that was read for a member which is catching up.
    pub(crate) fn read(&mut self, conn: ConnId, page: Vec<SharedEntry>) {
        let Some(member) = self.members.get_mut(&conn) else { return };
        let after = member.after;
        if page.is_empty() {
            // What the tail still had is in the log no more; live entries follow from the tail.
            member.after = self.tail.last().max(after);
        }
        if let Stage::CatchingUp { pending } = &mut member.stage {
            *pending = page.into_iter().filter(|it| after < it.position).collect();
        }
    }

    /// Nothing leads on from a member's place: it starts afresh from the tail, and is told so.
    pub(crate) fn reset_member(&mut self, conn: ConnId, room: &RoomId, voice: &Voice<'_>) {
        let position = self.tail.last();
        let Some(member) = self.members.get_mut(&conn) else { return };
        member.after = position;
        let notice = Notice::HistoryReset { room: room.clone(), position };
        let mut spelling = Spelling::new(notice);
        tell(&member.listener, &mut spelling, (Cause::Nobody, Manner::Always), voice);
    }

    fn greet(
        &self,
        conn: ConnId,
        topic: &Topic,
        page: Vec<Present>,
        voice: &Voice<'_>,
    ) -> Progress {
        let Topic::Room(room) = topic else { return Progress::Live };
        let Some(member) = self.members.get(&conn) else { return Progress::Gone };
        for Present { user, seen } in page {
            let (id, room) = (user.id.clone(), room.clone());
            let inside = Notice::Inside { room: room.clone(), user: user.clone() };
            let told = (Cause::User(&id), Manner::Always);
            tell(&member.listener, &mut Spelling::new(inside), told, voice);
            if let Some((version, status)) = seen {
                let present = Notice::Present { room, user, status };
                let told = (Cause::User(&id), Manner::Greeting(Once::of(&id, version)));
                tell(&member.listener, &mut Spelling::new(present), told, voice);
            }
        }
        if matches!(member.stage, Stage::Live) { Progress::Live } else { Progress::More }
    }

    fn hand_page(&mut self, conn: ConnId, page: &[SharedEntry], voice: &Voice<'_>) {
        let Some(member) = self.members.get_mut(&conn) else { return };
        for entry in page {
            let spelling = self.spelled.row(entry);
            let cause = voice.cause_of_entry(entry);
            tell(&member.listener, spelling, (cause, manner_of(entry)), voice);
            member.after = entry.position;
            note_handed(&mut self.handed, entry, &member.listener.user);
        }
    }

    /// Hands a new entry to every live member.
    pub(crate) fn deliver(&mut self, entry: &SharedEntry, voice: &Voice<'_>) {
        self.is_quiet = false;
        let spelling = self.spelled.row(entry);
        let cause = voice.cause_of_entry(entry);
        let mut has_left = false;
        for member in self.members.values_mut() {
            match member.stage {
                Stage::CatchingUp { .. } => continue,
                Stage::Greeting { .. } | Stage::Live => (),
            }
            // A member may be ahead of this node's tail: it was told by another node.
            if entry.position <= member.after {
                continue;
            }
            member.after = entry.position;
            has_left |= !tell(&member.listener, spelling, (cause, manner_of(entry)), voice);
            note_handed(&mut self.handed, entry, &member.listener.user);
        }
        let age = clock::now().0.saturating_sub(entry.at.0);
        voice.metrics.delivery_latency.record(Duration::from_millis(age));
        if has_left {
            self.forget_the_gone();
        }
    }

    /// Tells every live member something that is not in the log.
    pub(crate) fn tell_all(
        &mut self,
        notice: Notice,
        told: (Cause<'_>, Manner),
        voice: &Voice<'_>,
    ) {
        self.tell_spelled(&mut Spelling::new(notice), told, voice);
    }

    /// The same, of what concerns several topics.
    pub(crate) fn tell_spelled(
        &mut self,
        spelling: &mut Spelling,
        told: (Cause<'_>, Manner),
        voice: &Voice<'_>,
    ) {
        let mut has_left = false;
        for member in self.members.values() {
            match member.stage {
                Stage::CatchingUp { .. } => (),
                Stage::Greeting { .. } | Stage::Live => {
                    has_left |= !tell(&member.listener, spelling, told, voice);
                }
            }
        }
        if has_left {
            self.forget_the_gone();
        }
    }

    /// The log was cut under everyone: whoever was live goes on from `position`.
    pub(crate) fn reset_all(&mut self, room: &RoomId, position: Position, voice: &Voice<'_>) {
        for member in self.members.values_mut() {
            match member.stage {
                // Each learns by its own next read whether its place survived.
                Stage::CatchingUp { .. } => (),
                Stage::Greeting { .. } | Stage::Live => member.after = position,
            }
        }
        self.spelled.clear();
        let notice = Notice::HistoryReset { room: room.clone(), position };
        self.tell_all(notice, (Cause::Nobody, Manner::Always), voice);
    }

    /// Messages that were handed to somebody other than their author since the last call.
    pub(crate) fn take_handed(&mut self, room: &RoomId) -> Option<Handed> {
        if self.handed.is_empty() {
            return None;
        }
        let messages = std::mem::take(&mut self.handed);
        Some(Handed { room: room.clone(), messages })
    }

    /// A topic without news since the last call keeps no entries in memory.
    pub(crate) fn rest(&mut self) {
        if self.is_quiet {
            self.tail.forget_kept();
            self.spelled.clear();
        }
        self.is_quiet = true;
        self.forget_the_gone();
    }

    fn forget_the_gone(&mut self) {
        self.members.retain(|_, member| !member.listener.outbox.is_closed());
        self.note_emptiness();
    }
}

/// Members hear of a closing also when they are not in the room, and then not twice.
fn manner_of(entry: &SharedEntry) -> Manner {
    match &entry.event {
        Event::RoomClosed { .. } => Manner::Same(Once::closing(&entry.room, entry.at)),
        Event::MessagePosted(_) | Event::RoomUpdated { .. } | Event::RoomDeleted => Manner::Always,
    }
}

fn note_handed(handed: &mut Vec<(Position, UserId)>, entry: &SharedEntry, to: &UserId) {
    let author = match &entry.event {
        Event::MessagePosted(message) => &message.sender.id,
        Event::RoomUpdated { .. } | Event::RoomClosed { .. } | Event::RoomDeleted => return,
    };
    let is_noted = handed.iter().rev().any(|(position, _)| *position == entry.position);
    if author == to || is_noted {
        return;
    }
    if handed.len() == RECEIPT_MESSAGES_MAX {
        handed.remove(0);
    }
    handed.push((entry.position, author.clone()));
}
