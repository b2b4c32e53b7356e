//! The application beside the chat: it takes back tokens, through the same core that nodes use.

use std::sync::Arc;

use parlance::chat::{self, Chat};
use parlance::domain::id::{TokenId, UserId};
use parlance::domain::revoked::Revoked;
use parlance::lifecycle::Lifecycle;
use parlance::secret::Secret;
use parlance::store::config::Config;
use parlance::store::{Arrivals, connect};
use tokio::sync::{mpsc, watch};

use crate::harness::cluster::Cluster;

/// Ends with the test's runtime.
pub(crate) struct Application {
    chat: Chat,
}

impl Application {
    pub(crate) async fn beside(cluster: &Cluster) -> Self {
        let url = Some(Secret::new(cluster.redis.url()));
        let config = Config { url, prefix: "it".to_owned(), ..Config::default() };
        let arrivals = Arrivals {
            keepers: Arc::from([mpsc::channel(1).0]),
            resync: watch::Sender::new(0),
            revoked: mpsc::channel(1).0,
        };
        let lifecycle = Lifecycle::default();
        let store = connect(&config, arrivals, lifecycle.clone()).await.unwrap();
        let (_handed, nothing) = mpsc::channel(1);
        Self { chat: Chat::start(chat::Config::default(), &store, nothing, &lifecycle) }
    }

    pub(crate) async fn revoke_user(&self, user: &str) {
        self.chat.revoke(Revoked::User(UserId::parse(user).unwrap())).await.unwrap();
    }

    pub(crate) async fn revoke_token(&self, id: &str) {
        self.chat.revoke(Revoked::Token(TokenId::parse(id).unwrap())).await.unwrap();
    }
}
