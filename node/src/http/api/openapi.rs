//! The API's own description, made of the same table as its routes.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::domain::id::{ID_BYTES_MAX, TOKEN_ID_BYTES_MAX};
use crate::http::api::config::Scope;
use crate::http::api::once::KEY_BYTES_MAX;
use crate::http::api::operation::{Operation, Shapes};
use crate::http::api::operations;
use crate::http::api::problem::Problem;
use crate::http::api::serve::body_bytes_max;

/// An OpenAPI 3.1 document.
#[must_use]
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations() {
        let at = paths.entry(operation.path).or_insert_with(|| json!({}));
        let method = operation.method.as_str().to_lowercase();
        at[method] = described(&operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Parlance server API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the application around the chat may ask. Writes take an \
                Idempotency-Key: within a day a repeated request is answered as the first was.",
        },
        "security": [{ "key": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": { "type": "http", "scheme": "bearer", "description": scopes() },
            },
            "schemas": { "Problem": Problem::schema() },
        },
    })
}

fn scopes() -> String {
    let scopes: Vec<&str> = Scope::ALL.into_iter().map(Scope::as_str).collect();
    format!("A key of `api.keys`. Its scopes are some of: {}.", scopes.join(", "))
}

fn described(operation: &Operation) -> Value {
    let Shapes { query, body, answer } = (operation.shapes)();
    let mut parameters = in_path(operation.path);
    parameters.extend(
        query
            .into_iter()
            .map(|(name, schema)| json!({ "name": name, "in": "query", "schema": schema })),
    );
    if operation.writes() {
        let key = json!({ "type": "string", "minLength": 1, "maxLength": KEY_BYTES_MAX });
        parameters.push(json!({ "name": "Idempotency-Key", "in": "header", "schema": key }));
    }
    let problem = json!({ "$ref": "#/components/schemas/Problem" });
    let mut responses: Map<String, Value> = Map::new();
    let done = match answer {
        Some(schema) => json!({ "description": "Done", "content": as_json(&schema) }),
        None => json!({ "description": "Done" }),
    };
    responses.insert(operation.status.as_str().to_owned(), done);
    for status in refusals(operation) {
        let reason = status.canonical_reason().unwrap_or_default();
        let refused = json!({ "description": reason, "content": as_json(&problem) });
        responses.insert(status.as_str().to_owned(), refused);
    }
    let mut described = json!({
        "operationId": operation.name,
        "summary": operation.summary,
        "x-scope": operation.scope.as_str(),
        "x-body-bytes-max": body_bytes_max(operation),
        "responses": responses,
    });
    if !parameters.is_empty() {
        described["parameters"] = Value::Array(parameters);
    }
    if let Some(schema) = body {
        described["requestBody"] = json!({ "required": true, "content": as_json(&schema) });
    }
    described
}

fn as_json(schema: &Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

/// Every answer no that the operation may give.
fn refusals(operation: &Operation) -> Vec<StatusCode> {
    let mut refusals =
        vec![StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::SERVICE_UNAVAILABLE];
    refusals.extend(operation.refusals);
    // A body where none is looked for is too long all the same.
    refusals.push(StatusCode::PAYLOAD_TOO_LARGE);
    refusals.push(StatusCode::BAD_REQUEST);
    if operation.writes() {
        refusals.push(StatusCode::CONFLICT);
    }
    refusals.sort_unstable();
    refusals.dedup();
    refusals
}

/// The names between braces. They are ids, all of the same characters.
fn in_path(path: &str) -> Vec<Value> {
    let names = path.split('{').skip(1).filter_map(|it| it.split_once('}'));
    let parameter = |(name, _): (&str, &str)| {
        let id = match name {
            "message" => json!({ "type": "string", "format": "uuid" }),
            name => json!({ "type": "string", "minLength": 1,
                "maxLength": if name == "token" { TOKEN_ID_BYTES_MAX } else { ID_BYTES_MAX },
                "pattern": "^[A-Za-z0-9._:@|~+=/!-]+$" }),
        };
        json!({ "name": name, "in": "path", "required": true, "schema": id })
    };
    names.map(parameter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kept_document_is_the_codes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
        let made = format!("{:#}\n", document());
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        if made != kept {
            let fresh = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/openapi.json");
            std::fs::write(fresh, &made).unwrap();
            panic!("docs/openapi.json is old: copy target/openapi.json there and look at it");
        }
    }
}
