//! The place in a room's log up to which this node has delivered.
//!
//! Judges arrivals only; fetching what is missing is the keeper's work.

use crate::domain::position::Position;

/// What an arriving place means to somebody who has everything up to the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// The one that follows.
    Next,
    /// Had before.
    Duplicate,
    /// Something between is missing, or the log may have been cut and written anew.
    Gap,
}

/// A place in a log that only moves forward, except by an explicit reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    last: Position,
}

impl Cursor {
    /// Everything up to `last` was delivered.
    pub(crate) fn new(last: Position) -> Self {
        Self { last }
    }

    /// The place of the last delivered entry.
    pub(crate) fn last(self) -> Position {
        self.last
    }

    /// What the arrival of `at` means.
    pub(crate) fn judge(self, at: Position) -> Judgement {
        let last = self.last;
        if at.epoch < last.epoch {
            return Judgement::Duplicate;
        }
        if at.epoch == last.epoch {
            return match at.seq {
                seq if seq <= last.seq => Judgement::Duplicate,
                seq if seq == last.seq.next() => Judgement::Next,
                _ => Judgement::Gap,
            };
        }
        // A new epoch: whether our last entry survived is seen only by reading the log. Where we
        // have delivered nothing, nothing of it can have been lost.
        if last.seq.0 == 0 && at.seq.0 == 1 { Judgement::Next } else { Judgement::Gap }
    }

    /// Moves to an entry that was delivered.
    pub(crate) fn advance(&mut self, to: Position) {
        debug_assert!(self.last < to, "a cursor moves forward only");
        self.last = to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(last: (u64, u64), at: (u64, u64), want: Judgement) {
        let cursor = Cursor::new(Position::new(last.0, last.1));
        assert_eq!(cursor.judge(Position::new(at.0, at.1)), want, "{last:?} then {at:?}");
    }

    #[test]
    fn arrivals_are_judged_by_epoch_then_seq() {
        check((5, 7), (5, 8), Judgement::Next);
        check((5, 7), (5, 7), Judgement::Duplicate);
        check((5, 7), (5, 1), Judgement::Duplicate);
        check((5, 7), (5, 9), Judgement::Gap);
        check((5, 7), (4, 900), Judgement::Duplicate);
        check((5, 7), (6, 8), Judgement::Gap);
        check((5, 7), (6, 1), Judgement::Gap);
        check((5, 0), (5, 1), Judgement::Next);
        check((5, 0), (6, 1), Judgement::Next);
        check((5, 0), (6, 2), Judgement::Gap);
    }
}
