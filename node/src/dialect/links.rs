//! Links to messages' files, made whenever a message is told.

use std::fmt;
use std::sync::Arc;

use crate::domain::attachment::Attachment;

/// An absolute link to a file, good from now on for as long as such links are.
pub type LinkTo = Arc<dyn Fn(&Attachment) -> String + Send + Sync>;

/// How a dialect makes links.
#[derive(Clone)]
pub(super) struct Links(LinkTo);

impl Links {
    pub(super) fn new(link: LinkTo) -> Self {
        Self(link)
    }

    pub(super) fn to(&self, file: &Attachment) -> String {
        (self.0)(file)
    }
}

impl Default for Links {
    /// Files by their ids: all that can be said where nobody serves them.
    fn default() -> Self {
        Self(Arc::new(|file| file.id.to_string()))
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Links")
    }
}
