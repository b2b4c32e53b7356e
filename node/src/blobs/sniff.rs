//! What a file's bytes show it to be, whatever it is called.
//!
//! Only kinds on the allow-list are looked for; everything else is none of them.

use crate::blobs::kind::Kind;

/// The brands of MP4 that browsers play; QuickTime, HEIF and audio books have others.
const MP4_BRANDS: [&[u8; 4]; 13] = [
    b"isom", b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"dash",
    b"mmp4", b"MSNV", b"M4V ",
];

/// Beginnings of texts that a program could take for more than a text: pages, drawings, scripts.
const MARKUP: [&str; 22] = [
    "<!doctype",
    "<!--",
    "<?",
    "<html",
    "<head",
    "<body",
    "<script",
    "<svg",
    "<iframe",
    "<style",
    "<title",
    "<table",
    "<div",
    "<font",
    "<meta",
    "<link",
    "<img",
    "<object",
    "<embed",
    "<form",
    "<math",
    "#!",
];

/// The kind of a file; a text may be a table too, which only its name can tell.
pub(super) fn kind(bytes: &[u8]) -> Option<Kind> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Kind::Png),
        [0xff, 0xd8, 0xff, ..] => Some(Kind::Jpeg),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Kind::Gif),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Kind::Webp),
        [b'%', b'P', b'D', b'F', b'-', ..] => Some(Kind::Pdf),
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => archive(bytes),
        [b'I', b'D', b'3', 2..=4, ..] => Some(Kind::Mp3),
        [0xff, second, third, ..] if is_mp3_frame(*second, *third) => Some(Kind::Mp3),
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => {
            MP4_BRANDS.iter().any(|it| brand.starts_with(*it)).then_some(Kind::Mp4)
        }
        _ => is_plain_text(bytes).then_some(Kind::Text),
    }
}

/// The header of a frame of MPEG audio, layer III, with a bit rate and a sample rate that exist.
fn is_mp3_frame(second: u8, third: u8) -> bool {
    let (version, layer) = (second >> 3 & 0b11, second >> 1 & 0b11);
    let (bit_rate, sample_rate) = (third >> 4, third >> 2 & 0b11);
    0xe0 <= second
        && version != 0b01
        && layer == 0b01
        && !matches!(bit_rate, 0 | 0xf)
        && sample_rate != 0b11
}

fn is_plain_text(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else { return false };
    let is_shown = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{c}');
    let begin = text.trim_start_matches('\u{feff}').trim_start();
    let begins_with = |it: &&str| {
        let begin = begin.as_bytes().get(..it.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(it.as_bytes()))
    };
    !MARKUP.iter().any(begins_with) && text.chars().all(is_shown)
}

/// Tells office documents from other archives by the names in the archive's directory, which is
/// what the programs that open them go by.
fn archive(bytes: &[u8]) -> Option<Kind> {
    let (mut has_types, mut part) = (false, None);
    for name in Directory::of(bytes)? {
        let name = name?;
        has_types |= name == b"[Content_Types].xml";
        if name.ends_with(b"vbaProject.bin") {
            return None; // a document with a program in it
        }
        if part.is_none() {
            part = part_of_document(name);
        }
    }
    Some(part.filter(|_| has_types).unwrap_or(Kind::Zip))
}

/// The kind of document in whose archive a file of this name is.
fn part_of_document(name: &[u8]) -> Option<Kind> {
    match name.split(|it| *it == b'/').next() {
        Some(b"word") => Some(Kind::Docx),
        Some(b"xl") => Some(Kind::Xlsx),
        Some(b"ppt") => Some(Kind::Pptx),
        Some(_) | None => None,
    }
}

/// The names in a ZIP archive's directory, which is at its end. What does not add up is `None`;
/// archives with 64-bit sizes do not add up, and cannot be as small as an attachment.
struct Directory<'a> {
    rest: &'a [u8],
    entries: u16,
}

/// The directory's end: signature, counts, size, offset; a comment may follow.
const END_BYTES: usize = 22;

/// An entry of the directory before its name, extra field and comment.
const ENTRY_BYTES: usize = 46;

impl<'a> Directory<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let comment_max = usize::from(u16::MAX);
        let tail = bytes.len().saturating_sub(END_BYTES + comment_max);
        let end = bytes[tail..].windows(END_BYTES).rposition(|it| it.starts_with(b"PK\x05\x06"))?;
        let end = &bytes[tail + end..];
        let offset = usize::try_from(u32::from_le_bytes(*end.get(16..)?.first_chunk()?)).ok()?;
        Some(Self { rest: bytes.get(offset..)?, entries: number(end, 10)? })
    }

    fn entry(&mut self) -> Option<&'a [u8]> {
        let entry = self.rest.strip_prefix(b"PK\x01\x02")?;
        let entry_bytes = ENTRY_BYTES - 4; // the signature is gone
        let lengths = [number(entry, 24)?, number(entry, 26)?, number(entry, 28)?];
        let [name, extra, comment] = lengths.map(usize::from);
        self.rest = entry.get(entry_bytes + name + extra + comment..)?;
        entry.get(entry_bytes..entry_bytes + name)
    }
}

impl<'a> Iterator for Directory<'a> {
    /// `None`: the directory is broken here.
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        self.entries = self.entries.checked_sub(1)?;
        let entry = self.entry();
        if entry.is_none() {
            self.entries = 0;
        }
        Some(entry)
    }
}

/// The little-endian number at `at`.
fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests;
