//! Somebody who issues tokens and publishes the keys for them, over real HTTP.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const RSA: &[u8] = include_bytes!("../../keys/rsa.pem");
const EC: &[u8] = include_bytes!("../../keys/ec.pem");
const ED: &[u8] = include_bytes!("../../keys/ed.pem");

/// A key with a name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    name: &'static str,
    algorithm: Algorithm,
}

impl Key {
    pub(crate) fn new(name: &'static str, algorithm: Algorithm) -> Self {
        Self { name, algorithm }
    }

    fn private(self) -> EncodingKey {
        let (rsa, ec) = ([Algorithm::RS256, Algorithm::PS256], Algorithm::ES256);
        let key = if rsa.contains(&self.algorithm) {
            EncodingKey::from_rsa_pem(RSA)
        } else if self.algorithm == ec {
            EncodingKey::from_ec_pem(EC)
        } else {
            EncodingKey::from_ed_pem(ED)
        };
        key.unwrap()
    }

    fn public(self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.private(), self.algorithm).unwrap();
        jwk.common.key_id = Some(self.name.to_owned());
        serde_json::to_value(jwk).unwrap()
    }

    /// A token that is signed with it.
    pub(crate) fn sign(self, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.name.to_owned());
        encode(&header, claims, &self.private()).unwrap()
    }
}

/// Ends with the test's runtime.
pub(crate) struct Issuer {
    address: SocketAddr,
    document: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
    serving: Option<JoinHandle<()>>,
}

impl Issuer {
    /// Starts one that publishes these keys.
    pub(crate) async fn start(keys: &[Key]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (document, asked) = (Arc::default(), Arc::default());
        let mut issuer = Self { address, document, asked, serving: None };
        issuer.publish(keys);
        issuer.serve(listener);
        issuer
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/keys", self.address)
    }

    /// Publishes these keys, and no others any more.
    pub(crate) fn publish(&self, keys: &[Key]) {
        let keys: Vec<Value> = keys.iter().map(|it| it.public()).collect();
        *self.document.lock().unwrap() = json!({ "keys": keys }).to_string();
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Nobody answers any more.
    pub(crate) async fn go_away(&mut self) {
        let serving = self.serving.take().expect("it is there");
        serving.abort();
        serving.await.unwrap_err();
    }

    /// Answers again, at the same address.
    pub(crate) async fn come_back(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.serve(listener);
    }

    fn serve(&mut self, listener: TcpListener) {
        let (document, asked) = (Arc::clone(&self.document), Arc::clone(&self.asked));
        let keys = get(async move || {
            asked.fetch_add(1, Ordering::SeqCst);
            // A connection that is kept would outlive the issuer.
            ([("connection", "close")], document.lock().unwrap().clone())
        });
        let router = Router::new().route("/keys", keys);
        self.serving = Some(tokio::spawn(async move {
            axum::serve(listener, router).await.unwrap();
        }));
    }
}
