//! WebSocket frames (RFC 6455), as a server reads and writes them: no sockets here, only bytes.
//!
//! A frame that is not whole yet holds only the bytes that have come; between frames a connection
//! holds nothing.

use std::mem;

use crate::gateway::websocket::deflate::Inflater;

/// Longest payload of a frame that controls the connection.
const CONTROL_BYTES_MAX: usize = 125;

/// Longest header of a frame from a client: two bytes, eight of length, four of mask.
const HEADER_BYTES_MAX: usize = 14;

/// What is kept of a message that is not: enough to answer it.
const DROPPED_START_BYTES: usize = 1024;

/// Deflated bytes that are read at once: a message grows by a megabyte at most (deflate makes 1,032
/// bytes of one) before it is judged again.
const DEFLATED_PART_BYTES: usize = 1024;

const FINAL: u8 = 0x80;
/// In the first frame of a message: it is deflated.
const DEFLATED: u8 = 0x40;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Why a connection is closed, as its last frame tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseCode {
    /// All was said.
    Normal,
    /// This node leaves.
    Away,
    /// The frames, or the packets in them, break the protocol.
    Protocol,
    /// A message of bytes, where none is expected.
    Unsupported,
    /// A text is no UTF-8.
    NotUtf8,
    /// The client may not stay.
    Policy,
    /// A message is longer than allowed.
    TooBig,
    /// The node cannot judge the client now.
    TryLater,
    /// The client has to show a good token.
    Unauthorized,
    /// The client was put out and should stay away.
    Dismissed,
}

impl CloseCode {
    fn number(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::Away => 1001,
            Self::Protocol => 1002,
            Self::Unsupported => 1003,
            Self::NotUtf8 => 1007,
            Self::Policy => 1008,
            Self::TooBig => 1009,
            Self::TryLater => 1013,
            // Of the range for applications, after HTTP's 401 and 403.
            Self::Unauthorized => 4401,
            Self::Dismissed => 4403,
        }
    }
}

/// Something that a client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// A text message.
    Text(String),
    /// A message of bytes, which was expected.
    Bytes(Vec<u8>),
    /// Nothing whole: a message has grown, and more of it is to be read.
    Part,
    /// The start of a message whose rest was not kept.
    Dropped(Vec<u8>),
    /// To be answered by a pong with the same bytes.
    Ping(Vec<u8>),
    /// An answer to a ping of frames.
    Pong,
    /// The client closes, with this code.
    Close(Option<u16>),
}

/// A frame whose header has been read.
#[derive(Debug)]
struct Open {
    opcode: u8,
    is_final: bool,
    mask: [u8; 4],
    len: usize,
    seen: usize,
}

/// Puts frames together from bytes, however these are cut.
#[derive(Debug)]
pub(super) struct Decoder {
    header: [u8; HEADER_BYTES_MAX],
    header_len: usize,
    frame: Option<Open>,
    /// The message so far, while one is under way.
    message: Option<Vec<u8>>,
    kind: Kind,
    control: Vec<u8>,
    message_max: usize,
    /// The message under way is deflated.
    inflater: Option<Inflater>,
    may_deflate: bool,
    /// Messages of bytes are taken.
    takes_bytes: bool,
}

/// What becomes of the message that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Bytes,
    /// The rest of it is not kept.
    Dropped,
}

impl Decoder {
    /// A decoder for messages of at most `message_max` bytes, which may be deflated (and then have no
    /// more inflated either) if that was agreed on.
    #[must_use]
    pub(super) fn new(message_max: usize, may_deflate: bool) -> Self {
        Self {
            header: [0; HEADER_BYTES_MAX],
            header_len: 0,
            frame: None,
            message: None,
            kind: Kind::Text,
            control: Vec::new(),
            message_max,
            inflater: None,
            may_deflate,
            takes_bytes: false,
        }
    }

    /// From now on messages may have so many bytes.
    pub(super) fn allow(&mut self, message_max: usize) {
        self.message_max = message_max;
    }

    /// Whether messages of bytes are taken from now on.
    pub(super) fn expect_bytes(&mut self, takes_bytes: bool) {
        self.takes_bytes = takes_bytes;
    }

    /// The message that is under way, as far as it has come.
    #[must_use]
    pub(super) fn pending(&self) -> &[u8] {
        let is_kept = self.kind != Kind::Dropped;
        self.message.as_deref().filter(|_| is_kept).unwrap_or_default()
    }

    /// Keeps no more than the start of the message that is under way.
    pub(super) fn drop_message(&mut self) {
        if let Some(message) = &mut self.message {
            message.truncate(DROPPED_START_BYTES);
            message.shrink_to_fit();
            self.inflater = None;
            self.kind = Kind::Dropped;
        }
    }

    /// Takes from `input` up to the end of the next whole message, or part of a deflated one.
    /// `None`: all was taken, and more has to come.
    ///
    /// # Errors
    /// The code with which the connection has to be closed; the decoder is of no use afterwards.
    pub(super) fn decode(&mut self, input: &mut &[u8]) -> Result<Option<Heard>, CloseCode> {
        loop {
            let Some(mut frame) = self.frame.take() else {
                let Some(frame) = self.read_header(input)? else { return Ok(None) };
                self.frame = Some(frame);
                continue;
            };
            let part_max = self.inflater.as_ref().map_or(usize::MAX, |_| DEFLATED_PART_BYTES);
            let part = input.len().min(frame.len - frame.seen).min(part_max);
            let (now, later) = input.split_at(part);
            *input = later;
            self.keep(now, &frame)?;
            frame.seen += now.len();
            if frame.seen < frame.len {
                self.frame = Some(frame);
                return Ok((!input.is_empty()).then_some(Heard::Part));
            }
            if let Some(heard) = self.finish(&frame)? {
                return Ok(Some(heard));
            }
        }
    }

    /// Keeps the next bytes of a frame.
    fn keep(&mut self, masked: &[u8], frame: &Open) -> Result<(), CloseCode> {
        if matches!(frame.opcode, CLOSE | PING | PONG) {
            unmask(&mut self.control, masked, frame.mask, frame.seen);
            return Ok(());
        }
        let message = self.message.get_or_insert_default();
        match &mut self.inflater {
            _ if self.kind == Kind::Dropped => {}
            Some(inflater) => {
                let mut deflated = Vec::new();
                unmask(&mut deflated, masked, frame.mask, frame.seen);
                inflater.inflate(message, &deflated, self.message_max)?;
            }
            None => unmask(message, masked, frame.mask, frame.seen),
        }
        Ok(())
    }

    /// The next frame, once its header is whole and judged: before any of its payload is kept.
    fn read_header(&mut self, input: &mut &[u8]) -> Result<Option<Open>, CloseCode> {
        loop {
            let needed = match (self.header_len, self.header[1] & !MASKED) {
                (0 | 1, _) => 2,
                (_, 126) => 8,
                (_, 127) => HEADER_BYTES_MAX,
                _ => 6,
            };
            if self.header_len == needed {
                break;
            }
            let Some((&byte, rest)) = input.split_first() else { return Ok(None) };
            *input = rest;
            self.header[self.header_len] = byte;
            self.header_len += 1;
        }
        let header = mem::take(&mut self.header);
        let header_len = mem::take(&mut self.header_len);
        let [first, second, long @ ..] = header;
        let len = match second & !MASKED {
            126 => u64::from(u16::from_be_bytes([long[0], long[1]])),
            127 => u64::from_be_bytes(*long.first_chunk().ok_or(CloseCode::Protocol)?),
            short => u64::from(short),
        };
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let mask = header[..header_len].last_chunk().copied().ok_or(CloseCode::Protocol)?;
        let (opcode, is_final) = (first & 0x0f, first & FINAL != 0);
        let is_data = matches!(opcode, TEXT | BINARY);
        let is_deflated = first & RESERVED == DEFLATED && is_data && self.may_deflate;
        if second & MASKED == 0 || (first & RESERVED != 0 && !is_deflated) {
            return Err(CloseCode::Protocol); // unmasked, or an extension that was not agreed on
        }
        let frame = Open { opcode, is_final, mask, len, seen: 0 };
        self.judge(&frame)?;
        if is_data {
            self.kind = if opcode == TEXT { Kind::Text } else { Kind::Bytes };
        }
        if is_deflated {
            self.inflater = Some(Inflater::new());
        }
        Ok(Some(frame))
    }

    fn judge(&self, frame: &Open) -> Result<(), CloseCode> {
        match (frame.opcode, &self.message) {
            (CLOSE | PING | PONG, _) => {
                let fits = frame.is_final && frame.len <= CONTROL_BYTES_MAX;
                return if fits { Ok(()) } else { Err(CloseCode::Protocol) };
            }
            (TEXT, None) | (CONTINUATION, Some(_)) => {}
            (BINARY, None) if self.takes_bytes => {}
            (BINARY, None) => return Err(CloseCode::Unsupported),
            _ => return Err(CloseCode::Protocol),
        }
        // Nothing more is kept of a message that is dropped, so only its frames are bounded.
        let kept = self.message.as_ref().filter(|_| self.kind != Kind::Dropped);
        let before = kept.map_or(0, Vec::len);
        let fits = frame.len <= self.message_max.saturating_sub(before);
        if fits { Ok(()) } else { Err(CloseCode::TooBig) }
    }

    fn finish(&mut self, frame: &Open) -> Result<Option<Heard>, CloseCode> {
        match frame.opcode {
            CLOSE => closing(&mem::take(&mut self.control)).map(|it| Some(Heard::Close(it))),
            PING => Ok(Some(Heard::Ping(mem::take(&mut self.control)))),
            PONG => {
                self.control = Vec::new();
                Ok(Some(Heard::Pong))
            }
            _ if !frame.is_final => Ok(None),
            _ => self.finish_message().map(Some),
        }
    }

    fn finish_message(&mut self) -> Result<Heard, CloseCode> {
        let mut message = self.message.take().unwrap_or_default();
        if let Some(inflater) = self.inflater.take() {
            inflater.finish(&mut message, self.message_max)?;
        }
        Ok(match self.kind {
            Kind::Dropped => Heard::Dropped(message),
            Kind::Bytes => Heard::Bytes(message),
            Kind::Text => {
                Heard::Text(String::from_utf8(message).map_err(|_not_utf8| CloseCode::NotUtf8)?)
            }
        })
    }
}

/// Appends `masked`, which begins `seen` bytes after its frame's first one.
fn unmask(target: &mut Vec<u8>, masked: &[u8], mut mask: [u8; 4], seen: usize) {
    mask.rotate_left(seen % 4);
    let (words, rest) = masked.as_chunks::<4>();
    target.reserve(masked.len());
    let key = u32::from_ne_bytes(mask);
    target.extend(words.iter().flat_map(|it| (u32::from_ne_bytes(*it) ^ key).to_ne_bytes()));
    target.extend(rest.iter().zip(mask).map(|(byte, key)| byte ^ key));
}

/// What a client's last frame says.
fn closing(payload: &[u8]) -> Result<Option<u16>, CloseCode> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(CloseCode::Protocol) };
    };
    if str::from_utf8(reason).is_err() {
        return Err(CloseCode::NotUtf8);
    }
    match u16::from_be_bytes(*code) {
        code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => Ok(Some(code)),
        _ => Err(CloseCode::Protocol),
    }
}

/// Appends a whole text message.
pub(super) fn write_text(target: &mut Vec<u8>, text: &str) {
    write(target, TEXT, text.as_bytes());
}

/// Appends a whole text message that was deflated.
pub(super) fn write_deflated(target: &mut Vec<u8>, deflated: &[u8]) {
    write(target, DEFLATED | TEXT, deflated);
}

/// Appends a ping.
pub(super) fn write_ping(target: &mut Vec<u8>) {
    write(target, PING, &[]);
}

/// Appends the answer to a ping with this payload.
pub(super) fn write_pong(target: &mut Vec<u8>, payload: &[u8]) {
    write(target, PONG, payload);
}

/// Appends the last frame.
pub(super) fn write_close(target: &mut Vec<u8>, code: CloseCode) {
    write(target, CLOSE, &code.number().to_be_bytes());
}

/// Appends the answer to a client's last frame.
pub(super) fn write_closed(target: &mut Vec<u8>, code: Option<u16>) {
    let code = code.map(u16::to_be_bytes);
    write(target, CLOSE, code.as_ref().map_or(&[], |it| it.as_slice()));
}

fn write(target: &mut Vec<u8>, first: u8, payload: &[u8]) {
    target.reserve(payload.len() + 10);
    target.push(FINAL | first);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(len @ ..126), _) => target.push(len),
        (_, Ok(len)) => {
            target.push(126);
            target.extend(len.to_be_bytes());
        }
        _ => {
            target.push(127);
            target.extend((payload.len() as u64).to_be_bytes());
        }
    }
    target.extend(payload);
}

#[cfg(test)]
mod tests;
