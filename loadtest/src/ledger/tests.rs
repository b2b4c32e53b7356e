//! Each rule with its violation, planted into a run that breaks none.

mod course;

use crate::dialect::{Offer, Position};
use crate::history::{Event, Joined, What};
use crate::ledger::finding::Class;
use crate::ledger::tests::course::{
    SECOND, acked, add, find, good, heard, id, joined, position, remove, replace, tried,
};
use crate::ledger::{Delivery, Entry, Evidence, delivery};

/// Plants a fault and expects exactly these classes.
#[track_caller]
fn check(plant: impl FnOnce(&mut Evidence), expected: &[Class]) {
    let mut evidence = good();
    plant(&mut evidence);
    let findings = evidence.judge();
    let found: Vec<Class> = findings.broken.keys().copied().collect();
    assert_eq!(found, expected, "{findings:#?}");
}

#[test]
fn a_good_run_breaks_no_rule() {
    check(|_| (), &[]);
}

#[test]
fn invented() {
    check(|it| add(it, 1, 20, What::Foreign { room: 0 }), &[Class::Invented]);
    check(
        |it| it.logs[0].entries.push(Entry { mid: None, id: 0 }),
        &[Class::Invented, Class::Undelivered],
    );
    // Heard before it was sent.
    check(
        |it| it.histories[0].events.iter_mut().for_each(|it| it.at_us += 100 * SECOND),
        &[Class::Invented],
    );
}

#[test]
fn wrong_room() {
    let elsewhere = What::Heard { mid: 4, room: 1, id: id(4) };
    check(
        |it| {
            replace(it, 1, &heard(4), elsewhere);
            add(it, 1, 12, joined(1, 0, 0, false));
        },
        &[Class::WrongRoom, Class::Skip],
    );
}

#[test]
fn diverged() {
    check(|it| replace(it, 0, &acked(1, 2), acked(1, 3)), &[Class::Diverged]);
    check(|it| add(it, 0, 20, acked(5, 7)), &[Class::Diverged]);
    check(
        |it| replace(it, 1, &heard(4), What::Heard { mid: 4, room: 0, id: 9 }),
        &[Class::Diverged, Class::Skip],
    );
    // Nobody promised it, somebody heard it, and the log does not know it.
    check(
        |it| {
            remove(it, 0, &acked(5, 6));
            it.logs[0].entries.pop();
        },
        &[Class::Diverged],
    );
}

#[test]
fn what_a_failover_took_back_is_said_by_a_reset() {
    let taken = What::Heard { mid: 4, room: 0, id: 9 };
    let at = |it: &Evidence| {
        let events = it.histories[1].events.iter();
        events.filter(|it| it.what == heard(4)).map(|it| it.at_us / SECOND).next().unwrap()
    };
    // Told twice, because it was sent again: once before the reset and once behind it.
    let plant = |it: &mut Evidence| {
        let at = at(it);
        replace(it, 1, &heard(4), taken.clone());
        add(it, 1, at, What::Reset(Box::new(again(4))));
        add(it, 1, at, heard(4));
    };
    check(plant, &[]);
}

fn again(seq: u64) -> Joined {
    Joined { room: 0, position: position(seq), missed: 0, resumed: false }
}

#[test]
fn dup_log() {
    let again = Entry { mid: Some(5), id: id(5) };
    check(|it| it.logs[0].entries.push(again), &[Class::DupLog, Class::Undelivered]);
}

#[test]
fn dup_delivery() {
    check(|it| add(it, 1, 20, heard(3)), &[Class::DupDelivery]);
}

#[test]
fn skip() {
    check(|it| remove(it, 1, &heard(4)), &[Class::Skip]);
    check(|it| remove(it, 1, &heard(2)), &[Class::Skip]);
    check(
        |it| {
            replace(it, 1, &joined(0, 4, 2, true), joined(0, 4, 1, true));
            remove(it, 1, &heard(2));
        },
        &[Class::Skip],
    );
}

#[test]
fn a_gap_that_is_told_is_no_skip() {
    check(
        |it| {
            replace(it, 1, &joined(0, 4, 2, true), joined(0, 4, 0, false));
            remove(it, 1, &heard(2));
            remove(it, 1, &heard(3));
        },
        &[],
    );
    check(
        |it| {
            remove(it, 1, &heard(4));
            let position = position(5);
            let gap = Joined { room: 0, position, missed: 0, resumed: false };
            add(it, 1, 14, What::Reset(Box::new(gap)));
        },
        &[],
    );
}

#[test]
fn reorder() {
    check(
        |it| {
            remove(it, 1, &heard(4));
            add(it, 1, 20, heard(4));
        },
        &[Class::Skip, Class::Reorder],
    );
}

#[test]
fn epoch_jump() {
    check(
        |it| {
            let place = find(it, 1, &joined(0, 4, 2, true));
            let position = Position { epoch: 6, seq: 4 };
            let back = Joined { room: 0, position, missed: 2, resumed: true };
            it.histories[1].events[place].what = What::Joined(Box::new(back));
        },
        &[Class::EpochJump],
    );
}

#[test]
fn lost_ack() {
    check(
        |it| {
            it.logs[0].entries.pop();
            remove(it, 1, &heard(5));
        },
        &[Class::LostAck],
    );
}

#[test]
fn an_unknown_send_is_never_lost() {
    check(
        |it| {
            it.logs[0].entries.pop();
            remove(it, 1, &heard(5));
            remove(it, 0, &acked(5, 6));
        },
        &[],
    );
}

#[test]
fn undelivered() {
    check(|it| remove(it, 1, &heard(5)), &[Class::Undelivered]);
    // A message from an earlier connection of the sender itself has to come, too.
    check(
        |it| {
            add(it, 0, 22, What::Down);
            add(it, 0, 23, What::Up);
            add(it, 0, 23, joined(0, 6, 1, true));
            add(it, 0, 24, What::Online { user: 1 });
        },
        &[Class::Skip, Class::Undelivered],
    );
}

#[test]
fn aborted_read() {
    let refused = Entry { mid: Some(6), id: id(6) };
    check(
        |it| {
            it.logs[0].entries.push(refused);
            add(it, 1, 22, heard(6));
        },
        &[Class::AbortedRead],
    );
}

#[test]
fn sender_fifo() {
    let swap = |it: &mut Evidence| {
        it.logs[0].entries.swap(2, 3);
        replace(it, 0, &acked(2, 3), acked(2, 4));
        replace(it, 0, &acked(3, 4), acked(3, 3));
        remove(it, 1, &heard(2));
        let place = find(it, 1, &heard(3));
        it.histories[1].events.insert(place + 1, Event { at_us: 12 * SECOND, what: heard(2) });
    };
    check(swap, &[Class::SenderFifo]);
    // Where the first of the two was tried again, its place is free.
    check(
        |it| {
            swap(it);
            let place = find(it, 0, &tried(3));
            it.histories[0].events.insert(place, Event { at_us: 8 * SECOND, what: tried(2) });
        },
        &[],
    );
}

#[test]
fn realtime() {
    check(
        |it| {
            it.logs[0].entries.swap(0, 1);
            replace(it, 0, &acked(0, 1), acked(0, 2));
            replace(it, 0, &acked(1, 2), acked(1, 1));
            remove(it, 1, &heard(0));
            let place = find(it, 1, &heard(1));
            it.histories[1].events.insert(place + 1, Event { at_us: 7 * SECOND, what: heard(0) });
        },
        &[Class::SenderFifo, Class::Realtime],
    );
}

#[test]
fn non_member() {
    check(|it| add(it, 2, 5, heard(0)), &[Class::NonMember]);
    check(|it| add(it, 2, 3, heard(0)), &[Class::Invented, Class::NonMember]);
}

#[test]
fn phantom_online() {
    check(|it| remove(it, 0, &What::Offline { user: 2 }), &[Class::PhantomOnline]);
    // A change that is younger than the bound is not judged.
    check(
        |it| {
            remove(it, 0, &What::Offline { user: 2 });
            add(it, 2, 51, What::Up);
            add(it, 2, 52, What::Down);
        },
        &[],
    );
}

#[test]
fn who_left_its_rooms_knows_nobody() {
    check(
        |it| {
            remove(it, 0, &What::Offline { user: 2 });
            add(it, 0, 30, What::Left { room: 0 });
            add(it, 0, 31, joined(0, 6, 0, false));
            add(it, 0, 31, What::Online { user: 1 });
        },
        &[],
    );
}

#[test]
fn missing_online() {
    check(|it| add(it, 0, 30, What::Offline { user: 1 }), &[Class::MissingOnline]);
    check(|it| remove(it, 0, &What::Online { user: 1 }), &[Class::MissingOnline]);
}

#[test]
fn unread() {
    let unread = |it: &mut Evidence| {
        it.logs[0].fault = Some("no answer".to_owned());
        it.logs[0].entries.clear();
    };
    check(unread, &[Class::Unread]);
}

#[test]
fn without_an_offer_only_what_clients_see_is_judged() {
    let bare = |it: &mut Evidence| {
        it.offer = Offer::Bare;
        it.logs.clear();
    };
    check(bare, &[]);
    check(
        |it| {
            bare(it);
            add(it, 1, 20, heard(3));
        },
        &[Class::DupDelivery, Class::SenderFifo],
    );
}

#[test]
fn what_reached_its_listeners_is_counted() {
    let mut evidence = good();
    assert_eq!(delivery(&evidence), Delivery { expected: 6, told: 6 });
    remove(&mut evidence, 1, &heard(4));
    assert_eq!(delivery(&evidence), Delivery { expected: 6, told: 5 });
}
