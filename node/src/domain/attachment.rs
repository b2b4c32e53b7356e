//! Files that messages carry.
//!
//! The bytes are kept elsewhere: a message names its files, and whoever reads it is given links.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Files of one message at most.
pub const ATTACHMENTS_MAX: usize = 10;

/// Bytes of one file at most, decoded.
pub const FILE_BYTES_MAX: usize = 10_485_760;

/// Bytes of all files of one message at most, as they are sent.
pub const UPLOAD_BYTES_MAX: usize = 30_000_000;

/// A file as a client sends it: nothing of it has been checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Upload {
    /// What the client calls it.
    pub name: String,
    /// The media type that the client says it has; empty: it does not know.
    pub media_type: String,
    /// The bytes in base64, perhaps behind `data:…;base64,`.
    pub data: String,
}

impl fmt::Debug for Upload {
    /// Without the bytes: they are many, and nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("name", &self.name)
            .field("media_type", &self.media_type)
            .field("data_bytes", &self.data.len())
            .finish()
    }
}

/// The name under which a file's bytes are kept: random, so that it says nothing about the file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlobId(Uuid);

impl BlobId {
    /// A name that no other file has.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Takes a name as [`fmt::Display`] writes it; a UUID in another form is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let id = Self(Uuid::try_parse(text).ok()?);
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A stored file as its message keeps it. Links to it are made anew whenever it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Where its bytes are.
    pub id: BlobId,
    /// Its name: safe as a file's name, and with the ending of its type. Escaped only when it is
    /// spelled.
    pub name: String,
    /// Its media type, as its bytes show it.
    pub media_type: String,
    /// How many bytes it has.
    pub size: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_prints_without_its_bytes() {
        let upload = Upload {
            name: "a.txt".to_owned(),
            media_type: String::new(),
            data: "aHVudGVyMg==".to_owned(),
        };
        let printed = format!("{upload:?}");
        assert!(printed.contains("a.txt") && !printed.contains("aHVudGVyMg"), "{printed}");
    }

    #[test]
    fn an_id_has_one_spelling() {
        let id = BlobId::random();
        assert_eq!(BlobId::parse(&id.to_string()), Some(id));
        for other in ["", "../x", &id.to_string().to_uppercase(), &format!("{{{id}}}")] {
            assert_eq!(BlobId::parse(other), None, "{other}");
        }
    }
}
