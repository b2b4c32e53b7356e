//! Asks the sentinels who the primary is and who follows it, all the time.
//!
//! Sentinels that move the primary on request demote the old one only seconds later. Until then it
//! takes what is written to it, and all of that is going to be lost; so nobody waits for it to say
//! that it is no primary any more. Nor is one replica enough to confirm a batch there: another one
//! may be the new primary already, while this one still follows the old.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::ClientLike;
use fred::types::config::{Config as FredConfig, Server, ServerConfig};
use fred::types::{ClusterHash, CustomCommand, FromValue};
use futures_util::future::join_all;
use tokio::select;
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::store::client::{self, COMMAND_TIMEOUT};

/// As often as a node beats.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// A sentinel that does not answer within this has no say.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// A replica, as a sentinel sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Replica {
    server: Server,
    /// It does not answer, and has not for as long as the sentinels are told to be patient.
    is_down: bool,
    /// It gets what the primary stores.
    follows: bool,
}

/// What one sentinel says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct View {
    primary: Server,
    replicas: Vec<Replica>,
}

/// What most of the sentinels say.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Agreed {
    primary: Server,
    views: Vec<View>,
}

impl Agreed {
    /// The primary that more than half of `sentinels` name.
    fn of(views: Vec<View>, sentinels: usize) -> Option<Self> {
        let votes = |server: &Server| views.iter().filter(|it| it.primary == *server).count();
        let named = views.iter().find(|view| sentinels < 2 * votes(&view.primary))?;
        let primary = named.primary.clone();
        let views = views.into_iter().filter(|it| it.primary == primary).collect();
        Some(Self { primary, views })
    }

    /// How many replicas have to confirm a batch: each that one of the sentinels does not take for
    /// dead could be the next primary. The former primary counts once it follows the new one.
    fn needed(&self, former: Option<&Server>) -> u64 {
        let counts = |it: &&Replica| !it.is_down && (it.follows || former != Some(&it.server));
        let count = |view: &View| view.replicas.iter().filter(counts).count() as u64;
        self.views.iter().map(count).max().unwrap_or_default().max(1)
    }
}

/// The sentinels of the address.
pub(crate) struct Sentinels {
    clients: Vec<Client>,
    service: String,
    /// How many replicas have to confirm a batch.
    needed: watch::Sender<u64>,
    primary: Option<Server>,
    former: Option<Server>,
}

impl Sentinels {
    /// A connection to each sentinel that the address names; `None`: it names none. `needed` is told
    /// how many replicas have to confirm a batch.
    pub(crate) fn of(
        address: &FredConfig,
        needed: watch::Sender<u64>,
    ) -> Result<Option<Self>, Error> {
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
            needed,
            primary: None,
            former: None,
        }))
    }

    /// Waits until most of the sentinels agree.
    pub(crate) async fn agree(&mut self) {
        while self.look().await.is_none() {
            warn!("most of the sentinels do not answer, or do not agree; trying again");
            sleep(ASK_EVERY).await;
        }
    }

    /// Sends `clients` and the subscriber, which is told that it is deaf, to the primary that the
    /// sentinels name, whenever one of them is connected to another server.
    pub(crate) async fn run(
        mut self,
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
            let Some(primary) = self.look().await else { continue };
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
    async fn look(&mut self) -> Option<Server> {
        let asked = self.clients.iter().map(|client| timeout(ANSWER_WITHIN, self.ask(client)));
        let mut views = Vec::with_capacity(self.clients.len());
        for answer in join_all(asked).await {
            match answer {
                Ok(Ok(view)) => views.push(view),
                Ok(Err(error)) => debug!(%error, "a sentinel names no primary"),
                Err(_) => debug!("a sentinel does not answer"),
            }
        }
        let agreed = Agreed::of(views, self.clients.len())?;
        if self.primary.as_ref() != Some(&agreed.primary) {
            self.former = self.primary.replace(agreed.primary.clone());
        }
        self.needed.send_replace(agreed.needed(self.former.as_ref()));
        Some(agreed.primary)
    }

    async fn ask(&self, client: &Client) -> Result<View, Error> {
        let (host, port): (String, u16) = self.say(client, "GET-MASTER-ADDR-BY-NAME").await?;
        let replicas: Vec<HashMap<String, String>> = self.say(client, "REPLICAS").await?;
        let replicas = replicas.iter().filter_map(replica).collect();
        Ok(View { primary: Server::new(host, port), replicas })
    }

    async fn say<T: FromValue>(&self, client: &Client, word: &'static str) -> Result<T, Error> {
        let command = CustomCommand::new("SENTINEL", ClusterHash::FirstKey, false);
        client.custom(command, vec![word, self.service.as_str()]).await
    }
}

fn replica(fields: &HashMap<String, String>) -> Option<Replica> {
    let field = |name| fields.get(name).map_or("", String::as_str);
    let is_down = field("flags").split(',').any(|it| it == "s_down" || it == "o_down");
    let follows = field("role-reported") == "slave" && field("master-link-status") == "ok";
    let server = Server::new(field("ip"), field("port").parse().ok()?);
    Some(Replica { server, is_down, follows })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(port: u16) -> Server {
        Server::new("127.0.0.1", port)
    }

    /// Replicas as `port`, and `!` for one that is down, `~` for one that does not follow.
    fn view(primary: u16, replicas: &[&str]) -> View {
        let replica = |text: &&str| Replica {
            server: server(text.trim_end_matches(['!', '~']).parse().unwrap()),
            is_down: text.ends_with('!'),
            follows: !text.ends_with(['!', '~']),
        };
        View { primary: server(primary), replicas: replicas.iter().map(replica).collect() }
    }

    fn check(views: &[View], former: Option<u16>, expected: Option<(u16, u64)>) {
        let agreed = Agreed::of(views.to_vec(), 3);
        let former = former.map(server);
        let found = agreed.map(|it| (it.primary.port, it.needed(former.as_ref())));
        assert_eq!(found, expected, "{views:?}");
    }

    #[test]
    fn more_than_half_of_all_sentinels_name_the_primary() {
        check(&[view(1, &["2"]), view(1, &["2"])], None, Some((1, 1)));
        check(&[view(1, &["2"]), view(2, &["1"]), view(2, &["1"])], None, Some((2, 1)));
        check(&[view(1, &["2"]), view(2, &["1"])], None, None);
        check(&[view(1, &["2"])], None, None);
    }

    #[test]
    fn whoever_may_be_the_next_primary_has_to_confirm() {
        let all = |replicas: &[&str]| vec![view(1, replicas); 3];
        check(&all(&["2", "3"]), None, Some((1, 2)));
        // It is promoted this very moment, or only slow: one that is not dead.
        check(&all(&["2~", "3"]), None, Some((1, 2)));
        check(&all(&["2!", "3"]), None, Some((1, 1)));
        check(&all(&["2!", "3!"]), None, Some((1, 1)));
        // The former primary is told to follow some time after it was replaced.
        check(&all(&["2~", "3"]), Some(2), Some((1, 1)));
        check(&all(&["2", "3"]), Some(2), Some((1, 2)));
        // One sentinel alone cannot declare a replica dead.
        check(&[view(1, &["2!", "3"]), view(1, &["2", "3"])], None, Some((1, 2)));
    }
}
