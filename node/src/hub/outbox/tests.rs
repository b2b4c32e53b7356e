use super::*;

fn event(bytes: usize) -> Outgoing {
    let payload = RawValue::from_string(format!("\"{}\"", "x".repeat(bytes))).unwrap();
    Outgoing::Event(Arc::new(Frame::new(Arc::from("e"), payload)))
}

#[tokio::test]
async fn after_an_overflow_nothing_more_is_taken() {
    let (outbox, mut reader) = outbox();
    for _ in 0..OUTBOX_FRAMES_MAX {
        outbox.push(event(1)).unwrap();
    }
    assert_eq!(outbox.push(event(1)), Err(Overflow));
    assert_eq!(outbox.ended().await, CloseReason::TooSlow);
    while reader.try_next().is_some() {}
    assert_eq!(outbox.push(event(1)), Err(Overflow));
}

#[tokio::test]
async fn one_frame_larger_than_the_bound_passes_alone() {
    let (outbox, _reader) = outbox();
    outbox.push(event(2 * OUTBOX_BYTES_MAX)).unwrap();
    assert_eq!(outbox.push(event(1)), Err(Overflow));
}

#[tokio::test]
async fn news_about_a_user_is_told_once_per_version() {
    let (outbox, mut reader) = outbox();
    for (user, version) in [(1, 5), (1, 5), (2, 5), (1, 4), (1, 6)] {
        outbox.push_once(event(1), Once { user, version }).unwrap();
    }
    assert_eq!(std::iter::from_fn(|| reader.try_next()).count(), 3);
}

#[tokio::test]
async fn whoever_has_joined_or_left_a_room_is_told_again() {
    let (outbox, mut reader) = outbox();
    let once = Once { user: 1, version: 5 };
    outbox.push_presence(event(1), once).unwrap();
    outbox.push_presence(event(1), once).unwrap();
    outbox.note_move();
    outbox.push_presence(event(1), once).unwrap();
    outbox.push_presence(event(1), once).unwrap();
    assert_eq!(std::iter::from_fn(|| reader.try_next()).count(), 2);
}

#[tokio::test]
async fn a_read_outbox_says_when_half_of_it_is_free() {
    let (outbox, mut reader) = outbox();
    for _ in 0..OUTBOX_FRAMES_MAX {
        outbox.push(event(1)).unwrap();
    }
    assert!(!outbox.is_half_empty());
    for _ in 0..OUTBOX_FRAMES_MAX / 2 {
        reader.next().await.unwrap();
    }
    outbox.half_empty().await;
    assert!(outbox.is_half_empty());
}
