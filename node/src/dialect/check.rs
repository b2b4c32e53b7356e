//! What is wrong with a dialect file: every fault with its line, all of them at once.

use std::fmt;
use std::sync::Arc;

/// One mistake in a dialect file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file as it was named.
    pub file: Arc<str>,
    /// Line, counted from 1; 0 where the file itself is the mistake.
    pub line: usize,
    /// What is wrong, and the nearest right word where there is one.
    pub cause: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.cause),
            line => write!(f, "{}:{line}: {}", self.file, self.cause),
        }
    }
}

/// All mistakes that were found, in the order of files and lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if 0 < index {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

/// Collects the faults of one file. Places are byte offsets into its text.
pub(super) struct Check<'t> {
    file: Arc<str>,
    pub(super) text: &'t str,
    faults: Vec<Fault>,
}

impl<'t> Check<'t> {
    pub(super) fn new(file: Arc<str>, text: &'t str) -> Self {
        Self { file, text, faults: Vec::new() }
    }

    /// Notes a mistake; compiling goes on, so the next one is found too.
    pub(super) fn fault(&mut self, at: usize, cause: impl Into<String>) {
        let (file, line) = (Arc::clone(&self.file), self.line(at));
        self.faults.push(Fault { file, line, cause: cause.into() });
    }

    pub(super) fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().iter().take(at);
        1 + before.filter(|&&byte| byte == b'\n').count()
    }

    pub(super) fn into_faults(mut self) -> Vec<Fault> {
        self.faults.sort_by_key(|fault| fault.line);
        self.faults
    }
}

/// ` (did you mean …?)` where a known word is near, else the whole choice.
pub(super) fn suggestion<W: AsRef<str>>(unknown: &str, known: &[W]) -> String {
    let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
    // A third of the letters may be wrong: enough for a slip, too little for another word.
    let slip_max = (unknown.chars().count() / 3).max(1);
    let nearest = known.iter().map(|word| (distance(unknown, word), word)).min();
    match nearest {
        Some((slips, word)) if slips <= slip_max => format!(" (did you mean `{word}`?)"),
        _ => format!(" (known: {})", known.join(", ")),
    }
}

/// The Levenshtein distance: how many letters to add, drop or change.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_answered_with_the_word_that_was_meant() {
        let known = ["room.join", "room.leave", "message.send"];
        assert_eq!(suggestion("room.jion", &known), " (did you mean `room.join`?)");
        assert_eq!(suggestion("massage.send", &known), " (did you mean `message.send`?)");
        assert_eq!(suggestion("dance", &known), " (known: room.join, room.leave, message.send)");
    }

    #[test]
    fn distances_count_single_letters() {
        for (a, b, slips) in [("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("a", "b", 1)]
        {
            assert_eq!(distance(a, b), slips, "{a} {b}");
        }
    }
}
