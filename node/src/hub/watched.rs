//! One topic on this node: its tail, its listeners, who is seen and who types in it.
//!
//! Plain state without waiting: the keeper calls it, and makes the reads that it asks for.

mod catching_up;

use indexmap::IndexMap;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::dialect::DialectSet;
use crate::domain::close::CloseReason;
use crate::domain::event::{Event, SharedEntry};
use crate::domain::id::{ConnId, RoomId, UserId};
use crate::domain::notice::Notice;
use crate::domain::position::Position;
use crate::domain::receipt::{Handed, RECEIPT_MESSAGES_MAX};
use crate::domain::recovery::Pid;
use crate::domain::time::Timestamp;
use crate::hub::fanout::{
    Cause, Listener, Manner, SpelledEntries, Spelling, Voice, cause_of_entry, tell,
};
use crate::hub::outbox::Once;
use crate::hub::roster::Roster;
use crate::hub::tail::Tail;
use crate::hub::typists::Typists;
use crate::hub::{AttachError, Attached, Change, Progress};
use crate::store::Stamp;

/// Entries that a returning client may have missed; beyond them it starts afresh.
pub(crate) const MISSED_ENTRIES_MAX: u64 = 1000;

#[derive(Debug)]
enum Stage {
    /// Is sent what it missed, page by page; `pending` was read already. Then it is told who is
    /// there, if it is new.
    CatchingUp { pending: Vec<SharedEntry>, is_new: bool },
    /// Hears everything, and is still told who is there.
    Greeting { rest: Vec<UserId> },
    /// Hears everything.
    Live,
}

#[derive(Debug)]
struct Member {
    listener: Listener,
    /// The last entry that it was handed, or from which it goes on.
    after: Position,
    stage: Stage,
    /// Since when it listens.
    since: Timestamp,
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
        if let Some(member) = self.members.swap_remove(&conn) {
            member.listener.outbox.note_move();
        }
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

    /// Lets whoever is meant (`None`: everybody) hear nothing more until their sessions have asked
    /// again whether they may be here.
    pub(crate) fn review(&mut self, user: Option<&UserId>) {
        for member in self.members.values_mut() {
            if user.is_some_and(|it| *it != member.listener.user) {
                continue;
            }
            let is_new = match &member.stage {
                Stage::CatchingUp { is_new, .. } => *is_new,
                Stage::Greeting { .. } => true,
                Stage::Live => false,
            };
            member.stage = Stage::CatchingUp { pending: Vec::new(), is_new };
            member.listener.outbox.review();
        }
    }

    /// A message was redacted: what is in memory of it goes.
    pub(crate) fn redact(&mut self, by: &SharedEntry) {
        self.tail.redact(by);
        self.spelled.clear();
        for member in self.members.values_mut() {
            if let Stage::CatchingUp { pending, .. } = &mut member.stage {
                // Read again when it is asked for.
                pending.clear();
            }
        }
    }

    /// Connection, dialects and begin of each listener, at most so many.
    pub(crate) fn listeners(
        &self,
        most: usize,
    ) -> impl Iterator<Item = (ConnId, DialectSet, Timestamp)> {
        let members = self.members.values().filter(|it| !it.listener.outbox.is_closed());
        members.take(most).map(|it| (it.listener.conn, it.listener.dialects, it.since))
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

    /// Hands a new entry to every live member.
    pub(crate) fn deliver(&mut self, entry: &SharedEntry, voice: &Voice<'_>) {
        self.is_quiet = false;
        let _until_handed = voice.span_of(entry);
        let spelling = self.spelled.row(entry);
        let cause = cause_of_entry(entry);
        let manner = manner_of(entry);
        // One listener's wait stands for all: another one each time, so that none is told for long.
        let timed = entry.position.seq.0.checked_rem(self.members.len() as u64);
        let mut has_left = false;
        for (at, member) in (0..).zip(self.members.values_mut()) {
            match member.stage {
                Stage::CatchingUp { .. } => continue,
                Stage::Greeting { .. } | Stage::Live => (),
            }
            // A member may be ahead of this node's tail: it was told by another node.
            if entry.position <= member.after {
                continue;
            }
            member.after = entry.position;
            let manner = if timed == Some(at) { manner.timed(entry.at) } else { manner };
            has_left |= !tell(&member.listener, spelling, (cause, manner), voice);
            note_handed(&mut self.handed, entry, &member.listener.user);
        }
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
        self.tell_but(&[], spelling, told, voice);
    }

    /// The same, but not to these users.
    pub(crate) fn tell_but(
        &mut self,
        except: &[UserId],
        spelling: &mut Spelling,
        told: (Cause<'_>, Manner),
        voice: &Voice<'_>,
    ) {
        let mut has_left = false;
        for member in self.members.values() {
            match member.stage {
                Stage::CatchingUp { .. } => (),
                Stage::Greeting { .. } | Stage::Live if except.contains(&member.listener.user) => {}
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
        Event::MessagePosted(_)
        | Event::MessageEdited { .. }
        | Event::MessageDeleted { .. }
        | Event::RoomUpdated { .. }
        | Event::RoomReopened
        | Event::RoomDeleted
        | Event::AccessChanged { .. }
        | Event::Erased => Manner::Always,
    }
}

fn note_handed(handed: &mut Vec<(Position, UserId)>, entry: &SharedEntry, to: &UserId) {
    let Some(message) = entry.event.message() else { return };
    let author = &message.sender.id;
    let is_noted = handed.iter().rev().any(|(position, _)| *position == entry.position);
    if author == to || is_noted {
        return;
    }
    if handed.len() == RECEIPT_MESSAGES_MAX {
        handed.remove(0);
    }
    handed.push((entry.position, author.clone()));
}
