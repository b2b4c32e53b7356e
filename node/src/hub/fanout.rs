//! From one notice to many outboxes: spelled once per dialect, then shared.

use std::collections::VecDeque;

use crate::dialect::{Audience, DialectId, Dialects, Spoken};
use crate::domain::event::SharedEntry;
use crate::domain::notice::Notice;
use crate::domain::position::Position;

/// Spelled entries that are kept per topic, for those who are caught up from memory.
const ROWS_MAX: usize = 64;

/// A notice in the words of those dialects that were asked for; each is written at most once.
#[derive(Debug)]
pub(crate) struct Spelling {
    notice: Notice,
    words: Vec<Word>,
}

#[derive(Debug, Clone)]
enum Word {
    NotAsked,
    /// The dialect has no event for it.
    Silent,
    Said(Spoken),
}

impl Spelling {
    /// Nothing is written yet.
    pub(crate) fn new(notice: Notice) -> Self {
        Self { notice, words: Vec::new() }
    }

    /// The notice in this dialect's words; `None`: the dialect has no event for it.
    pub(crate) fn spell(&mut self, dialects: &Dialects, dialect: DialectId) -> Option<&Spoken> {
        let at = usize::from(dialect.0);
        if self.words.len() <= at {
            self.words.resize(at + 1, Word::NotAsked);
        }
        if matches!(self.words[at], Word::NotAsked) {
            let spoken = dialects.get(dialect).encode(&self.notice);
            self.words[at] = spoken.map_or(Word::Silent, Word::Said);
        }
        match &self.words[at] {
            Word::Said(spoken) => Some(spoken),
            Word::NotAsked | Word::Silent => None,
        }
    }
}

/// The spelled entries of one topic, newest last.
#[derive(Debug, Default)]
pub(crate) struct SpelledEntries {
    rows: VecDeque<(Position, Spelling)>,
}

impl SpelledEntries {
    /// The row of `entry`; made, and the oldest row forgotten, if it is new.
    pub(crate) fn row(&mut self, entry: &SharedEntry) -> &mut Spelling {
        let found = self.rows.binary_search_by_key(&entry.position, |(position, _)| *position);
        let at = match found {
            Ok(at) => at,
            Err(mut at) => {
                if self.rows.len() == ROWS_MAX {
                    self.rows.pop_front();
                    at = at.saturating_sub(1);
                }
                let spelling = Spelling::new(Notice::Entry(SharedEntry::clone(entry)));
                self.rows.insert(at, (entry.position, spelling));
                at
            }
        };
        &mut self.rows[at].1
    }

    /// Forgets everything: nobody has asked for a while.
    pub(crate) fn clear(&mut self) {
        self.rows = VecDeque::new();
    }
}

/// Whether a listener is in the audience; `is_origin`: the notice is about its own doing.
pub(crate) fn hears(to: Audience, is_origin: bool) -> bool {
    match to {
        Audience::All => true,
        Audience::Others => !is_origin,
    }
}
