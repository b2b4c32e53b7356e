//! Settings of the section `blobs`, and the address in links.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::blobs::place;
use crate::secret::Secret;

/// Where attachments are kept, and what links to them are signed with.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Unset: the folder `files` in the data folder, which is this machine's alone.
    pub url: Option<Place>,
    /// What links are signed with, the same on every node; unset: a key made of `auth.jwt_secret`.
    pub secret: Option<Secret<String>>,
    /// The environment's variables that begin with `AWS_`, as every program of that world reads
    /// them.
    #[serde(skip)]
    pub aws: BTreeMap<String, Secret<String>>,
}

impl Config {
    /// What is wrong with the section, each as `setting: cause and cure`.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.secret.as_ref().is_some_and(|it| it.expose().is_empty()) {
            problems.push("blobs.secret: is empty: give the same random text to every node".into());
        }
        if let Some(place) = &self.url
            && let Err(error) = place::store(place, &self.aws)
        {
            problems.push(format!("blobs.url: cannot be used with these AWS_ variables: {error}"));
        }
        problems
    }
}

/// A place for files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Place {
    /// A folder of this machine (`file://`), by its absolute path.
    Folder(PathBuf),
    /// A bucket of S3 or of what speaks like it (`s3://`).
    Bucket {
        /// Its name.
        name: String,
        /// What the keys begin with; empty: nothing.
        prefix: String,
    },
}

/// Why a text is no [`Place`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("has to be file:///an/absolute/folder or s3://bucket, perhaps with /a/prefix")]
pub struct NoPlace;

impl TryFrom<String> for Place {
    type Error = NoPlace;

    fn try_from(text: String) -> Result<Self, NoPlace> {
        if let Some(folder) = text.strip_prefix("file://") {
            return folder.starts_with('/').then(|| Self::Folder(folder.into())).ok_or(NoPlace);
        }
        let rest = text.strip_prefix("s3://").ok_or(NoPlace)?;
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let is_prefix = |c: char| is_name(c) || c == '/';
        let is_place =
            !name.is_empty() && name.chars().all(is_name) && prefix.chars().all(is_prefix);
        let prefix = prefix.trim_matches('/').to_owned();
        is_place.then(|| Self::Bucket { name: name.to_owned(), prefix }).ok_or(NoPlace)
    }
}

/// The address at which clients reach the cluster: what absolute links begin with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PublicUrl(String);

/// Why a text is no [`PublicUrl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("has to be http:// or https:// with a host, perhaps a port and a path, and nothing behind")]
pub struct NoPublicUrl;

impl PublicUrl {
    /// This machine, for those who are on it.
    #[must_use]
    pub fn local(port: u16) -> Self {
        Self(format!("http://localhost:{port}"))
    }

    /// The address without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PublicUrl {
    type Error = NoPublicUrl;

    fn try_from(text: String) -> Result<Self, NoPublicUrl> {
        let uri: http::Uri = text.parse().map_err(|_unparsable| NoPublicUrl)?;
        let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
        let has_host =
            uri.authority().is_some_and(|it| !it.host().is_empty() && !it.as_str().contains('@'));
        let is_plain = uri.query().is_none() && !text.contains('#');
        let url = text.trim_end_matches('/').to_owned();
        (is_web && has_host && is_plain).then_some(Self(url)).ok_or(NoPublicUrl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_folders_and_buckets() {
        let place = |text: &str| Place::try_from(text.to_owned());
        let bucket = |name: &str, prefix: &str| {
            Ok(Place::Bucket { name: name.to_owned(), prefix: prefix.to_owned() })
        };
        assert_eq!(
            place("file:///var/lib/parlance"),
            Ok(Place::Folder("/var/lib/parlance".into()))
        );
        assert_eq!(place("s3://chat-files"), bucket("chat-files", ""));
        assert_eq!(place("s3://chat-files/prod/a/"), bucket("chat-files", "prod/a"));
        for text in ["", "/var", "file://var", "file:", "s3://", "s3:///x", "s3://a@b", "gs://x"] {
            assert_eq!(place(text), Err(NoPlace), "{text}");
        }
    }

    #[test]
    fn a_public_url_is_the_begin_of_links() {
        let url = |text: &str| PublicUrl::try_from(text.to_owned()).map(|it| it.0);
        assert_eq!(url("https://chat.example/"), Ok("https://chat.example".to_owned()));
        assert_eq!(url("http://[::1]:3000/chat"), Ok("http://[::1]:3000/chat".to_owned()));
        for text in [
            "",
            "chat.example",
            "ftp://a",
            "https://",
            "https://a/?b",
            "https://u:p@a",
            "https://a/#b",
        ] {
            assert_eq!(url(text), Err(NoPublicUrl), "{text}");
        }
    }
}
