//! The server API: what the application around the chat may ask, with a key, on the internal port.
//!
//! One table of operations is all there is: the routes, the checks before each and the OpenAPI
//! document are made of it.

pub mod config;
pub mod openapi;

mod audit;
mod bars;
mod feed;
mod key;
mod members;
mod messages;
mod once;
mod operation;
mod problem;
mod rooms;
mod serve;
mod shape;
mod tokens;
mod users;
mod written;

use std::future::ready;
use std::sync::{Arc, OnceLock};

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use axum::routing::{MethodFilter, any, get, on};
use axum::{Json, Router};

use crate::blobs::Blobs;
use crate::chat::Chat;
use crate::http::api::key::Keys;
use crate::http::api::operation::Operation;
use crate::http::api::problem::Problem;
pub(super) use crate::http::api::problem::status_of;
use crate::http::api::serve::{Gate, serve};
use crate::http::body::Bodies;
use crate::store::Store;
use crate::telemetry::audit::Audit;

/// What operations work with.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The chat core.
    pub chat: Chat,
    /// For the cluster's figures and for repeated requests.
    pub store: Store,
    /// For links to messages' files.
    pub blobs: Blobs,
    /// Told of what the application changes and is refused.
    pub audit: Audit,
}

/// Filled when the node has started: the internal port is open before that.
pub type PartsLater = Arc<OnceLock<Parts>>;

/// All operations, in the order of the document.
fn operations() -> Vec<Operation> {
    [
        rooms::operations(),
        members::operations(),
        bars::operations(),
        messages::operations(),
        users::operations(),
        tokens::operations(),
        feed::operations(),
        audit::operations(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The routes of the API; without a key there are none.
pub fn routes(config: &config::Config, (parts, bodies): (&PartsLater, &Bodies)) -> Router {
    let Some(keys) = Keys::read(config) else { return Router::new() };
    let gate = Gate { keys: Arc::new(keys), parts: Arc::clone(parts), bodies: bodies.clone() };
    let document = Json(openapi::document());
    let told = get(move || ready(document.clone()));
    let mut router = Router::new().route("/openapi.json", told);
    for operation in operations() {
        let Ok(filter) = MethodFilter::try_from(operation.method.clone()) else { continue };
        let path = operation.path;
        let (operation, gate) = (Arc::new(operation), gate.clone());
        let handler = move |path: Result<RawPathParams, RawPathParamsRejection>,
                            request: Request| {
            let (operation, gate) = (Arc::clone(&operation), gate.clone());
            async move { serve(&operation, &gate, path, request).await }
        };
        router = router.route(path, on(filter, handler));
    }
    // Whatever else is asked below the API's path is answered no in its shape.
    router.route("/v1/{*path}", any(no_such_thing)).method_not_allowed_fallback(no_such_thing)
}

async fn no_such_thing() -> Problem {
    Problem::missing("NOT_FOUND", "there is no such operation")
}
