//! Several dialects at once, as cheap to copy as one.

use crate::dialect::DialectId;

/// Some dialects: those in whose words something is told to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DialectSet(u64); // a bit each: there are at most 64

impl DialectSet {
    /// This one alone.
    #[must_use]
    pub fn of(dialect: DialectId) -> Self {
        let mut set = Self::default();
        set.insert(dialect);
        set
    }

    /// Adds one.
    pub fn insert(&mut self, dialect: DialectId) {
        self.0 |= 1 << (dialect.0 % 64);
    }

    /// Whether it is among them.
    #[must_use]
    pub fn contains(self, dialect: DialectId) -> bool {
        self.0 & (1 << (dialect.0 % 64)) != 0
    }

    /// Whether there are at least two.
    #[must_use]
    pub fn is_several(self) -> bool {
        1 < self.0.count_ones()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// All of them, the lowest number first.
    pub fn iter(self) -> impl Iterator<Item = DialectId> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let lowest = u8::try_from(left.trailing_zeros()).ok().filter(|it| *it < 64)?;
            left &= left - 1;
            Some(DialectId(lowest))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_into_it() {
        let mut set = DialectSet::default();
        assert!(set.is_empty());
        for dialect in [63, 0, 5, 5] {
            set.insert(DialectId(dialect));
        }
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 5, 63].map(DialectId));
        assert!(set.contains(DialectId(5)) && !set.contains(DialectId(6)) && set.is_several());
        assert!(!DialectSet::of(DialectId(1)).is_several());
    }
}
