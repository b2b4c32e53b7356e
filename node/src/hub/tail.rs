//! The newest part of a room's log as this node has it: what was delivered, and what came too early.
//!
//! Pure: it decides what is delivered next and what has to be read from Redis; the keeper acts.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::event::{Entry, SharedEntry};
use crate::domain::position::Position;
use crate::hub::cursor::{Cursor, Judgement};
use crate::store::{PAGE_ENTRIES_MAX, Page};

/// Delivered entries that are kept, so that a client who was away for a moment is caught up from
/// memory. One page of history.
pub(crate) const KEPT_ENTRIES_MAX: usize = 64;

/// Bytes of a page that is answered from memory: a quarter of an outbox, and as much as a page that
/// is read from Redis.
const PAGE_BYTES_MAX: usize = 256 * 1024;

/// Entries that may wait for a hole to be filled. One that does not fit is read from the log later.
const AHEAD_ENTRIES_MAX: usize = 256;

/// A room's newest entries and the cursor behind them.
#[derive(Debug)]
pub(crate) struct Tail {
    cursor: Cursor,
    kept: VecDeque<SharedEntry>,
    ahead: BTreeMap<Position, SharedEntry>,
    /// The farthest place known to exist.
    known: Position,
    /// The farthest place known when the read under way was asked for.
    repairing: Option<Position>,
}

/// What an arrival, a repair or a head came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// To be delivered now, in this order.
    pub(crate) deliver: Vec<SharedEntry>,
    /// The log was cut: nothing leads on from the old place, this is the fresh one.
    pub(crate) reset: Option<Position>,
    /// Read what follows this place from the log; no further read is asked for until
    /// [`Tail::repaired`] or [`Tail::repair_failed`].
    pub(crate) repair_after: Option<Position>,
}

impl Tail {
    /// A tail that ends at `head`; `newest` are the last entries up to it, oldest first.
    pub(crate) fn new(head: Position, newest: Vec<SharedEntry>) -> Self {
        let mut tail = Self {
            cursor: Cursor::new(head),
            kept: VecDeque::new(),
            ahead: BTreeMap::new(),
            known: head,
            repairing: None,
        };
        for entry in newest {
            tail.keep(entry);
        }
        tail
    }

    /// The place of the last delivered entry.
    pub(crate) fn last(&self) -> Position {
        self.cursor.last()
    }

    /// Takes an entry from pub/sub.
    pub(crate) fn arrive(&mut self, entry: SharedEntry) -> Step {
        let mut step = Step::default();
        match self.cursor.judge(entry.position) {
            Judgement::Duplicate => (),
            Judgement::Next => {
                self.take(entry, &mut step);
                self.take_ahead(&mut step);
            }
            Judgement::Gap => {
                self.known = self.known.max(entry.position);
                if self.ahead.len() < AHEAD_ENTRIES_MAX {
                    self.ahead.insert(entry.position, entry);
                }
                self.ask_repair(&mut step);
            }
        }
        step
    }

    /// Takes the room's head, as a resync tells it.
    pub(crate) fn head(&mut self, head: Position) -> Step {
        let mut step = Step::default();
        // A head below our last can only mean a log that was cut: reading it tells.
        if head != self.last() {
            self.known = self.known.max(head);
            if self.last() < head || head.seq < self.last().seq {
                self.ask_repair(&mut step);
            }
        }
        step
    }

    /// Takes what was read after [`Step::repair_after`].
    pub(crate) fn repaired(&mut self, page: Page) -> Step {
        let asked_for = self.repairing.take().unwrap_or(self.known);
        let mut step = Step::default();
        match page {
            Page::After(entries) => {
                let is_at_end = entries.is_empty() && self.known <= asked_for;
                for entry in entries {
                    // The log itself leads on from our place, so order within the page is all
                    // that is left to ask for; epochs may change inside of it.
                    if self.last() < entry.position {
                        self.take(entry, &mut step);
                    }
                }
                if is_at_end {
                    // What was announced before the read is not in the log: it was lost there.
                    self.ahead.clear();
                    self.known = self.last();
                }
                self.take_ahead(&mut step);
            }
            Page::Reset { head, newest } => {
                let ahead = std::mem::take(&mut self.ahead);
                *self = Self::new(head.position, newest);
                self.ahead = ahead;
                step.reset = Some(head.position);
                self.take_ahead(&mut step);
            }
        }
        if self.last() < self.known || !self.ahead.is_empty() {
            self.ask_repair(&mut step);
        }
        step
    }

    /// The read failed; the next arrival or resync asks again.
    pub(crate) fn repair_failed(&mut self) {
        self.repairing = None;
    }

    /// The page that follows `after`, if that can be said from memory: at most
    /// [`PAGE_ENTRIES_MAX`] and [`PAGE_BYTES_MAX`], or one entry.
    pub(crate) fn after(&self, after: Position) -> Option<Vec<SharedEntry>> {
        if after == self.last() {
            return Some(Vec::new());
        }
        let at = self.kept.iter().position(|it| it.position == after)?;
        let following = self.kept.iter().skip(at + 1).take(PAGE_ENTRIES_MAX);
        let mut bytes = 0;
        let page = following.take_while(|entry| {
            let is_first = bytes == 0;
            bytes += entry.bytes();
            is_first || bytes <= PAGE_BYTES_MAX
        });
        Some(page.cloned().collect())
    }

    /// A message was redacted: what is kept says so too.
    pub(crate) fn redact(&mut self, by: &SharedEntry) {
        for kept in self.kept.iter_mut().chain(self.ahead.values_mut()) {
            if let Some(event) = kept.event.redacted(&kept.room, kept.position, &by.event) {
                *kept = SharedEntry::new(Entry { event, ..Entry::clone(kept) });
            }
        }
    }

    /// Frees the memory of what was delivered: whoever asks for it is answered from the log.
    pub(crate) fn forget_kept(&mut self) {
        self.kept = VecDeque::new();
    }

    fn ask_repair(&mut self, step: &mut Step) {
        if self.repairing.is_none() {
            self.repairing = Some(self.known);
            step.repair_after = Some(self.last());
        }
    }

    /// Delivers whatever of the early arrivals fits now.
    fn take_ahead(&mut self, step: &mut Step) {
        while let Some((_, entry)) = self.ahead.pop_first() {
            match self.cursor.judge(entry.position) {
                Judgement::Duplicate => (),
                Judgement::Next => self.take(entry, step),
                Judgement::Gap => {
                    self.ahead.insert(entry.position, entry);
                    return self.ask_repair(step);
                }
            }
        }
    }

    fn take(&mut self, entry: SharedEntry, step: &mut Step) {
        self.cursor.advance(entry.position);
        self.known = self.known.max(entry.position);
        step.deliver.push(SharedEntry::clone(&entry));
        self.keep(entry);
    }

    fn keep(&mut self, entry: SharedEntry) {
        if self.kept.len() == KEPT_ENTRIES_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back(entry);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::event::Event;
    use crate::domain::id::RoomId;
    use crate::domain::time::Timestamp;
    use crate::store::Head;

    fn entry(epoch: u64, seq: u64) -> SharedEntry {
        saying(epoch, seq, "x".to_owned())
    }

    fn saying(epoch: u64, seq: u64, metadata: String) -> SharedEntry {
        Arc::new(Entry {
            room: RoomId::parse("r").unwrap(),
            position: Position::new(epoch, seq),
            nth: seq,
            at: Timestamp(0),
            origin: None,
            event: Event::RoomUpdated { metadata },
        })
    }

    fn seqs(step: &Step) -> Vec<u64> {
        step.deliver.iter().map(|it| it.position.seq.0).collect()
    }

    /// A log in Redis of which publications reach the tail in any order, doubled or not at all.
    #[derive(Debug, Clone)]
    enum Act {
        Append,
        Arrive(usize),
        /// The read under way, if any, is answered with what the log held when it was `Read`.
        Read,
        Answer,
        Fail,
        Resync,
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let act = prop_oneof![
            4 => Just(Act::Append),
            4 => (0_usize..12).prop_map(Act::Arrive),
            2 => Just(Act::Read),
            2 => Just(Act::Answer),
            1 => Just(Act::Fail),
            1 => Just(Act::Resync),
        ];
        prop::collection::vec(act, 1..200)
    }

    #[derive(Default)]
    struct Model {
        log: u64,
        delivered: Vec<u64>,
        asked: Option<Position>,
        read: Option<Page>,
    }

    impl Model {
        fn took(&mut self, step: &Step) {
            self.delivered.extend(seqs(step));
            assert!(step.reset.is_none(), "nothing was cut");
            if let Some(after) = step.repair_after {
                assert!(self.asked.is_none(), "one read at a time");
                self.asked = Some(after);
            }
        }

        fn read(&mut self) {
            if let (Some(after), None) = (self.asked, &self.read) {
                let end = self.log.min(after.seq.0 + 3); // small pages
                let entries = (after.seq.0 + 1..=end).map(|seq| entry(1, seq)).collect();
                self.read = Some(Page::After(entries));
            }
        }

        fn answer(&mut self, tail: &mut Tail) {
            if let Some(page) = self.read.take() {
                self.asked = None;
                let step = tail.repaired(page);
                self.took(&step);
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_is_lost_doubled_or_reordered_every_entry_is_delivered_once_in_order(
            acts in acts()
        ) {
            let (mut tail, mut model) = (Tail::new(Position::new(1, 0), vec![]), Model::default());
            for act in acts {
                match act {
                    Act::Append => model.log += 1,
                    Act::Arrive(back) => {
                        let seq = model.log.saturating_sub(back as u64);
                        if 0 < seq {
                            let step = tail.arrive(entry(1, seq));
                            model.took(&step);
                        }
                    }
                    Act::Read => model.read(),
                    Act::Answer => model.answer(&mut tail),
                    Act::Fail => {
                        (model.asked, model.read) = (None, None);
                        tail.repair_failed();
                    }
                    Act::Resync => {
                        let step = tail.head(Position::new(1, model.log));
                        model.took(&step);
                    }
                }
                let expected: Vec<u64> = (1..=model.delivered.len() as u64).collect();
                prop_assert_eq!(&model.delivered, &expected);
            }
            // A last resync and answered reads bring whatever is left.
            for _ in 0..200 {
                let step = tail.head(Position::new(1, model.log));
                model.took(&step);
                model.read();
                model.answer(&mut tail);
            }
            prop_assert_eq!(model.delivered.len() as u64, model.log);
        }
    }

    #[test]
    fn a_new_epoch_that_kept_our_place_goes_on() {
        let mut tail = Tail::new(Position::new(1, 2), vec![entry(1, 1), entry(1, 2)]);
        let step = tail.arrive(entry(9, 3));
        assert_eq!(step.repair_after, Some(Position::new(1, 2)));
        assert_eq!(seqs(&tail.repaired(Page::After(vec![entry(9, 3)]))), [3]);
    }

    #[test]
    fn a_log_that_was_cut_is_said_and_then_goes_on() {
        let mut tail = Tail::new(Position::new(1, 7), vec![]);
        assert!(tail.arrive(entry(9, 5)).repair_after.is_some());
        let head = Head { position: Position::new(9, 5), nth: 5 };
        let step = tail.repaired(Page::Reset { head, newest: vec![entry(1, 4), entry(9, 5)] });
        assert_eq!(step.reset, Some(Position::new(9, 5)));
        assert_eq!(seqs(&step), [0_u64; 0]);
        assert_eq!(seqs(&tail.arrive(entry(9, 6))), [6]);
    }

    #[test]
    fn a_page_from_memory_is_bounded_in_bytes_and_never_empty() {
        let large = |seq| saying(1, seq, "x".repeat(PAGE_BYTES_MAX / 2));
        let huge = saying(1, 5, "x".repeat(4 * PAGE_BYTES_MAX));
        let kept = vec![large(1), large(2), large(3), large(4), huge];
        let tail = Tail::new(Position::new(1, 5), kept);
        let page = |seq| tail.after(Position::new(1, seq)).map(|it| it.len());
        assert_eq!((page(1), page(2), page(4)), (Some(1), Some(1), Some(1)));
    }

    #[test]
    fn what_is_kept_answers_those_who_were_away_for_a_moment() {
        let tail = Tail::new(Position::new(1, 3), vec![entry(1, 2), entry(1, 3)]);
        let after = |seq| tail.after(Position::new(1, seq)).map(|list| list.len());
        assert_eq!((after(3), after(2), after(1)), (Some(0), Some(1), None));
    }
}
