//! The feed: where entries were stored, in all rooms, in the order in which they were.

use std::fmt;
use std::sync::LazyLock;

use futures_util::future::try_join_all;
use serde_bytes::ByteBuf;

use crate::domain::event::SharedEntry;
use crate::domain::id::RoomId;
use crate::domain::position::Position;
use crate::store::script::{Input, NO_WRITES, Script};
use crate::store::shard::PATIENCE;
use crate::store::{Store, StoreError};

static FEED: LazyLock<Script> =
    LazyLock::new(|| Script::new("feed", &[NO_WRITES, include_str!("../../lua/feed.lua")]));

/// A place in the feed: after a batch of entries that was stored at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FeedPlace {
    /// Milliseconds of the batch's id.
    at: u64,
    /// Number within them.
    within: u64,
    /// The batch's number in the feed; 0: before the first.
    number: u64,
}

impl FeedPlace {
    /// Takes what [`FeedPlace`] prints.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.splitn(3, '-').map(|it| it.parse().ok());
        let (at, within, number) = (numbers.next()??, numbers.next()??, numbers.next()??);
        Some(Self { at, within, number })
    }

    /// The place after a batch.
    fn after(id: &str, number: u64) -> Option<Self> {
        let (at, within) = id.split_once('-')?;
        Some(Self { at: at.parse().ok()?, within: within.parse().ok()?, number })
    }
}

impl fmt::Display for FeedPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.at, self.within, self.number)
    }
}

/// What follows a place of the feed.
#[derive(Debug)]
pub struct FeedPage {
    /// What was stored, in order; without what its room keeps no more.
    pub entries: Vec<SharedEntry>,
    /// Where to go on.
    pub next: FeedPlace,
    /// Something between the place and these entries is kept no more.
    pub is_cut: bool,
}

type Places = Vec<(RoomId, u64, u64)>;

impl Store {
    /// What follows `after` in the feed (`None`: from the oldest that is kept), at most so many
    /// batches of up to 64 entries.
    ///
    /// # Errors
    /// Redis did not answer, or the feed holds what this release cannot read.
    pub async fn feed(
        &self,
        after: Option<FeedPlace>,
        batches: u64,
    ) -> Result<FeedPage, StoreError> {
        let mut input = Input::default();
        input.key(self.shard.keys.feed());
        match after {
            Some(FeedPlace { at, within, number }) if number != 0 => {
                input.text(&format!("{at}-{within}"));
                input.number(number);
            }
            Some(_) | None => {
                input.text("-");
                input.number(0);
            }
        }
        input.number(batches);
        let (is_cut, found): (bool, Vec<(String, u64, ByteBuf)>) =
            FEED.call(&self.shard.client, &input, PATIENCE).await?;
        let unreadable = || StoreError::refused("the feed holds what cannot be read".to_owned());
        let mut entries = Vec::new();
        let mut next = after.unwrap_or_default();
        for (id, number, batch) in found {
            next = FeedPlace::after(&id, number).ok_or_else(unreadable)?;
            let places: Places = rmp_serde::from_slice(&batch).map_err(|_error| unreadable())?;
            let reads = places
                .iter()
                .map(|(room, epoch, seq)| self.entry(room, Position::new(*epoch, *seq)));
            entries.extend(try_join_all(reads).await?.into_iter().flatten());
        }
        Ok(FeedPage { entries, next, is_cut })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_printed() {
        let place = FeedPlace { at: 1_700_000_000_000, within: 2, number: 17 };
        assert_eq!(FeedPlace::parse(&place.to_string()), Some(place));
        for wrong in ["", "1", "1-2", "1-2-x", "1-2-3-4", "-1-2-3"] {
            assert_eq!(FeedPlace::parse(wrong), None, "{wrong}");
        }
    }
}
