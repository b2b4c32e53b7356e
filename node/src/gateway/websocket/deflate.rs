//! permessage-deflate (RFC 7692): what is agreed on, and how a message is deflated and inflated.
//!
//! Neither side keeps anything between messages. So a connection holds no window, and a frame that
//! many hear is deflated once for all of them.

use std::cell::RefCell;
use std::fmt;

use miniz_oxide::deflate::CompressionLevel;
use miniz_oxide::deflate::core::CompressorOxide;
use miniz_oxide::deflate::stream::deflate;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use miniz_oxide::{DataFormat, MZFlush};

use crate::gateway::websocket::frame::CloseCode;

/// Texts up to here are written as they are: they fit into a packet or two either way.
pub(super) const DEFLATE_BYTES_MIN: usize = 1024;

/// What a request may ask for, all headers together; longer ones agree on nothing.
const OFFERS_BYTES_MAX: usize = 1024;

/// The answer to an offer that is taken.
pub(super) const AGREED: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// What a deflated message ends with and does not send.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// An empty last block: the end of a stream that has none.
const END: [u8; 5] = [0x01, 0x00, 0x00, 0xff, 0xff];

/// Whether one of the offers of a `Sec-WebSocket-Extensions` header can be taken: permessage-deflate
/// with parameters that are known, and no smaller window than the one that this node uses.
#[must_use]
pub(super) fn is_offered(extensions: &str) -> bool {
    extensions.len() <= OFFERS_BYTES_MAX && extensions.split(',').any(is_acceptable)
}

fn is_acceptable(offer: &str) -> bool {
    let mut parts = offer.split(';').map(str::trim);
    if parts.next() != Some("permessage-deflate") {
        return false;
    }
    let mut seen = Vec::new();
    parts.all(|parameter| {
        let (name, value) = match parameter.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
            None => (parameter, None),
        };
        let is_first = !seen.contains(&name);
        seen.push(name);
        is_first && is_known(name, value)
    })
}

fn is_known(name: &str, value: Option<&str>) -> bool {
    let is_window = |text: &str| {
        let is_plain = !text.starts_with('0') && text.bytes().all(|it| it.is_ascii_digit());
        is_plain && text.parse().is_ok_and(|bits: u8| (8..=15).contains(&bits))
    };
    match (name, value) {
        ("server_no_context_takeover" | "client_no_context_takeover", None)
        | ("client_max_window_bits", None) => true,
        // Whatever window the client has, this node's is large enough to read from it.
        ("client_max_window_bits", Some(bits)) => is_window(bits),
        ("server_max_window_bits", Some(bits)) => bits == "15",
        _ => false,
    }
}

thread_local! {
    // Some hundred KiB: made once a thread. Fast rather than small: chat is text, and most of the
    // gain is in the first pass.
    static COMPRESSOR: RefCell<CompressorOxide> = RefCell::new(
        CompressorOxide::with_format_and_level(DataFormat::Raw, CompressionLevel::BestSpeed),
    );
}

/// A message in deflated form; `None`: it would not be smaller.
#[must_use]
pub(super) fn shrink(message: &[u8]) -> Option<Vec<u8>> {
    let mut deflated = vec![0; message.len()];
    let written = COMPRESSOR.with_borrow_mut(|compressor| {
        compressor.reset();
        let result = deflate(compressor, message, &mut deflated, MZFlush::Sync);
        let is_whole = result.status.is_ok() && result.bytes_consumed == message.len();
        // A full buffer may lack the end.
        let is_whole = is_whole && result.bytes_written < message.len();
        is_whole.then_some(result.bytes_written)
    })?;
    deflated.truncate(written);
    let len = deflated.strip_suffix(&TAIL)?.len();
    deflated.truncate(len);
    Some(deflated)
}

/// Bytes of a message that are made at least at once.
const GROWTH_BYTES_MIN: usize = 512;

/// What is known of a deflated message that is under way. What was made of it is all the window that
/// it needs.
pub(super) struct Inflater(Box<DecompressorOxide>);

impl Inflater {
    /// Nothing has come yet.
    #[must_use]
    pub(super) fn new() -> Self {
        Self(Box::default())
    }

    /// Appends to `message` what `deflated` adds to it.
    ///
    /// # Errors
    /// That is more than `bytes_max` in all (no more is ever made), or nothing that was deflated.
    pub(super) fn inflate(
        &mut self,
        message: &mut Vec<u8>,
        mut deflated: &[u8],
        bytes_max: usize,
    ) -> Result<(), CloseCode> {
        const FLAGS: u32 = TINFL_FLAG_HAS_MORE_INPUT | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        loop {
            let before = message.len();
            // One more than it may have, to see that it has more.
            let growth = GROWTH_BYTES_MIN.max(deflated.len().saturating_mul(4)).max(before);
            message.resize(before.saturating_add(growth).min(bytes_max.saturating_add(1)), 0);
            let (status, read, made) = decompress(&mut self.0, deflated, message, before, FLAGS);
            message.truncate(before + made);
            deflated = &deflated[read..];
            if bytes_max < message.len() {
                return Err(CloseCode::TooBig);
            }
            let has_ended = status == TINFLStatus::Done;
            if has_ended {
                self.0.init(); // another stream may follow in the same message
            }
            if status == TINFLStatus::NeedsMoreInput || (has_ended && deflated.is_empty()) {
                return Ok(());
            }
            if !has_ended && status != TINFLStatus::HasMoreOutput {
                return Err(CloseCode::NotUtf8);
            }
        }
    }

    /// The message is whole: completes it.
    ///
    /// # Errors
    /// As those of [`Self::inflate`]; or it was cut.
    pub(super) fn finish(
        mut self,
        message: &mut Vec<u8>,
        bytes_max: usize,
    ) -> Result<(), CloseCode> {
        self.inflate(message, &TAIL, bytes_max)?;
        // Only between two blocks is there room for an empty last one.
        let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let end = message.len();
        let (status, _read, _made) = decompress(&mut self.0, &END, message, end, flags);
        if status == TINFLStatus::Done { Ok(()) } else { Err(CloseCode::NotUtf8) }
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The message that comes in pieces of so many bytes.
    fn inflated(deflated: &[u8], piece: usize, bytes_max: usize) -> Result<Vec<u8>, CloseCode> {
        let (mut inflater, mut message) = (Inflater::new(), Vec::new());
        for piece in deflated.chunks(piece) {
            inflater.inflate(&mut message, piece, bytes_max)?;
        }
        inflater.finish(&mut message, bytes_max)?;
        Ok(message)
    }

    fn inflate(deflated: &[u8], bytes_max: usize) -> Result<Vec<u8>, CloseCode> {
        inflated(deflated, deflated.len().max(1), bytes_max)
    }

    #[test]
    fn an_offer_is_taken_if_all_that_it_asks_can_be_done() {
        for taken in [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate;client_max_window_bits=10;server_max_window_bits=15",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            "x-other, permessage-deflate; server_max_window_bits=8, permessage-deflate",
        ] {
            assert!(is_offered(taken), "{taken}");
        }
        for refused in [
            "",
            "x-webkit-deflate-frame",
            "permessage-deflate; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; client_max_window_bits=16",
            "permessage-deflate; client_max_window_bits=015",
            "permessage-deflate; client_max_window_bits=x",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; unknown",
            "permessage-deflate; client_max_window_bits; client_max_window_bits",
            "permessage-deflate;",
        ] {
            assert!(!is_offered(refused), "{refused}");
        }
        let long = format!("permessage-deflate{}", ", permessage-deflate".repeat(100));
        assert!(!is_offered(&long));
    }

    #[test]
    fn examples_of_the_specification_are_read() {
        // One block, stored bytes, a stream with a last block, and two blocks.
        for deflated in [
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..],
            &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
        ] {
            for piece in 1..=deflated.len() {
                let message = inflated(deflated, piece, 5);
                assert_eq!(message.as_deref(), Ok(&b"Hello"[..]), "{deflated:?} by {piece}");
            }
            assert_eq!(inflate(deflated, 4), Err(CloseCode::TooBig));
        }
    }

    #[test]
    fn a_bomb_is_too_big_and_no_more_of_it_is_made() {
        let bomb = shrink(&vec![b'a'; 50_000_000]).unwrap();
        assert!(bomb.len() < 500_000);
        let (mut inflater, mut message) = (Inflater::new(), Vec::new());
        let read = inflater.inflate(&mut message, &bomb, 1_000_000);
        assert_eq!(read, Err(CloseCode::TooBig));
        assert!(message.capacity() <= 2_000_000, "{}", message.capacity());
    }

    #[test]
    fn what_is_cut_or_no_stream_at_all_is_refused() {
        let deflated = shrink("one two three ".repeat(100).as_bytes()).unwrap();
        for end in 0..deflated.len() {
            let cut = inflate(&deflated[..end], 10_000);
            assert_eq!(cut, Err(CloseCode::NotUtf8), "{end} of {}", deflated.len());
        }
        assert_eq!(inflate(&[0xff; 20], 10_000), Err(CloseCode::NotUtf8));
    }

    #[test]
    fn what_does_not_get_smaller_is_not_deflated() {
        let mut state = 1_u64;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        });
        assert_eq!(shrink(&noise.take(2000).collect::<Vec<u8>>()), None);
        assert_eq!(shrink(b""), None);
    }

    proptest! {
        #[test]
        fn a_deflated_message_is_read_again(
            word in ".{1,40}", times in 1_usize..200, piece in 1_usize..50
        ) {
            let message = word.repeat(times).into_bytes();
            if let Some(deflated) = shrink(&message) {
                let len = message.len();
                prop_assert!(deflated.len() < len);
                prop_assert_eq!(inflated(&deflated, piece, len - 1), Err(CloseCode::TooBig));
                prop_assert_eq!(inflated(&deflated, piece, len), Ok(message));
            }
        }

        #[test]
        fn any_bytes_are_read_without_harm(
            bytes in prop::collection::vec(any::<u8>(), 0..300), piece in 1_usize..50
        ) {
            if let Ok(message) = inflated(&bytes, piece, 10_000) {
                prop_assert!(message.len() <= 10_000);
            }
        }
    }
}
