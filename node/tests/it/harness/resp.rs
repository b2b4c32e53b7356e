//! Where values of the RESP3 protocol end, and which of them are publications.

use std::str;

/// Bytes that are not RESP3 as Redis speaks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// A message of a subscribed channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Publication<'a> {
    pub(crate) channel: &'a [u8],
    pub(crate) payload: &'a [u8],
}

impl Publication<'_> {
    /// Whether the payload holds this text as it is (as `MessagePack` strings do).
    pub(crate) fn holds(&self, text: &str) -> bool {
        self.payload.windows(text.len()).any(|it| it == text.as_bytes())
    }
}

/// Bytes of the first whole value; `None`: it is not all there yet.
pub(crate) fn value_len(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    let (mut at, mut values_left) = (0, 1_usize);
    while 0 < values_left {
        let Some((head, body)) = line(&bytes[at..]) else { return Ok(None) };
        let (kind, rest) = head.split_first().ok_or(Malformed)?;
        at += body;
        values_left -= 1;
        match kind {
            b'+' | b'-' | b':' | b',' | b'#' | b'(' | b'_' => (),
            b'$' | b'!' | b'=' => at += count(rest)?.map_or(0, |it| it + 2),
            b'*' | b'~' | b'>' => values_left += count(rest)?.unwrap_or(0),
            b'%' => values_left += 2 * count(rest)?.unwrap_or(0),
            // Attributes stand before the value that they describe.
            b'|' => values_left += 2 * count(rest)?.unwrap_or(0) + 1,
            _ => return Err(Malformed),
        }
        if bytes.len() < at {
            return Ok(None);
        }
    }
    Ok(Some(at))
}

/// The publication that a whole value is, if it is one.
pub(crate) fn publication(value: &[u8]) -> Option<Publication<'_>> {
    let (head, body) = line(value)?;
    let rest = &value[body..];
    let (kind, rest) = bulk(rest)?;
    let rest = match (head, kind) {
        (b">3", b"message" | b"smessage") => rest,
        (b">4", b"pmessage") => bulk(rest)?.1,
        _ => return None,
    };
    let (channel, rest) = bulk(rest)?;
    let (payload, _) = bulk(rest)?;
    Some(Publication { channel, payload })
}

/// The first line without its end, and where the next begins.
fn line(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let end = bytes.windows(2).position(|it| it == b"\r\n")?;
    Some((&bytes[..end], end + 2))
}

/// A length; `None` where Redis says that nothing is there.
fn count(digits: &[u8]) -> Result<Option<usize>, Malformed> {
    match digits {
        b"-1" => Ok(None),
        _ => str::from_utf8(digits).ok().and_then(|it| it.parse().ok()).map(Some).ok_or(Malformed),
    }
}

fn bulk(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, body) = line(bytes)?;
    let length = count(head.strip_prefix(b"$")?).ok()??;
    Some((bytes.get(body..body + length)?, &bytes[body + length + 2..]))
}

#[test]
fn a_value_ends_where_its_last_part_ends() {
    let values: [&[u8]; 14] = [
        b"+OK\r\n",
        b"-ERR no\r\n",
        b":42\r\n",
        b"_\r\n",
        b"#t\r\n",
        b",1.5\r\n",
        b"(123456789012345678901234567890\r\n",
        b"$-1\r\n",
        b"$4\r\na\r\nb\r\n",
        b"=7\r\ntxt:abc\r\n",
        b"*2\r\n*0\r\n~1\r\n:1\r\n",
        b"%1\r\n+key\r\n*-1\r\n",
        b"|1\r\n+ttl\r\n:3\r\n+described\r\n",
        b">3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$6\r\n>3\r\n\r\n\r\n",
    ];
    for value in values {
        let followed = [value, b"+NEXT\r\n"].concat();
        assert_eq!(value_len(&followed), Ok(Some(value.len())), "{}", value.escape_ascii());
        for end in 0..value.len() {
            assert_eq!(value_len(&value[..end]), Ok(None), "{} of it", end);
        }
    }
}

#[test]
fn what_redis_never_says_is_malformed() {
    for bytes in [&b"hello\r\n"[..], b"$x\r\n", b"$?\r\n", b"\r\n"] {
        assert_eq!(value_len(bytes), Err(Malformed));
    }
}

#[test]
fn only_pushed_messages_are_publications() {
    let publication_of = |bytes| publication(bytes).map(|it| (it.channel, it.payload));
    let heard = Some((&b"ch"[..], &b"a\r\nb"[..]));
    assert_eq!(publication_of(b">3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$4\r\na\r\nb\r\n"), heard);
    assert_eq!(publication_of(b">3\r\n$8\r\nsmessage\r\n$2\r\nch\r\n$4\r\na\r\nb\r\n"), heard);
    assert_eq!(
        publication_of(b">4\r\n$8\r\npmessage\r\n$2\r\nc*\r\n$2\r\nch\r\n$4\r\na\r\nb\r\n"),
        heard
    );
    assert_eq!(publication_of(b">3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n"), None);
    assert_eq!(publication_of(b"*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$1\r\na\r\n"), None);
}
