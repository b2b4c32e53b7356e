//! An issuer's keys, kept fresh by one task: read every few minutes, and at once when a token names
//! a key that is not there. Keys that were read are used until others are: an issuer may be away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jsonwebtoken::Algorithm;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{info, warn};

use crate::auth::AuthFailure;
use crate::auth::key::{Header, Key};
use crate::auth::key_set::{Found, KeySet};
use crate::auth::metrics;
use crate::auth::remote::Remote;
use crate::lifecycle::Lifecycle;

/// How often keys are read though nobody misses one: a key that was withdrawn is used for no longer.
const READ_EVERY: Duration = Duration::from_secs(300);

/// Pause before keys are read again that could not be read.
const RETRY_EVERY: Duration = Duration::from_secs(15);

/// Whoever names unknown keys cannot have the issuer asked more often than this.
const PAUSE_MIN: Duration = Duration::from_secs(2);

/// How long a client that shows its token in band waits for an unknown key.
const WAIT_MAX: Duration = Duration::from_secs(6);

/// Names of missing keys that are remembered. One more forgets all: they are looked for again.
const MISSING_MAX: usize = 1024;

/// What was read last.
#[derive(Debug, Clone, Default)]
struct Seen {
    keys: Arc<KeySet>,
    /// Readings that have begun, and those that came to an end.
    begun: u64,
    ended: u64,
    /// The newest reading that brought keys.
    brought: u64,
}

/// The keys of one issuer.
#[derive(Debug)]
pub(crate) struct Jwks {
    allowed: Vec<Algorithm>,
    seen: watch::Receiver<Seen>,
    wanted: Arc<Notify>,
    /// Missing keys and how many readings had begun when each was missed first.
    missing: Mutex<HashMap<String, u64>>,
}

impl Jwks {
    /// Reads keys from now on.
    pub(crate) fn start(remote: Remote, allowed: Vec<Algorithm>, lifecycle: &Lifecycle) -> Self {
        let (seen, shown) = watch::channel(Seen::default());
        let wanted = Arc::new(Notify::new());
        let reader = Reader {
            remote,
            allowed: allowed.clone(),
            seen,
            wanted: Arc::clone(&wanted),
            is_away: false,
        };
        lifecycle.spawn("jwks", reader.run());
        Self { allowed, seen: shown, wanted, missing: Mutex::default() }
    }

    /// Does something with the key for a token.
    ///
    /// # Errors
    /// There is none; or it is not known whether there is, and the issuer is being asked.
    pub(crate) fn with_key<T>(
        &self,
        header: &Header,
        work: impl FnOnce(&Key) -> Result<T, AuthFailure>,
    ) -> Result<T, AuthFailure> {
        if !self.allowed.contains(&header.algorithm) {
            return Err(AuthFailure::Invalid);
        }
        let seen = self.seen.borrow().clone();
        match seen.keys.find(header.algorithm, header.key.as_deref()) {
            Found::Key(key) => work(key),
            Found::Unfit => Err(AuthFailure::Invalid),
            Found::UnknownName => Err(self.miss(header.key.as_deref(), &seen)),
        }
    }

    /// A key is missing for good only when a reading that began after it was missed did not bring it.
    fn miss(&self, name: Option<&str>, seen: &Seen) -> AuthFailure {
        let name = name.unwrap_or_default();
        let mut missing = self.missing();
        if let Some(begun) = missing.get(name)
            && *begun < seen.brought
        {
            // Forgotten, so that it is looked for again when somebody comes back with it.
            missing.remove(name);
            return AuthFailure::Invalid;
        }
        if MISSING_MAX <= missing.len() {
            missing.clear();
        }
        missing.entry(name.to_owned()).or_insert(seen.begun);
        drop(missing);
        self.wanted.notify_one();
        AuthFailure::KeysAway
    }

    /// Resolves when a reading that begins from now on has ended, or that takes too long.
    pub(crate) async fn read_again(&self) {
        let mut seen = self.seen.clone();
        let begun = seen.borrow().begun;
        let ended = seen.wait_for(|it| begun < it.ended);
        // Whatever came of it, the caller looks.
        let _in_time = timeout_at(Instant::now() + WAIT_MAX, ended).await.is_ok();
    }

    fn missing(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reading task.
struct Reader {
    remote: Remote,
    allowed: Vec<Algorithm>,
    seen: watch::Sender<Seen>,
    wanted: Arc<Notify>,
    is_away: bool,
}

impl Reader {
    /// Reads until nobody needs keys any more.
    async fn run(mut self) {
        loop {
            self.seen.send_modify(|it| it.begun += 1);
            let read = self.read().await;
            metrics::keys_read(read.is_some());
            let next = Instant::now() + if read.is_some() { READ_EVERY } else { RETRY_EVERY };
            self.seen.send_modify(|it| {
                it.ended = it.begun;
                if let Some(keys) = read {
                    it.brought = it.begun;
                    it.keys = Arc::new(keys);
                }
            });
            tokio::select! {
                () = self.seen.closed() => return,
                () = sleep(PAUSE_MIN) => (),
            }
            tokio::select! {
                () = self.seen.closed() => return,
                // At the time or when a key is missed, whichever comes first.
                _ = timeout_at(next, self.wanted.notified()) => (),
            }
        }
    }

    async fn read(&mut self) -> Option<KeySet> {
        let read = match self.remote.get().await {
            Ok(document) => KeySet::parse(&document, &self.allowed).map_err(|it| it.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let url = self.remote.url();
        match &read {
            Err(error) if !self.is_away => {
                warn!(%url, error, "an issuer's keys cannot be read; using those that are known");
            }
            Ok(_) if self.is_away => info!(%url, "an issuer's keys can be read again"),
            Ok(_) | Err(_) => (),
        }
        self.is_away = read.is_err();
        read.ok()
    }
}
