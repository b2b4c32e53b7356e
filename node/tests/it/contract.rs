//! The server API against its own document: every operation with right and wrong input, and no
//! answer that the document does not know.

use serde_json::{Map, Value, json};

use crate::harness::api::{Api, READER};
use crate::harness::cluster::Plan;

/// One operation of the document.
struct Described<'d> {
    document: &'d Value,
    method: String,
    path: String,
    operation: &'d Value,
}

fn described(document: &Value) -> Vec<Described<'_>> {
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let (method, path) = (method.to_uppercase(), path.clone());
            all.push(Described { document, method, path, operation });
        }
    }
    all
}

/// Follows a reference into the document's schemas.
fn resolved<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("a type {other}"),
    }
}

/// What is wrong with a value, by its schema; empty: nothing.
fn faults(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let schema = resolved(document, schema);
    let Some(schema) = schema.as_object() else { return Vec::new() };
    for ways in [schema.get("anyOf"), schema.get("oneOf")].into_iter().flatten() {
        let ways = ways.as_array().unwrap();
        if !ways.iter().any(|it| faults(document, it, value, at).is_empty()) {
            return vec![format!("{at}: fits no way")];
        }
    }
    let whole = Value::Object(schema.clone());
    let names = types(&whole);
    if !names.is_empty() && !names.iter().any(|it| is_of(value, it)) {
        return vec![format!("{at}: {value} is not {names:?}")];
    }
    let mut found = Vec::new();
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        found.push(format!("{at}: {value} is not allowed"));
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    if let (Some(members), Some(properties)) = (value.as_object(), properties) {
        for (name, member) in members {
            match properties.get(name) {
                Some(schema) => {
                    found.extend(faults(document, schema, member, &format!("{at}.{name}")))
                }
                None => found.push(format!("{at}: {name} is not described")),
            }
        }
        let required = schema.get("required").and_then(Value::as_array);
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                found.push(format!("{at}: {name} is missing"));
            }
        }
    }
    if let (Some(elements), Some(schema)) = (value.as_array(), schema.get("items")) {
        for element in elements {
            found.extend(faults(document, schema, element, &format!("{at}[]")));
        }
    }
    found
}

/// A value that fits a schema.
fn right(document: &Value, schema: &Value) -> Value {
    let schema = resolved(document, schema);
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    for ways in [&schema["anyOf"], &schema["oneOf"]] {
        if let Some(first) = ways.get(0) {
            return right(document, first);
        }
    }
    if let Some(constant) = schema.get("const") {
        return constant.clone();
    }
    match types(schema).first() {
        Some(&"object") => {
            let properties = schema["properties"].as_object().cloned().unwrap_or_default();
            let members = properties.iter().map(|(name, schema)| {
                let value = match name.as_str() {
                    "id" => json!("room-1"),
                    "messageId" => json!("00000000-0010-8000-8000-008bf655aead"),
                    _ => right(document, schema),
                };
                (name.clone(), value)
            });
            Value::Object(members.collect::<Map<_, _>>())
        }
        Some(&"array") => json!([]),
        Some(&"integer") => json!(7),
        Some(&"boolean") => json!(true),
        Some(&"string") | None => json!("text"),
        Some(other) => panic!("a type {other}"),
    }
}

/// Values that do not fit a body's schema, or only nearly.
fn wrong(document: &Value, schema: &Value) -> Vec<String> {
    let mut all: Vec<String> =
        ["", "null", "[]", "7", "\"x\"", "{", "\u{1}"].map(String::from).into();
    all.push("[".repeat(100_000));
    all.push(json!({ "nobody": "knows this" }).to_string());
    let good = right(document, schema);
    for (name, _) in good.as_object().into_iter().flatten() {
        let huge = json!("x".repeat(1_200_000));
        for value in
            [json!(null), json!(-1), json!({}), json!([[]]), json!(""), json!("\u{0}"), huge]
        {
            let mut body = good.clone();
            body[name] = value;
            all.push(body.to_string());
        }
    }
    all
}

impl Described<'_> {
    fn status_of(&self, status: u16) -> &Value {
        let answer = &self.operation["responses"][status.to_string()];
        assert!(answer.is_object(), "{} {} answered {status}", self.method, self.path);
        answer
    }

    /// Sends a request; its answer has to be one that is described, and no fault of the server's.
    async fn send(&self, api: &Api, path: &str, body: String) -> u16 {
        let shown: String = body.chars().take(120).collect();
        let (status, answer) = api.send((&self.method, path), &[], body).await;
        let what = format!("{} {path} {shown}", self.method);
        assert!(status < 500, "{what} was answered {status} {answer}");
        let described = self.status_of(status);
        let schema = &described["content"]["application/json"]["schema"];
        if schema.is_null() {
            assert_eq!(answer, Value::Null, "{what}");
        } else {
            let faults = faults(self.document, schema, &answer, "answer");
            assert!(faults.is_empty(), "{what} was answered {answer}: {faults:?}");
        }
        status
    }

    fn body(&self) -> Option<&Value> {
        let schema = &self.operation["requestBody"]["content"]["application/json"]["schema"];
        (!schema.is_null()).then_some(schema)
    }

    fn at(&self, message: &str) -> String {
        let path = self.path.replace("{room}", "room-1").replace("{user}", "ann");
        path.replace("{message}", message).replace("{token}", "t-1")
    }

    async fn check(&self, api: &Api, message: &str) {
        let path = self.at(message);
        let good = self.body().map_or_else(String::new, |it| right(self.document, it).to_string());
        let status = self.send(&api.with_key(None), &path, good.clone()).await;
        assert_eq!(status, 401, "{} {path} without a key", self.method);
        let status = self.send(&api.with_key(Some("nobody's")), &path, good.clone()).await;
        assert_eq!(status, 401, "{} {path} with a wrong key", self.method);
        if self.operation["x-scope"] != json!("read") {
            let status = self.send(&api.with_key(Some(READER)), &path, good.clone()).await;
            assert_eq!(status, 403, "{} {path} with a narrow key", self.method);
        }
        for name in ["%00", "a%20b", "a%7D%7Bb", "*", "%0D%0AFLUSHALL", &"x".repeat(129), "%FF"] {
            let path = self.path.replace("{room}", name).replace("{user}", name);
            let path = path.replace("{message}", name).replace("{token}", name);
            self.send(api, &path, good.clone()).await;
        }
        if let Some(schema) = self.body() {
            for body in wrong(self.document, schema) {
                self.send(api, &path, body).await;
            }
        }
        let query = self.operation["parameters"].as_array().into_iter().flatten();
        for parameter in query.filter(|it| it["in"] == json!("query")) {
            let name = parameter["name"].as_str().unwrap();
            for value in ["", "x", "-1", "0", "1", "101", "%00", "99999999999999999999999"] {
                self.send(api, &format!("{path}?{name}={value}"), good.clone()).await;
            }
        }
        let unknown = self.send(api, &format!("{path}?nobody=knows"), good.clone()).await;
        assert_eq!(unknown, 400, "{} {path} with an unknown query", self.method);
        let body_bytes_max = self.operation["x-body-bytes-max"].as_u64().unwrap();
        let large =
            self.send(api, &path, " ".repeat(usize::try_from(body_bytes_max).unwrap() + 1)).await;
        assert_eq!(large, 413, "{} {path} with a large body", self.method);
    }
}

#[tokio::test]
async fn every_operation_answers_as_it_is_described() {
    let cluster = Plan::nodes(1).with_api().start().await;
    let api = cluster.api(0);
    let document = api.ok("GET", "/openapi.json", Value::Null).await;
    assert_eq!(document["openapi"], json!("3.1.0"));
    let operations = described(&document);
    assert!(30 < operations.len());
    for operation in &operations {
        // Deleted by the operations before it, it is made again; where it is there, it stays.
        let room = json!({ "id": "room-1", "visibility": "public" }).to_string();
        api.send(("POST", "/v1/rooms"), &[], room).await;
        let posted = ("POST", "/v1/rooms/room-1/messages");
        let (_, posted) = api.send(posted, &[], json!({ "text": "hi" }).to_string()).await;
        let message = posted["id"].as_str().unwrap_or("00000000-0010-8000-8000-008bf655aead");
        operation.check(&api, message).await;
        let good = operation.body().map_or_else(String::new, |it| right(&document, it).to_string());
        operation.send(&api, &operation.at(message), good).await;
    }
}

#[tokio::test]
async fn what_is_no_operation_is_refused_in_the_same_shape() {
    let cluster = Plan::nodes(1).with_api().start().await;
    let api = cluster.api(0);
    for (method, path) in [
        ("GET", "/v1/nothing"),
        ("POST", "/v1/rooms/r/nothing/at/all"),
        ("PUT", "/v1/rooms"),
        ("DELETE", "/v1/stats"),
    ] {
        let no = api.no(method, path, Value::Null).await;
        assert_eq!(no, (404, "NOT_FOUND".to_owned()), "{method} {path}");
    }
}

#[tokio::test]
async fn without_a_key_there_is_no_server_api() {
    let cluster = Plan::nodes(1).start().await;
    let (status, _) = cluster.api(0).send(("GET", "/v1/rooms"), &[], String::new()).await;
    assert_eq!(status, 404);
    let (status, _) = cluster.api(0).send(("GET", "/openapi.json"), &[], String::new()).await;
    assert_eq!(status, 404);
}
