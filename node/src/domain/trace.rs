//! What ties the parts of one message's way together, over all nodes.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_bytes::ByteBuf;

/// Bytes of a trace's id and of a span's id, as OpenTelemetry has them.
const TRACE_BYTES: usize = 16;
const SPAN_BYTES: usize = 8;

/// The span of a trace that caused what follows. There is one only where the trace is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace's id.
    pub trace: [u8; TRACE_BYTES],
    /// The span's id.
    pub span: [u8; SPAN_BYTES],
}

impl Serialize for TraceParent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = [0; TRACE_BYTES + SPAN_BYTES];
        bytes[..TRACE_BYTES].copy_from_slice(&self.trace);
        bytes[TRACE_BYTES..].copy_from_slice(&self.span);
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for TraceParent {
    /// Further bytes are a newer node's, and passed over.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = ByteBuf::deserialize(deserializer)?;
        let short =
            || <D::Error as de::Error>::invalid_length(bytes.len(), &"a trace's and a span's id");
        let (trace, rest) = bytes.split_first_chunk().ok_or_else(short)?;
        let (span, _) = rest.split_first_chunk().ok_or_else(short)?;
        Ok(Self { trace: *trace, span: *span })
    }
}
