//! Leaving: asked by a signal, in an order in which no client misses anything.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

use crate::app::Node;

const DRAINING: &str = "parlance_draining";

/// Tells whoever scrapes that the node stays.
pub(super) fn describe() {
    metrics::describe_gauge!(DRAINING, "1 while the node leaves, else 0");
    metrics::gauge!(DRAINING).set(0.0);
}

/// The signals that ask a node to leave.
pub(super) struct Stop {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
}

impl Stop {
    /// Hears SIGTERM and SIGINT from now on. A system that has no signals stops by killing.
    pub(super) fn listen() -> Self {
        Self {
            terminate: signal(SignalKind::terminate()).ok(),
            interrupt: signal(SignalKind::interrupt()).ok(),
        }
    }

    /// Resolves at the first signal.
    pub(super) async fn asked(&mut self) {
        tokio::select! {
            () = heard(&mut self.terminate) => (),
            () = heard(&mut self.interrupt) => (),
        }
    }
}

async fn heard(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

impl Node {
    /// Serves until it is asked to leave, and leaves: new clients are refused and `/readyz` says so;
    /// the connections are closed, each with its command finished and its outbox written; then the
    /// lease ends, after the time in which the node's users are back elsewhere.
    pub(super) async fn serve(self, mut stop: Stop) {
        stop.asked().await;
        info!("leaving");
        metrics::gauge!(DRAINING).set(1.0);
        self.lifecycle.stop_soft();
        self.gateway.drain().await;
        self.store.retire().await;
        info!("left");
    }
}
