//! Finds the tokens that a client shows: in the handshake's headers and in its CONNECT packet.
//!
//! A query string is not looked at: it ends up in logs of proxies.

use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::auth::Credentials;
use crate::domain::command::Token;
use crate::domain::recovery::{Offset, Pid};
use crate::session::peer::Returning;

/// What a handshake request shows.
#[derive(Debug, Clone, Default)]
pub(super) struct Presented {
    /// Its tokens; those of a CONNECT packet are added later.
    pub(super) credentials: Credentials,
    /// The dialect that it asks for (`?dialect=`).
    pub(super) dialect: Option<String>,
}

/// The tokens that a handshake request shows, of those in cookies the first of `names` that is there.
#[must_use]
pub(super) fn of_request(headers: &HeaderMap, names: &[String]) -> Credentials {
    let header = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok()).and_then(bearer);
    let cookie = names.iter().find_map(|name| cookie(headers, name));
    Credentials { connect: None, header, cookie }
}

/// The token of a bearer authorization; other schemes are not for this node.
fn bearer(value: &str) -> Option<Token> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Token::new(token.trim().to_owned()))
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<Token> {
    let lines = headers.get_all(COOKIE).into_iter();
    let mut pairs = lines.flat_map(|it| it.to_str().unwrap_or_default().split(';'));
    pairs.find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then(|| Token::new(value.trim_matches('"').to_owned()))
    })
}

/// What a CONNECT packet says besides its namespace.
#[derive(Debug, Default)]
pub(super) struct Greeting {
    /// Its token. One that is no text is there all the same, and verifies as nothing.
    pub(super) token: Option<Token>,
    /// The dialect that it asks for.
    pub(super) dialect: Option<String>,
    /// What it had over an earlier connection. Something that is no such thing is nothing: the
    /// client begins anew.
    pub(super) returning: Option<Returning>,
}

/// The packet's payload is no JSON object, or one of its members is of the wrong type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed CONNECT payload")]
pub(super) struct MalformedGreeting;

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    token: Option<&'a RawValue>,
    #[serde(default)]
    dialect: Option<String>,
    #[serde(borrow, default)]
    pid: Option<&'a RawValue>,
    #[serde(borrow, default)]
    offset: Option<&'a RawValue>,
}

/// The text that a value is, if it is one.
fn text_of(value: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(value?.get()).ok()
}

/// Tells `null` from nothing.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads a CONNECT packet's payload.
///
/// # Errors
/// It is no object, or malformed.
pub(super) fn of_connect(payload: Option<&str>) -> Result<Greeting, MalformedGreeting> {
    let Some(text) = payload else { return Ok(Greeting::default()) };
    if !text.starts_with('{') {
        return Err(MalformedGreeting);
    }
    let Ok(payload) = serde_json::from_str::<Payload<'_>>(text) else {
        return Err(MalformedGreeting);
    };
    let token = payload
        .token
        .map(|raw| Token::new(serde_json::from_str::<String>(raw.get()).unwrap_or_default()));
    let pid = text_of(payload.pid).and_then(|it| Pid::parse(&it));
    let offset = text_of(payload.offset).and_then(|it| Offset::parse(&it));
    let returning = pid.map(|pid| Returning { pid, offset });
    Ok(Greeting { token, dialect: payload.dialect, returning })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn shown(token: &Option<Token>) -> Option<&str> {
        token.as_ref().map(Token::expose)
    }

    #[test]
    fn a_token_that_is_there_is_seen_even_if_it_is_none() {
        let token = |text: &str| {
            let greeting = of_connect(Some(text)).unwrap();
            shown(&greeting.token).map(str::to_owned)
        };
        assert_eq!(token(r#"{"token":"a.b.c","x":[1]}"#).as_deref(), Some("a.b.c"));
        assert_eq!(token(r#"{"token":"a\u002eb"}"#).as_deref(), Some("a.b"));
        assert_eq!(token(r#"{"token":""}"#).as_deref(), Some(""));
        assert_eq!(token(r#"{"token":null}"#).as_deref(), Some(""));
        assert_eq!(token(r#"{"token":{"a":1}}"#).as_deref(), Some(""));
        assert_eq!(token(r#"{"other":1}"#), None);
        assert!(of_connect(None).unwrap().token.is_none());
    }

    #[test]
    fn what_a_returning_client_names_is_believed_only_in_its_form() {
        let returning = |text: &str| of_connect(Some(text)).unwrap().returning;
        let pid = Pid::random();
        let named = |offset: &str| format!(r#"{{"pid":"{}","offset":{offset}}}"#, pid.expose());
        assert_eq!(returning(&named("\"x\"")), Some(Returning { pid, offset: None }));
        assert_eq!(returning(&named("[1]")), Some(Returning { pid, offset: None }));
        let offset = "AAAAAAAAgACAAAAAAAAAAAAAAAAABQ";
        let heard = returning(&named(&format!("\"{offset}\""))).unwrap().offset;
        assert_eq!(heard.map(|it| it.to_string()).as_deref(), Some(offset));
        for text in ["{}", r#"{"pid":1}"#, r#"{"pid":"x"}"#, r#"{"offset":"x"}"#] {
            assert_eq!(returning(text), None, "{text}");
        }
    }

    #[test]
    fn a_malformed_greeting_is_no_greeting() {
        for text in ["[]", "\"a\"", "{", "{\"token\":\"a\",\"token\":\"b\"}", "{\"dialect\":1}"] {
            assert!(of_connect(Some(text)).is_err(), "{text:.40} was taken");
        }
    }

    #[test]
    fn headers_and_cookies_are_searched_in_order() {
        let names = ["access_token".to_owned(), "sb-access-token".to_owned()];
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; sb-access-token=second"));
        let found = of_request(&headers, &names);
        assert_eq!((shown(&found.header), shown(&found.cookie)), (None, Some("second")));
        headers
            .append(COOKIE, HeaderValue::from_static("xaccess_token=no; access_token=\"first\""));
        headers.insert(AUTHORIZATION, HeaderValue::from_static("bearer abc"));
        let found = of_request(&headers, &names);
        assert_eq!((shown(&found.header), shown(&found.cookie)), (Some("abc"), Some("first")));
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic abc"));
        assert_eq!(shown(&of_request(&headers, &names).header), None);
    }
}
