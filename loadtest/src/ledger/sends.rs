//! Every message that was tried, with what its sender was told about it.

use crate::history::{History, Mid, RoomIndex, What};
use crate::ledger::finding::{Class, Findings};

/// What is known of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Send {
    pub(crate) room: RoomIndex,
    /// The client that sent it.
    pub(crate) client: usize,
    /// The sender's connection of the first attempt, counted from 1.
    pub(crate) connection: u32,
    pub(crate) tried_us: u64,
    /// Up to its acknowledgement.
    pub(crate) attempts: u32,
    pub(crate) refusals: u32,
    pub(crate) acked: Option<Acked>,
}

/// A promise that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Acked {
    pub(crate) at_us: u64,
    pub(crate) seq: u32,
    pub(crate) id: u32,
}

impl Send {
    /// Nothing of it may ever be seen.
    pub(crate) fn is_refused(&self) -> bool {
        self.acked.is_none() && self.attempts == self.refusals
    }
}

/// All messages of a run, by number.
#[derive(Debug, Default)]
pub(crate) struct Sends(Vec<Option<Send>>);

impl Sends {
    /// Reads them out of the histories.
    pub(crate) fn gather(histories: &[History], findings: &mut Findings) -> Self {
        let mut sends = Self::default();
        for (client, history) in histories.iter().enumerate() {
            let mut connection = 0;
            for event in &history.events {
                match event.what {
                    What::Up | What::Recovered => connection += 1,
                    What::Tried { mid, room } => {
                        let send = sends.slot(mid).get_or_insert(Send {
                            room,
                            client,
                            connection,
                            tried_us: event.at_us,
                            attempts: 0,
                            refusals: 0,
                            acked: None,
                        });
                        // What is sent again after its acknowledgement changes nothing.
                        send.attempts += u32::from(send.acked.is_none());
                    }
                    What::Refused { mid } => {
                        if let Some(send) = sends.slot(mid) {
                            send.refusals += 1;
                        }
                    }
                    What::Acked { mid, seq, id } => {
                        let acked = Acked { at_us: event.at_us, seq, id };
                        sends.acked(mid, acked, findings);
                    }
                    What::Down
                    | What::Joined(_)
                    | What::Left { .. }
                    | What::Reset(_)
                    | What::Unknown { .. }
                    | What::Heard { .. }
                    | What::Foreign { .. }
                    | What::Online { .. }
                    | What::Offline { .. } => (),
                }
            }
        }
        sends
    }

    fn slot(&mut self, mid: Mid) -> &mut Option<Send> {
        let place = mid as usize;
        if self.0.len() <= place {
            self.0.resize(place + 1, None);
        }
        &mut self.0[place]
    }

    fn acked(&mut self, mid: Mid, now: Acked, findings: &mut Findings) {
        let Some(send) = self.slot(mid) else { return };
        match send.acked {
            None => send.acked = Some(now),
            Some(before) if before.seq == now.seq && before.id == now.id => (),
            Some(before) => findings.add(Class::Diverged, || {
                format!("message {mid} was acknowledged at {} and at {}", before.seq, now.seq)
            }),
        }
    }

    pub(crate) fn get(&self, mid: Mid) -> Option<&Send> {
        self.0.get(mid as usize)?.as_ref()
    }

    /// All of them in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Mid, &Send)> {
        (0..).zip(&self.0).filter_map(|(mid, send)| Some((mid, send.as_ref()?)))
    }
}
