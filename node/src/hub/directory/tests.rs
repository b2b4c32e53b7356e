//! Connections come and go; what of it is told.

use super::*;
use crate::domain::role::Role;

fn ann() -> Participant {
    let id = UserId::parse("ann").unwrap();
    Participant { id, name: "Ann".to_owned(), role: Role::User, full_name: None }
}

fn told(directory: &Directory) -> String {
    let changes = directory.changes(Instant::now());
    directory.settle(&changes);
    format!(
        "up {} down {} enter {} exit {}",
        changes.up.len(),
        changes.down.len(),
        changes.enter.len(),
        changes.exit.len()
    )
}

#[tokio::test(start_paused = true)]
async fn only_the_first_and_the_last_connection_are_told_and_the_last_after_a_grace() {
    let directory = Directory::default();
    directory.connect(&ann());
    directory.connect(&ann());
    assert_eq!(told(&directory), "up 1 down 0 enter 0 exit 0");
    directory.disconnect(&ann().id);
    directory.disconnect(&ann().id);
    assert_eq!(told(&directory), "up 0 down 0 enter 0 exit 0");
    tokio::time::advance(GRACE).await;
    assert_eq!(told(&directory), "up 0 down 1 enter 0 exit 0");
    assert_eq!(told(&directory), "up 0 down 0 enter 0 exit 0");
    assert!(directory.lock().local.is_empty());
}

#[test]
fn a_thousand_heartbeats_are_two_calls() {
    let directory = Directory::default();
    for n in 0..1_000 {
        for _ in 0..3 {
            directory.saw(&UserId::parse(&n.to_string()).unwrap());
        }
    }
    let calls: Vec<usize> =
        std::iter::from_fn(|| Some(directory.take_seen().len()).filter(|it| 0 < *it)).collect();
    assert_eq!(calls, [BATCH_MAX, BATCH_MAX]);
}

#[tokio::test(start_paused = true)]
async fn a_page_reload_is_no_departure() {
    let directory = Directory::default();
    directory.connect(&ann());
    assert_eq!(told(&directory), "up 1 down 0 enter 0 exit 0");
    directory.disconnect(&ann().id);
    tokio::time::advance(GRACE / 2).await;
    directory.connect(&ann());
    tokio::time::advance(GRACE * 2).await;
    assert_eq!(told(&directory), "up 0 down 0 enter 0 exit 0");
}

#[tokio::test(start_paused = true)]
async fn a_meant_departure_from_a_room_is_told_at_once() {
    let (directory, room) = (Directory::default(), RoomId::parse("r").unwrap());
    directory.enter(&room, &ann());
    assert_eq!(told(&directory), "up 0 down 0 enter 1 exit 0");
    assert_eq!(directory.figures().rooms, 1);
    directory.leave(&room, &ann().id, Departure::Meant);
    assert_eq!(told(&directory), "up 0 down 0 enter 0 exit 1");
    assert_eq!(directory.figures().rooms, 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_may_be_known_to_redis_is_taken_down_when_gone() {
    let directory = Directory::default();
    directory.connect(&ann());
    directory.retry(&directory.changes(Instant::now()));
    directory.disconnect(&ann().id);
    tokio::time::advance(GRACE).await;
    assert_eq!(told(&directory), "up 0 down 1 enter 0 exit 0");
}

#[tokio::test(start_paused = true)]
async fn a_new_life_tells_everyone_who_is_still_here() {
    let (directory, room) = (Directory::default(), RoomId::parse("r").unwrap());
    directory.connect(&ann());
    directory.enter(&room, &ann());
    told(&directory);
    directory.forget_registrations();
    assert_eq!(told(&directory), "up 1 down 0 enter 1 exit 0");
}
