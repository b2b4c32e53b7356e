//! The cluster's figures for an admin who has asked: at once, then when they have changed.

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::chat::STATS_EVERY;
use crate::clock;
use crate::dialect::DialectId;
use crate::domain::notice::Notice;
use crate::domain::refusal::Refusal;
use crate::domain::reply::Reply;
use crate::domain::role::Actor;
use crate::domain::stats::Stats;
use crate::hub::outbox::Outgoing;
use crate::session::Session;

/// An admin's view of the figures.
#[derive(Debug)]
pub(super) struct Watching {
    dialect: DialectId,
    figures: watch::Receiver<Stats>,
    told: Stats,
    told_at: Instant,
}

/// Resolves when the figures are other than told and long enough have stood; never where nobody
/// has asked for them.
pub(super) async fn changed(watching: &mut Option<Watching>) -> Stats {
    let Some(Watching { figures, told, told_at, .. }) = watching else {
        return std::future::pending().await;
    };
    sleep_until(*told_at + STATS_EVERY).await;
    let stats = figures.wait_for(|it| it != told).await.ok().map(|it| *it);
    match stats {
        Some(stats) => stats,
        None => std::future::pending().await, // the node is ending
    }
}

impl Watching {
    /// In whose words it is told.
    pub(super) fn dialect(&self) -> DialectId {
        self.dialect
    }
}

impl Session {
    /// An earlier connection was told the figures: this one is told them now, and when they change.
    ///
    /// # Errors
    /// The user may not see them any more, or they could not be read.
    pub(super) async fn watch_stats_again(&mut self, dialect: DialectId) -> Result<(), Refusal> {
        let Some(actor) = self.identity.as_ref().map(|it| it.actor.clone()) else {
            return Err(Refusal::AuthRequired);
        };
        self.watch_stats(dialect, &actor).await?;
        if let Some(told) = self.stats.as_ref().map(|it| it.told) {
            self.tell_stats(told);
        }
        Ok(())
    }

    /// The figures now; from here on the admin is told when they change.
    pub(super) async fn watch_stats(
        &mut self,
        dialect: DialectId,
        actor: &Actor,
    ) -> Result<Reply, Refusal> {
        let told = self.parts.chat.stats(actor).await?;
        let figures = self.parts.chat.watch_stats();
        self.stats = Some(Watching { dialect, figures, told, told_at: Instant::now() });
        self.rooms.changed();
        Ok(Reply::Stats { stats: told, at: clock::now() })
    }

    pub(super) fn tell_stats(&mut self, stats: Stats) {
        let Some(watching) = &mut self.stats else { return };
        (watching.told, watching.told_at) = (stats, Instant::now());
        let notice = Notice::Stats { stats, at: clock::now() };
        if let Some(spoken) = self.parts.dialects.get(watching.dialect).encode(&notice) {
            self.push(Outgoing::Event(spoken.frame));
        }
    }
}
