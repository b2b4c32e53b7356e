//! Asks the sentinels who the primary is, all the time.
//!
//! Sentinels that move the primary on request demote the old one only seconds later. Until then it
//! takes what is written to it, and all of that is going to be lost; so nobody waits for it to say
//! that it is no primary any more.

use std::sync::Arc;
use std::time::Duration;

use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::ClientLike;
use fred::types::config::{Config as FredConfig, Server, ServerConfig};
use fred::types::{ClusterHash, CustomCommand};
use futures_util::future::join_all;
use tokio::select;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::store::client::{self, COMMAND_TIMEOUT};

/// As often as a node beats.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// A sentinel that does not answer within this has no say.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// The sentinels of the address.
pub(crate) struct Sentinels {
    clients: Vec<Client>,
    service: String,
}

impl Sentinels {
    /// A connection to each sentinel that the address names; `None`: it names none.
    pub(crate) fn of(address: &FredConfig) -> Result<Option<Self>, Error> {
        let ServerConfig::Sentinel { hosts, service_name, username, password } = &address.server
        else {
            return Ok(None);
        };
        let clients = hosts.iter().map(|host| {
            let config = FredConfig {
                server: ServerConfig::Centralized { server: host.clone() },
                username: username.clone(),
                password: password.clone(),
                tls: address.tls.clone(),
                // It connects by itself, again and again.
                fail_fast: false,
                ..FredConfig::default()
            };
            let client = client::commands(&config)?;
            drop(client.connect());
            Ok(client)
        });
        Ok(Some(Self {
            clients: clients.collect::<Result<_, Error>>()?,
            service: service_name.clone(),
        }))
    }

    /// Sends `clients` and the subscriber, which is told that it is deaf, to the primary that the
    /// sentinels name, whenever one of them is connected to another server.
    pub(crate) async fn run(
        self,
        clients: [Client; 2],
        deaf: Arc<Notify>,
        stop: CancellationToken,
    ) {
        let mut ticks = interval(ASK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            select! {
                biased;
                () = stop.cancelled() => return,
                _ = ticks.tick() => (),
            }
            let Some(primary) = self.primary().await else { continue };
            // Without a connection a client asks the sentinels itself.
            let is_elsewhere = |client: &Client| {
                client.active_connections().iter().any(|server| *server != primary)
            };
            if clients.iter().any(is_elsewhere) {
                warn!(redis.primary = %primary, "the sentinels name another primary; going there");
                let turned =
                    clients.iter().map(|it| timeout(COMMAND_TIMEOUT, it.force_reconnection()));
                drop(join_all(turned).await); // whoever is still elsewhere is found by the next look
                deaf.notify_one();
            }
        }
    }

    /// The primary that most of the sentinels name.
    async fn primary(&self) -> Option<Server> {
        let asked = self.clients.iter().map(|client| timeout(ANSWER_WITHIN, self.ask(client)));
        let mut named = Vec::with_capacity(self.clients.len());
        for answer in join_all(asked).await {
            match answer {
                Ok(Ok(server)) => named.push(server),
                Ok(Err(error)) => debug!(%error, "a sentinel names no primary"),
                Err(_) => debug!("a sentinel does not answer"),
            }
        }
        let votes = |server: &Server| named.iter().filter(|it| *it == server).count();
        named.iter().find(|server| self.clients.len() < 2 * votes(server)).cloned()
    }

    async fn ask(&self, client: &Client) -> Result<Server, Error> {
        let command = CustomCommand::new("SENTINEL", ClusterHash::FirstKey, false);
        let words = vec!["GET-MASTER-ADDR-BY-NAME", self.service.as_str()];
        let (host, port): (String, u16) = client.custom(command, words).await?;
        Ok(Server::new(host, port))
    }
}
