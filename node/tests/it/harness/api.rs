//! The application's side: requests with a key to a node's internal port.

use std::net::SocketAddr;

use reqwest::Method;
use serde_json::Value;

/// What nodes under test take: a key for everything, and one that may only read.
pub(crate) const KEYS: &str = concat!(
    "all:*:a key that may do everything there is,",
    "reader:read:a key that may read and no more than that"
);

const ALL: &str = "a key that may do everything there is";
pub(crate) const READER: &str = "a key that may read and no more than that";

#[derive(Debug, Clone)]
pub(crate) struct Api {
    base: String,
    key: Option<&'static str>,
    client: reqwest::Client,
}

impl Api {
    pub(crate) fn at(internal: SocketAddr) -> Self {
        let base = format!("http://{internal}");
        Self { base, key: Some(ALL), client: reqwest::Client::new() }
    }

    pub(crate) fn with_key(&self, key: Option<&'static str>) -> Self {
        Self { key, ..self.clone() }
    }

    /// Sends a request; answers status and JSON, null where there is none.
    pub(crate) async fn send(
        &self,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: String,
    ) -> (u16, Value) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("{}{path}", self.base)).body(body);
        if let Some(key) = self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    /// Reads, from a node that may be away: 503 then.
    pub(crate) async fn try_get(&self, path: &str) -> (u16, Value) {
        let request = self.client.get(format!("{}{path}", self.base));
        let answer = request.bearer_auth(self.key.unwrap_or_default()).send().await;
        let Ok(answer) = answer else { return (503, Value::Null) };
        let status = answer.status().as_u16();
        match answer.text().await {
            Ok(text) => (status, serde_json::from_str(&text).unwrap_or_default()),
            Err(_cut) => (503, Value::Null),
        }
    }

    /// Sends a request that must be answered yes.
    pub(crate) async fn ok(&self, method: &str, path: &str, body: Value) -> Value {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let (status, answer) = self.send((method, path), &[], text).await;
        assert!((200..300).contains(&status), "{method} {path} was answered {status} {answer}");
        answer
    }

    /// All audit records, oldest first, read page by page.
    pub(crate) async fn audit(&self) -> Vec<Value> {
        let (mut path, mut found) = ("/v1/audit?limit=7".to_owned(), Vec::new());
        loop {
            let page = self.ok("GET", &path, Value::Null).await;
            found.extend(page["records"].as_array().unwrap().iter().cloned());
            let Some(cursor) = page["nextCursor"].as_str() else { break };
            path = format!("/v1/audit?limit=7&cursor={cursor}");
        }
        found.reverse();
        found
    }

    pub(crate) async fn revoke_user(&self, user: &str) {
        self.ok("DELETE", &format!("/v1/users/{user}/tokens"), Value::Null).await;
    }

    pub(crate) async fn revoke_token(&self, id: &str) {
        self.ok("DELETE", &format!("/v1/tokens/{id}"), Value::Null).await;
    }

    /// Sends a request that must be answered no: status and code.
    pub(crate) async fn no(&self, method: &str, path: &str, body: Value) -> (u16, String) {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let (status, answer) = self.send((method, path), &[], text).await;
        assert!(400 <= status, "{method} {path} was answered {status} {answer}");
        (status, answer["error"]["code"].as_str().unwrap_or_default().to_owned())
    }
}
