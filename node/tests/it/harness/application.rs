//! The application whom nodes ask who may be in a room: it answers as it was last told to.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Ends with the test's runtime.
pub(crate) struct Application {
    url: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    says_yes: AtomicBool,
    is_broken: AtomicBool,
    asked: AtomicUsize,
    last: Mutex<Value>,
}

impl Application {
    /// Starts one that lets everybody in.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/may", listener.local_addr().unwrap());
        let state = Arc::new(State::default());
        state.says_yes.store(true, Ordering::SeqCst);
        let asked = Arc::clone(&state);
        let decide = post(async move |Json(question): Json<Value>| {
            asked.asked.fetch_add(1, Ordering::SeqCst);
            *asked.last.lock().unwrap() = question;
            if asked.is_broken.load(Ordering::SeqCst) {
                return Json(json!("nothing of use"));
            }
            Json(json!({ "allow": asked.says_yes.load(Ordering::SeqCst) }))
        });
        let router = Router::new().route("/may", decide);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, state }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// From now on it says this to everybody.
    pub(crate) fn says(&self, yes: bool) {
        self.state.says_yes.store(yes, Ordering::SeqCst);
    }

    /// From now on it gives no answer, or gives answers again.
    pub(crate) fn breaks(&self, broken: bool) {
        self.state.is_broken.store(broken, Ordering::SeqCst);
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }

    /// What it was asked last.
    pub(crate) fn last(&self) -> Value {
        self.state.last.lock().unwrap().clone()
    }
}
