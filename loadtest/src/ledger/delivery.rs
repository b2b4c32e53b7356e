//! How much of what was written reached those who were to hear it.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use crate::dialect::Offer;
use crate::history::{History, Mid, RoomIndex, What};
use crate::ledger::Evidence;
use crate::ledger::finding::Findings;
use crate::ledger::sends::Sends;

/// Tellings: a message to one listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Delivery {
    /// Due to clients that were connected at the end, from their first join on; own messages and
    /// those without an acknowledgement, where there are any, are left out.
    pub(crate) expected: u64,
    /// Of those, how many arrived at least once.
    pub(crate) told: u64,
}

/// Counts over the whole run.
pub(crate) fn delivery(evidence: &Evidence) -> Delivery {
    // What it finds was told by the judgement already.
    let sends = Sends::gather(&evidence.histories, &mut Findings::default());
    let mut by_room: BTreeMap<RoomIndex, Vec<(u64, usize)>> = BTreeMap::new();
    for (_, send) in sends.iter() {
        if send.acked.is_some() || evidence.offer == Offer::Bare {
            by_room.entry(send.room).or_default().push((send.tried_us, send.client));
        }
    }
    by_room.values_mut().for_each(|it| it.sort_unstable());
    let mut delivery = Delivery::default();
    for (client, history) in evidence.histories.iter().enumerate() {
        let Some(rooms) = first_joins(history) else { continue };
        for (room, joined_us) in &rooms {
            let due = by_room.get(room).map_or(&[][..], |it| {
                &it[it.partition_point(|(tried_us, _)| tried_us < joined_us)..]
            });
            delivery.expected += due.iter().filter(|it| it.1 != client).count() as u64;
        }
        let mut told: HashSet<Mid> = HashSet::new();
        for event in &history.events {
            let What::Heard { mid, room, .. } = event.what else { continue };
            let is_due = sends.get(mid).zip(rooms.get(&room)).is_some_and(|(send, joined_us)| {
                let is_counted = send.acked.is_some() || evidence.offer == Offer::Bare;
                is_counted && *joined_us <= send.tried_us && send.client != client
            });
            if is_due {
                told.insert(mid);
            }
        }
        delivery.told += told.len() as u64;
    }
    delivery
}

/// When a client first joined each room; `None`: it was not connected at the end.
fn first_joins(history: &History) -> Option<BTreeMap<RoomIndex, u64>> {
    let mut rooms = BTreeMap::new();
    let mut is_up = false;
    for event in &history.events {
        match &event.what {
            What::Up | What::Recovered => is_up = true,
            What::Down => is_up = false,
            What::Joined(joined) => {
                rooms.entry(joined.room).or_insert(event.at_us);
            }
            What::Left { .. }
            | What::Reset(_)
            | What::Tried { .. }
            | What::Acked { .. }
            | What::Refused { .. }
            | What::Unknown { .. }
            | What::Heard { .. }
            | What::Foreign { .. }
            | What::Online { .. }
            | What::Offline { .. } => (),
        }
    }
    is_up.then_some(rooms)
}
