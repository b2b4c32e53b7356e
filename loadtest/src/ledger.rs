//! Judges a run by what its clients did and heard, and by the logs of its rooms.
//!
//! Every client's history is read once, in order. Sends whose outcome is not known may have been
//! stored or not: they are never counted as lost.

mod delivery;
mod finding;
mod listening;
mod logs;
mod presence;
mod sends;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use crate::ledger::delivery::{Delivery, delivery};
pub(crate) use crate::ledger::finding::Findings;

use crate::dialect::{Offer, Position};
use crate::history::{History, Mid};
use crate::ledger::logs::Places;
use crate::ledger::sends::Sends;

/// What a room's log holds, as clients that joined for nothing else have read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoomLog {
    /// The place before the first entry.
    pub(crate) start: Position,
    pub(crate) entries: Vec<Entry>,
    /// Why the log could not be read to its end.
    pub(crate) fault: Option<String>,
}

/// An entry of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// `None`: no client of the run wrote this text for this room.
    pub(crate) mid: Option<Mid>,
    /// Hash of the message's public id.
    pub(crate) id: u32,
}

/// Everything that is known about a run.
#[derive(Debug)]
pub(crate) struct Evidence {
    pub(crate) offer: Offer,
    pub(crate) histories: Vec<History>,
    /// By room; empty where the server offers no logs.
    pub(crate) logs: Vec<RoomLog>,
    /// When the clients were told to stop.
    pub(crate) end_us: u64,
    /// How long a change of presence may take to be known.
    pub(crate) presence_bound: Duration,
}

impl Evidence {
    /// Applies every rule that the server's offer allows.
    pub(crate) fn judge(&self) -> Findings {
        let mut findings = Findings::default();
        let sends = Sends::gather(&self.histories, &mut findings);
        match self.offer {
            Offer::Full => {
                let places = Places::read(&self.logs, &sends, &mut findings);
                logs::check_sends(&sends, &places, &mut findings);
                logs::check_order(&self.logs, &sends, &mut findings);
                for (client, history) in self.histories.iter().enumerate() {
                    listening::check_in_order(client, history, &places, &mut findings);
                }
                listening::check_all(&self.histories, &sends, &mut findings);
            }
            Offer::Bare => {
                listening::check_all(&self.histories, &sends, &mut findings);
                listening::check_senders(&self.histories, &sends, &mut findings);
            }
        }
        presence::check(self, &mut findings);
        findings
    }
}
