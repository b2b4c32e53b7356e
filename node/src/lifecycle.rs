//! The life of the process: soft stop (drain), hard stop, and the only spawn.

use std::future::Future;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// Cheap handle that every component is given. `soft` asks to finish, `hard` ends at once.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    soft: CancellationToken,
    hard: CancellationToken,
    tasks: TaskTracker,
}

impl Lifecycle {
    /// Starts a task that [`Self::finished`] waits for. It is dropped at a hard stop.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that spawns")]
    pub fn spawn<F>(&self, name: &'static str, task: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let hard = self.hard.clone();
        let task = self.tasks.track_future(async move {
            tokio::select! {
                biased;
                () = hard.cancelled() => (),
                () = task => (),
            }
        });
        tokio::spawn(task.instrument(tracing::debug_span!("task", task.name = name)))
    }

    /// Asks everyone to finish what they do and leave.
    pub fn stop_soft(&self) {
        self.soft.cancel();
    }

    /// Ends every task where it stands.
    pub fn stop_hard(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }

    /// Whether the soft stop was asked for.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// Resolves when the soft stop is asked for.
    pub async fn stopping(&self) {
        self.soft.cancelled().await;
    }

    /// Resolves when the hard stop is asked for.
    pub async fn stopped_hard(&self) {
        self.hard.cancelled().await;
    }

    /// Resolves when every spawned task has ended. Call it after a stop.
    pub async fn finished(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}
