//! A hook before an application that counts how it is asked.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use futures_util::future::join_all;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::time::sleep;

use super::*;
use crate::domain::role::Participant;

/// How an application behaves, by the room that it is asked about.
#[derive(Debug, Default)]
struct Application {
    asked: Mutex<Vec<Value>>,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Application {
    fn asked(&self) -> Vec<Value> {
        self.asked.lock().unwrap().clone()
    }
}

async fn decide(
    State(it): State<Arc<Application>>,
    headers: HeaderMap,
    Json(mut asked): Json<Value>,
) -> (StatusCode, String) {
    let now = it.now.fetch_add(1, Ordering::SeqCst) + 1;
    it.most.fetch_max(now, Ordering::SeqCst);
    asked["bearer"] = headers["authorization"].to_str().unwrap().into();
    let room = asked["room"].as_str().unwrap().to_owned();
    it.asked.lock().unwrap().push(asked);
    sleep(Duration::from_millis(if room == "slow" { 5_000 } else { 20 })).await;
    it.now.fetch_sub(1, Ordering::SeqCst);
    match room.as_str() {
        "broken" => (StatusCode::INTERNAL_SERVER_ERROR, r#"{"allow":true}"#.to_owned()),
        "moved" => (StatusCode::FOUND, r#"{"allow":true}"#.to_owned()),
        "vague" => (StatusCode::OK, r#"{"allow":"yes"}"#.to_owned()),
        "long" => (StatusCode::OK, format!(r#"{{"allow":true,"x":"{}"}}"#, "x".repeat(9000))),
        room => (StatusCode::OK, format!(r#"{{"allow":{},"why":1}}"#, room.starts_with("own"))),
    }
}

async fn hook(change: impl FnOnce(&mut Config)) -> (Arc<Application>, AccessHook) {
    let application = Arc::new(Application::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/decide", listener.local_addr().unwrap());
    let router = Router::new().route("/decide", post(decide)).with_state(Arc::clone(&application));
    let lifecycle = Lifecycle::default();
    lifecycle.spawn("application", async move { axum::serve(listener, router).await.unwrap() });
    let mut config = Config {
        url: Some(url.parse().unwrap()),
        token: Some(Secret::new("s3cret".to_owned())),
        ..Config::default()
    };
    change(&mut config);
    (application, AccessHook::new(&config, &lifecycle).unwrap())
}

fn actor(id: &str, role: Role) -> Actor {
    let id = UserId::parse(id).unwrap();
    let participant = Participant { id, name: "Ann".to_owned(), role, full_name: None };
    Actor { participant, is_named: true, grants: vec![], departments: vec!["sales".to_owned()] }
}

fn room(id: &str) -> RoomId {
    RoomId::parse(id).unwrap()
}

#[tokio::test]
async fn the_application_decides_and_its_answer_is_kept() {
    let (application, hook) = hook(|_| ()).await;
    let ann = actor("ann", Role::User);
    for _ in 0..3 {
        assert_eq!(hook.lets_in(&ann, &room("own-1"), "1").await, Ok(true));
        assert_eq!(hook.lets_in(&ann, &room("other"), "1").await, Ok(false));
    }
    // Another role is another question.
    assert_eq!(hook.lets_in(&actor("ann", Role::Agent), &room("other"), "1").await, Ok(false));
    let asked = application.asked();
    assert_eq!(asked.len(), 3);
    let expected = json!({
        "user": { "id": "ann", "name": "Ann", "role": "user", "departments": ["sales"] },
        "room": "own-1",
        "bearer": "Bearer s3cret",
    });
    assert_eq!(asked[0], expected);

    let unset = AccessHook::new(&Config::default(), &Lifecycle::default()).unwrap();
    assert_eq!(unset.lets_in(&ann, &room("own-1"), "1").await, Ok(false));
}

#[tokio::test]
async fn an_answer_that_is_too_old_is_asked_for_again() {
    let (application, hook) = hook(|it| (it.yes_seconds, it.no_seconds) = (1, 0)).await;
    let ann = actor("ann", Role::User);
    for _ in 0..2 {
        assert_eq!(hook.lets_in(&ann, &room("own"), "1").await, Ok(true));
        assert_eq!(hook.lets_in(&ann, &room("other"), "1").await, Ok(false));
    }
    sleep(Duration::from_millis(1_010)).await;
    assert_eq!(hook.lets_in(&ann, &room("own"), "1").await, Ok(true));
    let rooms: Vec<Value> = application.asked().iter().map(|it| it["room"].clone()).collect();
    assert_eq!(rooms, ["own", "other", "other", "own"]);
}

#[tokio::test]
async fn an_answer_of_another_version_counts_for_nothing() {
    let (application, hook) = hook(|_| ()).await;
    let (ann, own) = (actor("ann", Role::User), room("own"));
    for version in ["1", "1", "2", "2", "1"] {
        assert_eq!(hook.lets_in(&ann, &own, version).await, Ok(true));
    }
    assert_eq!(application.asked().len(), 3);
    // Also of one that is on its way: the answer of the older question is not kept.
    let (old, new) = tokio::join!(hook.lets_in(&ann, &own, "3"), hook.lets_in(&ann, &own, "4"));
    assert_eq!((old, new), (Ok(true), Ok(true)));
    assert_eq!(hook.lets_in(&ann, &own, "4").await, Ok(true));
    assert_eq!(application.asked().len(), 5);
}

#[tokio::test]
async fn without_an_answer_nobody_is_let_in_and_nobody_is_told_no() {
    let (application, hook) = hook(|it| it.timeout_ms = 500).await;
    let ann = actor("ann", Role::User);
    let unavailable = Err(Refusal::Unavailable(Outcome::Refused));
    for id in ["broken", "moved", "vague", "long", "slow"] {
        let began = Instant::now();
        assert_eq!(hook.lets_in(&ann, &room(id), "1").await, unavailable, "{id}");
        assert!(began.elapsed() < Duration::from_millis(2_000), "{id}");
    }
    // Nothing of that is kept.
    assert_eq!(hook.lets_in(&ann, &room("broken"), "1").await, unavailable);
    assert_eq!(application.asked().len(), 6);
}

#[tokio::test]
async fn of_those_who_ask_the_same_one_asks_and_few_ask_at_once() {
    let (application, hook) = hook(|it| (it.at_once, it.timeout_ms) = (3, 10_000)).await;
    let ann = actor("ann", Role::User);
    let rooms: Vec<RoomId> = (0..100).map(|n| room(&format!("own-{}", n % 20))).collect();
    let answers = join_all(rooms.iter().map(|it| hook.lets_in(&ann, it, "1"))).await;
    assert!(answers.iter().all(|it| *it == Ok(true)));
    let asked: BTreeSet<String> =
        application.asked().iter().map(|it| it["room"].to_string()).collect();
    assert_eq!((asked.len(), application.asked().len()), (20, 20));
    assert!(application.most.load(Ordering::SeqCst) <= 3);
}

#[test]
fn a_hook_that_anybody_could_answer_for_is_a_mistake() {
    let config = |url: &str, plain_http| Config {
        url: Some(url.parse().unwrap()),
        plain_http,
        ..Config::default()
    };
    assert!(config("https://app.example/may", false).problems().is_empty());
    assert!(config("http://127.0.0.1:9/may", false).problems().is_empty());
    assert!(config("http://app.internal/may", true).problems().is_empty());
    let problems = config("http://app.internal/may", false).problems();
    assert!(problems[0].starts_with("access.url: http://app.internal/may"), "{problems:?}");
    let wrong = Config { timeout_ms: 0, at_once: 0, ..Config::default() };
    assert_eq!(wrong.problems().len(), 2);
}
