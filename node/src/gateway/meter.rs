//! Reads along what is written to a client and finds the packets that a namespace handed over.

use std::mem;

use crate::gateway::flow::Load;

/// Between two packets of a polling request or response.
const PACKET_SEPARATOR: u8 = 0x1e;

/// Longest header of a frame that a server writes: no mask.
const FRAME_HEADER_BYTES_MAX: usize = 10;

/// What ends the head of the response that upgrades to a WebSocket.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// Whether a packet's text starts as an event (2), an answer (3) or the end of a namespace (1),
/// which only this node's namespaces write.
fn is_handed_over(start: [u8; 2]) -> bool {
    matches!(&start, b"41" | b"42" | b"43")
}

/// The packets in the body of a polling request or response.
pub(super) fn packets(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    body.split(|it| *it == PACKET_SEPARATOR)
}

/// The handed-over packets in the body of a polling response.
#[must_use]
pub(super) fn polled(body: &[u8]) -> Load {
    packets(body)
        .filter(|packet| packet.first_chunk().is_some_and(|it| is_handed_over(*it)))
        .fold(Load::default(), |load, packet| load.and(Load::packet(packet.len())))
}

/// Follows the bytes of one upgraded connection, from the response's head on.
#[derive(Debug)]
pub(super) struct Meter {
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// In the response's head, with so many bytes of its end seen.
    Head(usize),
    /// In a frame's header.
    Header { seen: usize, bytes: [u8; FRAME_HEADER_BYTES_MAX] },
    /// In a frame's payload.
    Payload { seen: u64, len: u64, start: [u8; 2] },
}

impl Default for Meter {
    fn default() -> Self {
        Self { place: Place::Head(0) }
    }
}

const NEXT_FRAME: Place = Place::Header { seen: 0, bytes: [0; FRAME_HEADER_BYTES_MAX] };

impl Meter {
    /// The handed-over packets whose last byte is in `written`.
    pub(super) fn follow(&mut self, mut written: &[u8]) -> Load {
        let mut load = Load::default();
        while let Some((&first, rest)) = written.split_first() {
            let place = mem::replace(&mut self.place, NEXT_FRAME);
            (self.place, written) = match place {
                Place::Head(seen) => (after_head_byte(seen, first), rest),
                Place::Header { seen, bytes } => (after_header_byte(seen, bytes, first), rest),
                Place::Payload { seen, len, start } => {
                    let (place, rest) = after_payload(seen, (len, start), written);
                    (place, rest)
                }
            };
            load = load.and(self.finished());
        }
        load
    }

    /// Goes on to the next frame if this one is complete.
    fn finished(&mut self) -> Load {
        match self.place {
            Place::Payload { seen, len, start } if len <= seen => {
                self.place = NEXT_FRAME;
                let bytes = usize::try_from(len).unwrap_or(usize::MAX);
                if is_handed_over(start) { Load::packet(bytes) } else { Load::default() }
            }
            Place::Payload { .. } | Place::Head(_) | Place::Header { .. } => Load::default(),
        }
    }
}

fn after_head_byte(seen: usize, byte: u8) -> Place {
    let seen =
        if HEAD_END.get(seen) == Some(&byte) { seen + 1 } else { usize::from(byte == b'\r') };
    if seen == HEAD_END.len() { NEXT_FRAME } else { Place::Head(seen) }
}

fn after_header_byte(seen: usize, mut bytes: [u8; FRAME_HEADER_BYTES_MAX], byte: u8) -> Place {
    if let Some(place) = bytes.get_mut(seen) {
        *place = byte;
    }
    let seen = seen + 1;
    let short = u64::from(bytes[1] & 0x7f);
    let len = match (seen, short) {
        (2, ..=125) => short,
        (4, 126) => u64::from(u16::from_be_bytes([bytes[2], bytes[3]])),
        (FRAME_HEADER_BYTES_MAX, 127) => {
            let [_, _, len @ ..] = bytes;
            u64::from_be_bytes(len)
        }
        _ => return Place::Header { seen, bytes },
    };
    Place::Payload { seen: 0, len, start: [0; 2] }
}

/// Steps over as much of the payload as there is.
fn after_payload(seen: u64, (len, mut start): (u64, [u8; 2]), written: &[u8]) -> (Place, &[u8]) {
    let left = usize::try_from(len - seen).unwrap_or(usize::MAX);
    let (payload, rest) = written.split_at(left.min(written.len()));
    let unseen = start.iter_mut().skip(usize::try_from(seen).unwrap_or(usize::MAX));
    for (place, byte) in unseen.zip(payload) {
        *place = *byte;
    }
    (Place::Payload { seen: seen + payload.len() as u64, len, start }, rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(text: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x81];
        match u16::try_from(text.len()) {
            Ok(len @ ..=125) => frame.push(u8::try_from(len).unwrap()),
            Ok(len) => {
                frame.push(126);
                frame.extend(len.to_be_bytes());
            }
            Err(_) => {
                frame.push(127);
                frame.extend((text.len() as u64).to_be_bytes());
            }
        }
        frame.extend(text);
        frame
    }

    #[test]
    fn in_a_polling_response_only_handed_over_packets_count() {
        let body = b"2\x1e42[\"a\"]\x1e44{\"message\":\"no\"}\x1e4312[1]\x1e40{}\x1e6";
        assert_eq!(polled(body), Load { packets: 2, bytes: 7 + 7 });
        assert_eq!(polled(b""), Load::default());
    }

    proptest! {
        #[test]
        fn packets_are_found_however_the_stream_is_cut(
            packets in prop::collection::vec((0_usize..6, 0_usize..70_000), 0..6),
            cuts in prop::collection::vec(1_usize..40_000, 1..20),
        ) {
            let kinds: [&[u8]; 6] = [b"42", b"43", b"41", b"40", b"44", b"2"];
            let mut stream = b"HTTP/1.1 101 Switching Protocols\r\na: b\r\r\n\r\n".to_vec();
            let mut expected = Load::default();
            for (kind, size) in packets {
                let text = [kinds[kind], &vec![b'x'; size]].concat();
                stream.extend(frame(&text));
                if kind < 3 {
                    expected = expected.and(Load::packet(text.len()));
                }
            }
            let (mut meter, mut found, mut rest) = (Meter::default(), Load::default(), &stream[..]);
            for cut in cuts.iter().cycle() {
                let (written, later) = rest.split_at(rest.len().min(*cut));
                found = found.and(meter.follow(written));
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(found, expected);
        }
    }
}
