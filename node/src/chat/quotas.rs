//! How often a user may do something: exact on this node, and across nodes for users who are on
//! several.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;
use tracing::debug;

use crate::chat::Asker;
use crate::domain::id::UserId;
use crate::domain::quota::{Limit, Window};
use crate::domain::refusal::Refusal;
use crate::store::Store;

/// Windows that are kept before the idle ones are looked for.
const SWEEP_AT_MIN: usize = 1024;

#[derive(Debug)]
struct Windows {
    kept: HashMap<(UserId, &'static str), (Limit, Window)>,
    sweep_at: usize,
}

/// The windows of all users of this node.
#[derive(Debug)]
pub(super) struct Quotas {
    windows: Mutex<Windows>,
    started: Instant,
}

impl Default for Quotas {
    fn default() -> Self {
        let windows = Windows { kept: HashMap::new(), sweep_at: SWEEP_AT_MIN };
        Self { windows: Mutex::new(windows), started: Instant::now() }
    }
}

impl Quotas {
    /// Takes one use of the asker's limit.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`]; nothing is counted then.
    pub(super) async fn take(
        &self,
        store: &Store,
        asker: Asker<'_>,
        what: &'static str,
    ) -> Result<(), Refusal> {
        let Some(limit) = asker.limit else { return Ok(()) };
        let user = asker.actor.id();
        self.take_here(user, what, limit)?;
        if !asker.is_spread {
            return Ok(());
        }
        match store.limit(user, what, limit).await {
            Ok(None) => Ok(()),
            Ok(Some(retry_after)) => Err(Refusal::RateLimited { retry_after }),
            Err(error) => {
                // This node's own window still holds.
                debug!(%error, "a limit could not be asked across nodes");
                Ok(())
            }
        }
    }

    fn take_here(&self, user: &UserId, what: &'static str, limit: Limit) -> Result<(), Refusal> {
        let now = self.started.elapsed();
        // Nothing in here can leave a window half changed, so a poisoned lock is usable.
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.sweep_at <= windows.kept.len() {
            windows.kept.retain(|_, (limit, window)| !window.is_idle(*limit, now));
            windows.sweep_at = SWEEP_AT_MIN.max(2 * windows.kept.len());
        }
        let (_, window) =
            windows.kept.entry((user.clone(), what)).or_insert_with(|| (limit, Window::default()));
        window.take(limit, now).map_err(|retry_after| Refusal::RateLimited { retry_after })
    }
}
