//! Links to files: whoever has one may read the file until the link ends.
//!
//! A link names the file, what it is called and when it ends, and is signed. Nothing is looked up
//! for a link that is not signed, so nobody learns from the answer what there is.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::blobs::config::PublicUrl;
use crate::domain::attachment::{Attachment, BlobId};
use crate::domain::time::Timestamp;
use crate::secret::Secret;

/// How long a link lives: as long as a page may stay open before it reads its messages again.
const LIFE_SECONDS: u64 = 24 * 3600;

/// What a key is derived for: the secret itself signs tokens, and must not sign anything else.
const PURPOSE: &[u8] = b"parlance: links to files, version 1";

/// What stays as it is in a path (the unreserved characters of RFC 3986).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a link says. Nothing of it is believed before [`Links::verify`].
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// The file, as the path names it.
    pub id: &'a str,
    /// What it is called, decoded.
    pub name: &'a str,
    /// When the link ends, in seconds since 1970.
    pub expires: u64,
    /// The signature, as the query has it.
    pub signature: &'a str,
}

/// Makes and checks links.
#[derive(Debug)]
pub(super) struct Links {
    key: hmac::Key,
    base: PublicUrl,
}

impl Links {
    /// Links that begin with `base`, signed with a key that is made of `secret`.
    pub(super) fn new(secret: &Secret<String>, base: PublicUrl) -> Self {
        let secret = hmac::Key::new(HMAC_SHA256, secret.expose().as_bytes());
        let derived = hmac::sign(&secret, PURPOSE);
        Self { key: hmac::Key::new(HMAC_SHA256, derived.as_ref()), base }
    }

    /// An absolute link that lives from `now` for [`LIFE_SECONDS`].
    pub(super) fn url(&self, attachment: &Attachment, now: Timestamp) -> String {
        let Attachment { id, name, .. } = attachment;
        let expires = now.0 / 1000 + LIFE_SECONDS;
        let signature = hmac::sign(&self.key, &signed(&id.to_string(), name, expires));
        format!(
            "{}/files/{id}/{}?expires={expires}&signature={}",
            self.base.as_str(),
            utf8_percent_encode(name, UNRESERVED),
            URL_SAFE_NO_PAD.encode(signature),
        )
    }

    /// The file that a link opens; `None`: it is not ours, or it has ended.
    pub(super) fn verify(&self, link: Link<'_>, now: Timestamp) -> Option<BlobId> {
        let signature = URL_SAFE_NO_PAD.decode(link.signature).ok()?;
        // Compares in constant time.
        hmac::verify(&self.key, &signed(link.id, link.name, link.expires), &signature).ok()?;
        if link.expires <= now.0 / 1000 {
            return None;
        }
        BlobId::parse(link.id)
    }
}

/// What is signed. An id has no line end, so no two links share a text.
fn signed(id: &str, name: &str, expires: u64) -> Vec<u8> {
    format!("{id}\n{expires}\n{name}").into_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn links(secret: &str) -> Links {
        let base = PublicUrl::try_from("https://chat.example/base/".to_owned()).unwrap();
        Links::new(&Secret::new(secret.to_owned()), base)
    }

    fn attachment(name: &str) -> Attachment {
        let id = BlobId::random();
        Attachment { id, name: name.to_owned(), media_type: "text/plain".to_owned(), size: 1 }
    }

    /// The parts of a link, as a server reads them from a URL.
    fn parts(url: &str) -> (String, String, u64, String) {
        let rest = url.strip_prefix("https://chat.example/base/files/").unwrap();
        let (path, query) = rest.split_once('?').unwrap();
        let (id, name) = path.split_once('/').unwrap();
        let name = percent_encoding::percent_decode_str(name).decode_utf8().unwrap();
        let (expires, signature) = query.split_once("&signature=").unwrap();
        let expires = expires.strip_prefix("expires=").unwrap().parse().unwrap();
        (id.to_owned(), name.into_owned(), expires, signature.to_owned())
    }

    #[test]
    fn a_link_opens_its_file_for_a_day() {
        let (links, attachment) = (links("s"), attachment("a b.txt"));
        let (id, name, expires, signature) = parts(&links.url(&attachment, NOW));
        let link = Link { id: &id, name: &name, expires, signature: &signature };
        let after = |seconds: u64| Timestamp(NOW.0 + seconds * 1000);
        assert_eq!(links.verify(link, NOW), Some(attachment.id));
        assert_eq!(links.verify(link, after(LIFE_SECONDS - 1)), Some(attachment.id));
        assert_eq!(links.verify(link, after(LIFE_SECONDS)), None);
    }

    #[test]
    fn an_altered_link_opens_nothing() {
        let (links, other) = (links("s"), links("t"));
        let (mine, theirs) = (attachment("a.txt"), attachment("a.txt"));
        let (id, name, expires, signature) = parts(&links.url(&mine, NOW));
        let (their_id, ..) = parts(&links.url(&theirs, NOW));
        let link = Link { id: &id, name: &name, expires, signature: &signature };
        let longer = format!("{signature}AA");
        let (flipped, upper) = (signature.replacen(&signature[..1], "", 1), id.to_uppercase());
        for altered in [
            Link { id: &their_id, ..link },
            Link { id: &upper, ..link },
            Link { name: "a.html", ..link },
            Link { name: "", ..link },
            Link { expires: expires + 1, ..link },
            Link { expires: u64::MAX, ..link },
            Link { signature: "", ..link },
            Link { signature: &longer, ..link },
            Link { signature: &flipped, ..link },
            Link { signature: "\u{e9}", ..link },
        ] {
            assert_eq!(links.verify(altered, NOW), None, "{altered:?}");
        }
        assert_eq!(other.verify(link, NOW), None);
        assert_eq!(links.verify(link, NOW), Some(mine.id));
    }

    proptest! {
        #[test]
        fn any_name_survives_its_link(name in "\\PC{1,40}") {
            let (links, attachment) = (links("s"), attachment(&name));
            let url = links.url(&attachment, NOW);
            prop_assert!(url.is_ascii() && http::Uri::try_from(&url).is_ok());
            let (id, read, expires, signature) = parts(&url);
            prop_assert_eq!(&read, &name);
            let link = Link { id: &id, name: &read, expires, signature: &signature };
            prop_assert_eq!(links.verify(link, NOW), Some(attachment.id));
        }
    }
}
