//! What the messages of a run say: enough to know each one again, wherever it turns up.

/// The shortest message: its stamp alone.
pub(crate) const BYTES_MIN: usize = 64;

/// Who wrote a message of a run, and when it was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The run's number of the message.
    pub(crate) mid: u32,
    /// When it was to be sent, in microseconds of the run: a late sender does not hide the wait.
    pub(crate) due_us: u64,
}

impl Stamp {
    /// The text of this message, for one run and room, padded to a length.
    pub(crate) fn write(self, run: u32, room: &str, bytes: usize) -> String {
        let sum = self.sum(run, room);
        let mut text = format!("{run:08x} {:08x} {:016x} {sum:016x} ", self.mid, self.due_us);
        let padding = bytes.max(BYTES_MIN) - text.len();
        text.extend(std::iter::repeat_n('x', padding));
        text
    }

    /// Reads a text of this run; `None`: another's text, or altered, or from another room.
    pub(crate) fn read(text: &str, run: u32, room: &str) -> Option<Self> {
        let mut fields = text.splitn(5, ' ');
        let mut field = || u64::from_str_radix(fields.next()?, 16).ok();
        let (its_run, mid, due_us, sum) = (field()?, field()?, field()?, field()?);
        let stamp = Self { mid: u32::try_from(mid).ok()?, due_us };
        let is_padded = fields.next()?.bytes().all(|it| it == b'x');
        (is_padded && its_run == u64::from(run) && sum == stamp.sum(run, room)).then_some(stamp)
    }

    fn sum(self, run: u32, room: &str) -> u64 {
        let numbers = [u64::from(run), u64::from(self.mid), self.due_us];
        let bytes = numbers.iter().flat_map(|it| it.to_le_bytes());
        fnv1a(bytes.chain(room.bytes()))
    }
}

/// A short hash that tells one public id of a message from another.
pub(crate) fn id_hash(id: &str) -> u32 {
    let hash = fnv1a(id.bytes());
    // Folding keeps what both halves know.
    u32::try_from((hash >> 32) ^ (hash & 0xffff_ffff)).unwrap_or(0)
}

fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_known_again_only_as_it_was_written() {
        let stamp = Stamp { mid: 77, due_us: 123_456 };
        let text = stamp.write(9, "r1", 120);
        assert_eq!(text.len(), 120);
        assert_eq!(Stamp::read(&text, 9, "r1"), Some(stamp));
        assert_eq!(Stamp::read(&text, 8, "r1"), None);
        assert_eq!(Stamp::read(&text, 9, "r2"), None);
        assert_eq!(Stamp::read(&text.replace('x', "y"), 9, "r1"), None);
        assert_eq!(Stamp::read(&text.replacen("4d", "4e", 1), 9, "r1"), None);
        assert_eq!(Stamp::read("", 9, "r1"), None);
        assert_eq!(stamp.write(9, "r1", 0).len(), BYTES_MIN);
    }

    #[test]
    fn other_ids_have_other_hashes() {
        assert_ne!(id_hash("a"), id_hash("b"));
        assert_eq!(id_hash("a"), id_hash("a"));
    }
}
