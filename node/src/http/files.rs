//! Messages' files, for whoever has a link that is signed.
//!
//! What is served was sent by strangers, so a browser is told to take it for nothing but a download.

use std::ops::Range;

use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_RANGE, RANGE, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tracing::error;

use crate::blobs::{Blob, Blobs, BlobsError, Link, media_type};
use crate::clock;
use crate::domain::attachment::BlobId;

/// Headers of every answer, whatever became of it.
const GUARDS: [(HeaderName, &str); 3] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    (REFERRER_POLICY, "no-referrer"),
];

/// What RFC 8187 lets stand in an encoded parameter.
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The signed part of a link's query.
#[derive(Deserialize)]
pub(super) struct Signed {
    expires: u64,
    signature: String,
}

/// What of a file is wanted.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// All of it.
    Whole,
    /// These bytes; not empty, and within the file.
    Part(Range<u64>),
    /// Bytes that it does not have.
    Nothing,
}

/// Serves the file of a link, or a part of it. Without a valid link there is one answer, and nothing
/// has been looked up for it.
pub(super) async fn file(
    State(blobs): State<Blobs>,
    path: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<Signed>, QueryRejection>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let (Ok(Path((id, name))), Ok(Query(Signed { expires, signature }))) = (path, query) else {
        return refused(StatusCode::FORBIDDEN);
    };
    let now = clock::now();
    let link = Link { id: &id, name: &name, expires, signature: &signature };
    let Some(id) = blobs.verify(link, now) else { return refused(StatusCode::FORBIDDEN) };
    let blob = match blobs.find(id).await {
        Ok(Some(blob)) => blob,
        Ok(None) => return refused(StatusCode::NOT_FOUND),
        Err(error) => return away(id, &error),
    };
    let etag = format!("\"{id}\""); // a file never changes
    let part = match wanted(&headers, &etag, blob.size()) {
        Wanted::Whole => None,
        Wanted::Part(part) => Some(part),
        Wanted::Nothing => {
            let none = [(CONTENT_RANGE, format!("bytes */{}", blob.size()))];
            return (none, refused(StatusCode::RANGE_NOT_SATISFIABLE)).into_response();
        }
    };
    let seconds_left = expires.saturating_sub(now.0 / 1000);
    let described = [
        (CONTENT_TYPE, content_type(&name)),
        (CONTENT_DISPOSITION, disposition(&name)),
        (CACHE_CONTROL, format!("private, max-age={seconds_left}, immutable")),
        (ETAG, etag),
        (ACCEPT_RANGES, "bytes".to_owned()),
    ];
    match served(&blob, &method, part).await {
        Ok(answer) => (GUARDS, described, answer).into_response(),
        Err(error) => away(id, &error),
    }
}

fn refused(status: StatusCode) -> Response {
    (status, GUARDS, [(CACHE_CONTROL, "no-store")]).into_response()
}

fn away(id: BlobId, error: &BlobsError) -> Response {
    error!(blob.id = %id, %error, "a file cannot be read");
    refused(StatusCode::SERVICE_UNAVAILABLE)
}

async fn served(
    blob: &Blob,
    method: &Method,
    part: Option<Range<u64>>,
) -> Result<Response, BlobsError> {
    let size = blob.size();
    let bytes = part.as_ref().map_or(size, |it| it.end - it.start);
    let place = part.as_ref().map(|it| format!("bytes {}-{}/{size}", it.start, it.end - 1));
    let body = match *method {
        Method::HEAD => Body::empty(),
        _ => Body::from_stream(blob.read(part).await?),
    };
    let length = [(CONTENT_LENGTH, bytes.to_string())];
    Ok(match place {
        Some(place) => {
            (StatusCode::PARTIAL_CONTENT, length, [(CONTENT_RANGE, place)], body).into_response()
        }
        None => (length, body).into_response(),
    })
}

/// What the request wants, as RFC 9110 reads it: one range of bytes is served, and what asks for
/// anything else, or for the rest of another file, gets the whole.
fn wanted(headers: &HeaderMap, etag: &str, size: u64) -> Wanted {
    let is_of_other = headers.get(IF_RANGE).is_some_and(|it| it.as_bytes() != etag.as_bytes());
    let mut asked = headers.get_all(RANGE).into_iter();
    match (asked.next().and_then(|it| it.to_str().ok()), asked.next()) {
        (Some(range), None) if !is_of_other => part(range, size).unwrap_or(Wanted::Whole),
        (_, _) => Wanted::Whole,
    }
}

/// The bytes that a `Range` header names; `None`: it cannot be read, or names several ranges.
fn part(range: &str, size: u64) -> Option<Wanted> {
    let (first, last) = range.strip_prefix("bytes=")?.trim().split_once('-')?;
    let is_number = |it: &str| it.bytes().all(|c| c.is_ascii_digit());
    if !is_number(first) || !is_number(last) {
        return None;
    }
    // More digits than fit are more bytes than there are.
    let number = |it: &str| it.parse().unwrap_or(u64::MAX);
    let range = match (first, last) {
        ("", "") => return None,
        ("", count) => size.saturating_sub(number(count))..size,
        (first, "") => number(first)..size,
        (first, last) if number(last) < number(first) => return None,
        (first, last) => number(first)..number(last).saturating_add(1).min(size),
    };
    Some(if range.is_empty() { Wanted::Nothing } else { Wanted::Part(range) })
}

/// The media type, with the encoding where it is a text.
fn content_type(name: &str) -> String {
    let media_type = media_type(name);
    let encoding = if media_type.starts_with("text/") { "; charset=utf-8" } else { "" };
    format!("{media_type}{encoding}")
}

/// A download under this name (RFC 6266): once for everybody, once in plain ASCII for old clients.
fn disposition(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ';
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let encoded = utf8_percent_encode(name, ATTRIBUTE);
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests;
