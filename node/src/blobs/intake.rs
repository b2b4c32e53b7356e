//! From what a client sent to files that may be kept: bounded before it is decoded, and then held
//! against its name and its declared type.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

use crate::blobs::kind::Kind;
use crate::blobs::{name, sniff};
use crate::domain::attachment::{
    ATTACHMENTS_MAX, Attachment, BlobId, FILE_BYTES_MAX, UPLOAD_BYTES_MAX, Upload,
};
use crate::domain::refusal::Refusal;

/// Padding may be missing: its absence loses nothing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Longest `data:…;base64,` that is looked for.
const DATA_URL_HEAD_BYTES_MAX: usize = 256;

/// A file that may be kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File {
    pub(super) attachment: Attachment,
    pub(super) bytes: Bytes,
}

/// How many bytes these uploads take as they are, if that is allowed. Nothing is decoded for it.
///
/// # Errors
/// Too many files, a file that would be too large, or too much of all.
pub(super) fn weigh(uploads: &[Upload]) -> Result<usize, Refusal> {
    if ATTACHMENTS_MAX < uploads.len() {
        return Err(Refusal::invalid(format!("attachments: at most {ATTACHMENTS_MAX} files")));
    }
    for (index, upload) in uploads.iter().enumerate() {
        if FILE_BYTES_MAX < decoded_bytes(data(&upload.data).1) {
            let problem = format!("is larger than {FILE_BYTES_MAX} bytes");
            return Err(refusal(index, problem));
        }
    }
    let bytes = uploads.iter().map(|it| it.data.len()).sum();
    if UPLOAD_BYTES_MAX < bytes {
        let problem = format!("attachments: at most {UPLOAD_BYTES_MAX} bytes in all");
        return Err(Refusal::invalid(problem));
    }
    Ok(bytes)
}

/// Decodes and judges every file; one that is refused refuses all.
///
/// # Errors
/// The first file that is no base64, or not what it is called, or of a kind that is not taken.
pub(super) fn files(uploads: Vec<Upload>) -> Result<Vec<File>, Refusal> {
    let judged = uploads.into_iter().enumerate();
    judged.map(|(index, upload)| file(&upload).map_err(|it| refusal(index, it))).collect()
}

fn refusal(index: usize, problem: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::invalid(format!("attachments[{index}] {}", problem.into()))
}

fn file(upload: &Upload) -> Result<File, Cow<'static, str>> {
    let (also_declared, data) = data(&upload.data);
    let bytes = BASE64.decode(data).map_err(|_where| "is no base64")?;
    if bytes.is_empty() {
        return Err("is empty".into());
    }
    let name = name::clean(&upload.name).map_err(|it| format!("has a name that {it}"))?;
    let sniffed = sniff::kind(&bytes).ok_or("is of a type that is not taken")?;
    let (name, kind) = named(name, sniffed)?;
    if !kind.may_be_called(&upload.media_type) || !kind.may_be_called(also_declared) {
        return Err("is not of the type that it is declared as".into());
    }
    let size = u64::try_from(bytes.len()).map_err(|_beyond| "is too large")?;
    let media_type = kind.media_type().to_owned();
    let attachment = Attachment { id: BlobId::random(), name, media_type, size };
    Ok(File { attachment, bytes: bytes.into() })
}

/// The name with an ending that fits what the bytes are.
fn named(name: String, sniffed: Kind) -> Result<(String, Kind), Cow<'static, str>> {
    let Some(ending) = name::ending(&name) else {
        return Ok((format!("{name}.{}", sniffed.endings()[0]), sniffed));
    };
    match (sniffed, Kind::of_ending(ending)) {
        (Kind::Text, Some(Kind::Csv)) => Ok((name, Kind::Csv)),
        (sniffed, Some(promised)) if promised == sniffed => Ok((name, sniffed)),
        (_, _) => Err("is not what its name says".into()),
    }
}

/// The media type of a `data:` URL, or none, and the base64 text.
fn data(text: &str) -> (&str, &str) {
    const MARK: &str = ";base64,";
    let head = &text[..text.floor_char_boundary(DATA_URL_HEAD_BYTES_MAX)];
    match head.find(MARK).filter(|_| head.starts_with("data:")) {
        Some(at) => (&text["data:".len()..at], &text[at + MARK.len()..]),
        None => ("", text),
    }
}

/// How many bytes a base64 text holds at most.
fn decoded_bytes(text: &str) -> usize {
    let padding = text.bytes().rev().take(2).take_while(|it| *it == b'=').count();
    let characters = text.len() - padding;
    characters / 4 * 3 + characters % 4 * 3 / 4
}

#[cfg(test)]
mod tests;
