//! Where clients meet a dialect: Socket.IO namespaces, or paths of WebSockets of their own.

use std::sync::Arc;

use crate::dialect::check::Check;
use crate::dialect::file::{Quoted, Table};

/// A place at which dialects are spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Venue {
    /// A Socket.IO namespace, with its slash. Several dialects may share it.
    Namespace(Arc<str>),
    /// The path of WebSockets that carry envelopes instead of Socket.IO. It belongs to one dialect.
    Path(Arc<str>),
}

impl Venue {
    /// The namespace or path, with its slash.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        match self {
            Self::Namespace(name) | Self::Path(name) => name,
        }
    }
}

/// The venues of a file: all of one kind.
#[derive(Debug)]
pub(super) enum Venues {
    Namespaces(Vec<Arc<str>>),
    Paths(Vec<Arc<str>>),
}

/// The path of Socket.IO itself.
const SOCKET_IO: &str = "/socket.io";

impl Venues {
    /// Reads `namespaces` or `paths`.
    pub(super) fn read<'t>(check: &mut Check<'t>, file: &mut Table<'t>) -> Self {
        if file.place_of("paths").is_none() {
            let is_namespace = |it: &str| it.starts_with('/') && !it.contains([',', '?']);
            let like = "no namespace, like `/` or `/name`";
            let namespaces = file.required_texts(check, "namespaces");
            return Self::Namespaces(named(check, namespaces, is_namespace, like));
        }
        let paths = file.required_texts(check, "paths");
        if let Some(at) = file.place_of("namespaces") {
            let cause = "a dialect has either `namespaces` or `paths`: the wire is another one";
            check.fault(at, cause);
        }
        let is_path = |it: &str| {
            let is_segment_char = |c: char| c.is_ascii_alphanumeric() || "-_.~/".contains(c);
            it.starts_with('/') && it.chars().all(is_segment_char) && !it.starts_with(SOCKET_IO)
        };
        let like = "no path for WebSockets, like `/ws`";
        Self::Paths(named(check, paths, is_path, like))
    }

    /// Whether messages are envelopes instead of packets of Socket.IO.
    pub(super) fn is_enveloped(&self) -> bool {
        match self {
            Self::Namespaces(_) => false,
            Self::Paths(_) => true,
        }
    }
}

fn named(
    check: &mut Check<'_>,
    texts: Vec<Quoted<'_>>,
    is_right: impl Fn(&str) -> bool,
    like: &str,
) -> Vec<Arc<str>> {
    let mut names: Vec<Arc<str>> = Vec::new();
    for quoted in texts {
        if !is_right(quoted.text) {
            check.fault(quoted.at, format!("`{}` is {like}", quoted.text));
        }
        if names.iter().any(|it| **it == *quoted.text) {
            check.fault(quoted.at, format!("`{}` stands twice", quoted.text));
        }
        names.push(Arc::from(quoted.text));
    }
    names
}
