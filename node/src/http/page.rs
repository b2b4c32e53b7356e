//! The example page: one document with all that it needs, for trying the cluster out by hand.
//!
//! Nothing in it is loaded from anywhere, and its policy lets it load nothing: what runs is what
//! this file puts together. Its scripts share one scope; they stand here in the order of use.

use axum::response::{Html, IntoResponse, Response};
use http::HeaderName;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use uuid::Uuid;

/// Stands in the document and the policy where the nonce of a response comes.
const NONCE: &str = "%nonce%";

const DOCUMENT: &str = concat!(
    "<!doctype html>\n<html lang=\"en\">\n<head>\n",
    include_str!("page/head.html"),
    "<style nonce=\"%nonce%\">\n",
    include_str!("page/page.css"),
    "</style>\n</head>\n<body>\n",
    include_str!("page/body.html"),
    // The official client as it is published, with its licence.
    "<script nonce=\"%nonce%\">\n/*\n",
    include_str!("page/socket.io.LICENSE"),
    "*/\n",
    include_str!("page/socket.io.min.js"),
    "</script>\n<script nonce=\"%nonce%\" type=\"module\">\n",
    include_str!("page/dialects/shared.js"),
    include_str!("page/dialects/conversation.js"),
    include_str!("page/dialects/case.js"),
    include_str!("page/dialects/desk.js"),
    include_str!("page/dialects/ticket.js"),
    include_str!("page/dialects/flow.js"),
    include_str!("page/dialects.js"),
    include_str!("page/link.js"),
    include_str!("page/envelopes.js"),
    include_str!("page/elements.js"),
    include_str!("page/files.js"),
    include_str!("page/traffic.js"),
    include_str!("page/messages.js"),
    include_str!("page/people.js"),
    include_str!("page/chat.js"),
    include_str!("page/main.js"),
    "</script>\n</body>\n</html>\n",
);

/// The page speaks with its own node only, and nobody may frame it. Trusted types forbid scripts
/// to turn text into markup.
const POLICY: &str = "default-src 'none'; script-src 'nonce-%nonce%'; style-src 'nonce-%nonce%'; \
    connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The page, with a nonce of its own.
pub(super) async fn page() -> Response {
    let nonce = Uuid::new_v4().simple().to_string();
    let headers = [
        (CONTENT_SECURITY_POLICY, POLICY.replace(NONCE, &nonce)),
        (CACHE_CONTROL, "no-store".to_owned()), // a nonce is good for one response
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (REFERRER_POLICY, "no-referrer".to_owned()),
        (OPENER_POLICY, "same-origin".to_owned()),
    ];
    (headers, Html(DOCUMENT.replace(NONCE, &nonce))).into_response()
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http_body_util::BodyExt;

    use super::*;

    async fn get() -> (HeaderMap, String) {
        let (parts, body) = page().await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn every_script_and_style_carries_the_nonce_of_its_response() {
        let (headers, text) = get().await;
        let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
        assert_eq!(nonce.len(), 32);
        assert_eq!(policy.matches(nonce).count(), 2);
        assert_eq!(text.matches(&format!("nonce=\"{nonce}\"")).count(), 3);
        assert!(!text.contains(NONCE) && !policy.contains(NONCE));
        let (_, again) = get().await;
        assert!(!again.contains(nonce), "a nonce is used once");
    }

    #[tokio::test]
    async fn the_page_is_kept_by_nobody_and_framed_by_nobody() {
        let (headers, _) = get().await;
        assert_eq!(headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(headers[CACHE_CONTROL], "no-store");
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(
            headers[CONTENT_SECURITY_POLICY].to_str().unwrap().contains("frame-ancestors 'none'")
        );
    }

    #[test]
    fn the_parts_end_where_the_document_ends_them() {
        assert_eq!(DOCUMENT.matches("<script").count(), 2);
        assert_eq!(DOCUMENT.matches("</script").count(), 2);
        assert_eq!(DOCUMENT.matches("</style").count(), 1);
        assert_eq!(DOCUMENT.matches("<!--").count(), 0);
        for loads in [" src=", "@import", "url(http", "href=\"http"] {
            assert!(!DOCUMENT.contains(loads), "{loads}");
        }
    }
}
