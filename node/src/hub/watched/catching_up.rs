//! Members on their way to hearing everything: from attaching, page by page, to being live.

use crate::clock;
use crate::domain::event::SharedEntry;
use crate::domain::id::{ConnId, RoomId, UserId};
use crate::domain::notice::Notice;
use crate::domain::position::Position;
use crate::domain::topic::Topic;
use crate::hub::fanout::{Cause, Listener, Manner, Spelling, Voice, cause_of_entry, tell};
use crate::hub::outbox::Once;
use crate::hub::roster::Present;
use crate::hub::watched::{
    MISSED_ENTRIES_MAX, Member, Next, Stage, Watched, manner_of, note_handed,
};
use crate::hub::{Attached, Progress};
use crate::store::PAGE_ENTRIES_MAX;

impl Watched {
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
        let stage = Stage::CatchingUp { pending, is_new: true };
        let members = self.roster.count_with(&listener.user);
        listener.outbox.note_move();
        let known = self.members.get(&listener.conn).map(|it| it.since);
        let begin = known.unwrap_or_else(clock::now);
        self.members.insert(listener.conn, Member { listener, after, stage, since: begin });
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
                let progress = self.greet(conn, topic, &page, voice);
                return Next::Answer(progress);
            }
            Stage::CatchingUp { pending, .. } if !pending.is_empty() => std::mem::take(pending),
            Stage::CatchingUp { is_new, .. } if last <= member.after => {
                let rest: Vec<_> = self.roster.present().filter(|_| *is_new).cloned().collect();
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
        if let Stage::CatchingUp { pending, .. } = &mut member.stage {
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

    fn greet(&self, conn: ConnId, topic: &Topic, page: &[UserId], voice: &Voice<'_>) -> Progress {
        let Topic::Room(room) = topic else { return Progress::Live };
        let Some(member) = self.members.get(&conn) else { return Progress::Gone };
        // As they are now: whoever went since the greeting began has been told of already.
        for Present { user, seen } in page.iter().filter_map(|id| self.roster.presence(id)) {
            let (id, room) = (user.id.clone(), room.clone());
            let inside = Notice::Inside { room: room.clone(), user: user.clone() };
            let told = (Cause::User(&id), Manner::Always);
            tell(&member.listener, &mut Spelling::new(inside), told, voice);
            if let Some((version, status)) = seen {
                let present = Notice::Present { room, user, status };
                let told = (Cause::User(&id), Manner::Once(Once::of(&id, version)));
                tell(&member.listener, &mut Spelling::new(present), told, voice);
            }
        }
        if matches!(member.stage, Stage::Live) { Progress::Live } else { Progress::More }
    }

    fn hand_page(&mut self, conn: ConnId, page: &[SharedEntry], voice: &Voice<'_>) {
        let Some(member) = self.members.get_mut(&conn) else { return };
        for entry in page {
            let spelling = self.spelled.row(entry);
            let cause = cause_of_entry(entry);
            tell(&member.listener, spelling, (cause, manner_of(entry)), voice);
            member.after = entry.position;
            note_handed(&mut self.handed, entry, &member.listener.user);
        }
    }
}
