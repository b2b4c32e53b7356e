//! The application beside the chat: it takes back tokens, through the same core that nodes use.

use std::sync::Arc;

use parlance::blobs::config::PublicUrl;
use parlance::blobs::{self, Blobs};
use parlance::chat::access_hook::{self, AccessHook};
use parlance::chat::{self, Chat};
use parlance::domain::id::{TokenId, UserId};
use parlance::domain::revoked::Revoked;
use parlance::lifecycle::Lifecycle;
use parlance::secret::Secret;
use parlance::store::config::Config;
use parlance::store::{Arrivals, connect};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

use crate::harness::cluster::Cluster;

/// Ends with the test's runtime.
pub(crate) struct Application {
    chat: Chat,
    /// For files, of which it has none.
    _folder: TempDir,
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
        let nobody = AccessHook::new(&access_hook::Config::default(), &lifecycle).unwrap();
        let config = (chat::Config::default(), nobody);
        let folder = TempDir::new().unwrap();
        let links = (&Secret::new("a secret".to_owned()), PublicUrl::local(1));
        let files = blobs::config::Config::default();
        let blobs = Blobs::open(&files, folder.path(), links, lifecycle.clone()).unwrap();
        let chat = Chat::start(config, (&store, &blobs), nothing, &lifecycle);
        Self { chat, _folder: folder }
    }

    /// All audit records, oldest first.
    pub(crate) async fn audit(&self) -> Vec<Value> {
        let kept = self.chat.audit(None, 1000).await.unwrap();
        kept.iter().rev().map(|it| serde_json::from_str(&it.record).unwrap()).collect()
    }

    pub(crate) async fn revoke_user(&self, user: &str) {
        self.chat.revoke(Revoked::User(UserId::parse(user).unwrap())).await.unwrap();
    }

    pub(crate) async fn revoke_token(&self, id: &str) {
        self.chat.revoke(Revoked::Token(TokenId::parse(id).unwrap())).await.unwrap();
    }
}
