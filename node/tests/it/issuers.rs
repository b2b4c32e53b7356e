//! Keys that issuers publish: several issuers, rotation, and an issuer that is away.

use std::time::Duration;

use jsonwebtoken::Algorithm::{ES256, EdDSA, RS256};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::harness::cluster::{Cluster, Plan};
use crate::harness::dial::Dial;
use crate::harness::issuer::{Issuer, Key};
use crate::harness::journal::Standing;
use crate::harness::token::{in_seconds, sign};
use crate::harness::{SOON, until};

/// What a node says to a token.
#[derive(Debug, PartialEq)]
enum Verdict {
    In,
    Refused,
    /// Come again: the transport was closed, as for everything that passes.
    Later,
}

async fn verdict(dial: Dial, token: &str) -> Verdict {
    let client = dial.open().await;
    client.send_connect(&json!({ "token": token })).await;
    let is_answered =
        |it: &crate::harness::journal::Journal| it.ended || it.standing != Standing::Connecting;
    client.wait("CONNECT is answered, or the transport ends", SOON, is_answered).await;
    match client.look(|it| it.standing.clone()) {
        Standing::Connected => Verdict::In,
        Standing::Refused(_) => Verdict::Refused,
        Standing::Connecting | Standing::Disconnected => Verdict::Later,
    }
}

/// What a client hears that comes again until it is told.
async fn in_the_end(dial: &Dial, token: &str) -> Verdict {
    let mut last = Verdict::Later;
    until("a token is judged", SOON, async || {
        last = verdict(dial.clone(), token).await;
        if last == Verdict::Later {
            sleep(Duration::from_millis(500)).await; // as the official client does
        }
        last != Verdict::Later
    })
    .await;
    last
}

fn claims(issuer: &str) -> Value {
    json!({ "iss": issuer, "sub": "alice", "aud": "chat", "exp": in_seconds(600) })
}

/// A cluster that believes tokens of these issuers, as lines of its configuration file.
async fn believing(nodes: usize, issuers: &str) -> (Cluster, TempDir) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("parlance.toml");
    std::fs::write(&file, issuers).unwrap();
    let plan = Plan::nodes(nodes).with("PARLANCE_CONFIG", file.to_str().unwrap());
    (plan.start().await, folder)
}

#[tokio::test]
async fn each_issuers_tokens_are_judged_by_its_own_keys_and_rules() {
    let (rsa, ec, ed) = (Key::new("r", RS256), Key::new("e", ES256), Key::new("d", EdDSA));
    let one = Issuer::start(&[rsa, ec]).await;
    let two = Issuer::start(&[Key::new("r", RS256), ed]).await;
    let (cluster, _folder) = believing(
        1,
        &format!(
            "[[auth.issuers]]\nissuer = 'one'\njwks_url = '{}'\naudience = 'chat'\n\
         algorithms = ['RS256']\n\
         [[auth.issuers]]\nissuer = 'two'\njwks_url = '{}'\nclaims = {{ user = 'person.id' }}\n",
            one.url(),
            two.url(),
        ),
    )
    .await;
    let dial = cluster.dial(0);
    let with = |mut claims: Value, name: &str, value: Value| {
        claims[name] = value;
        claims
    };
    let person = with(claims("two"), "person", json!({ "id": "bob" }));
    for (what, token, expected) in [
        ("one's own", rsa.sign(&claims("one")), Verdict::In),
        ("two's own", ed.sign(&person), Verdict::In),
        ("two's own, the other key", rsa.sign(&person), Verdict::In),
        ("a user where two keeps none", ed.sign(&claims("two")), Verdict::Refused),
        ("another audience", rsa.sign(&with(claims("one"), "aud", json!("x"))), Verdict::Refused),
        ("an algorithm that one may not use", ec.sign(&claims("one")), Verdict::Refused),
        ("a key that only two has", ed.sign(&claims("one")), Verdict::Refused),
        (
            "a key that nobody has",
            Key::new("../../r", RS256).sign(&claims("one")),
            Verdict::Refused,
        ),
        ("an unknown issuer's", rsa.sign(&claims("three")), Verdict::Refused),
        ("nobody's in particular", sign(&claims("three")), Verdict::In),
        ("the shared secret in one's name", sign(&claims("one")), Verdict::Refused),
    ] {
        assert_eq!(in_the_end(&dial, &token).await, expected, "{what}");
    }
    let mut bob = dial.auth(json!({ "token": ed.sign(&person) })).connect().await;
    assert_eq!(bob.expect("connected").await["userId"], "bob");
}

#[tokio::test]
async fn a_new_key_is_found_under_load_and_the_issuer_is_asked_seldom() {
    let (old, new) = (Key::new("old", RS256), Key::new("new", ES256));
    let issuer = Issuer::start(&[old]).await;
    let plan = Plan::nodes(2).with("PARLANCE_AUTH__JWKS_URL", &issuer.url());
    let cluster = plan.start().await;
    let (old_token, new_token) = (old.sign(&claims("x")), new.sign(&claims("x")));
    let began = Instant::now();
    let mut staying = Vec::new();
    for node in [0, 1] {
        assert_eq!(in_the_end(&cluster.dial(node), &old_token).await, Verdict::In);
        staying.push(cluster.dial(node).auth(json!({ "token": old_token })).connect().await);
    }
    // Strangers name keys of their own all the time.
    let strangers = async {
        for n in 0..100 {
            let strange = Key::new(["a", "b", "c", "d"][n % 4], RS256).sign(&claims("x"));
            assert_ne!(verdict(cluster.dial(n % 2), &strange).await, Verdict::In);
        }
    };
    let rotation = async {
        issuer.publish(&[new]);
        // In band nobody has to come again.
        for client in &mut staying {
            client.ok("authenticate", json!({ "token": new_token })).await;
        }
        for node in [0, 1] {
            assert_eq!(in_the_end(&cluster.dial(node), &new_token).await, Verdict::In);
            assert_eq!(in_the_end(&cluster.dial(node).polling(), &new_token).await, Verdict::In);
            assert_eq!(in_the_end(&cluster.dial(node), &old_token).await, Verdict::Refused);
        }
    };
    tokio::join!(strangers, rotation);
    assert!(staying.iter().all(|it| it.is_open()));
    let most = 2 * (2 + usize::try_from(began.elapsed().as_secs()).unwrap() / 2);
    assert!(issuer.asked() <= most, "asked {} times, expected {most}", issuer.asked());
}

#[tokio::test]
async fn while_an_issuer_is_away_its_known_keys_serve() {
    let (known, new) = (Key::new("known", EdDSA), Key::new("new", ES256));
    let mut issuer = Issuer::start(&[known]).await;
    let plan = Plan::nodes(2).with("PARLANCE_AUTH__JWKS_URL", &issuer.url());
    let mut cluster = plan.start().await;
    let (token, new_token) = (known.sign(&claims("x")), new.sign(&claims("x")));
    for node in [0, 1] {
        assert_eq!(in_the_end(&cluster.dial(node), &token).await, Verdict::In);
    }
    issuer.go_away().await;
    issuer.publish(&[known, new]);
    let mut client = cluster.dial(0).auth(json!({ "token": token })).connect().await;
    for n in 0..50 {
        assert_eq!(verdict(cluster.dial(n % 2), &token).await, Verdict::In);
        // Nobody can tell yet, so nobody is sent away for good.
        let dial = cluster.dial(n % 2);
        let dial = if n % 4 < 2 { dial } else { dial.polling() };
        assert_eq!(verdict(dial, &new_token).await, Verdict::Later);
    }
    let error = client.refused("authenticate", json!({ "token": new_token })).await;
    assert_eq!(error["code"], "SERVER_ERROR");
    // A node that has never heard of the issuer's keys.
    cluster.signal(1, Signal::KILL);
    cluster.exited(1, SOON).await;
    cluster.restart(1).await;
    assert_eq!(verdict(cluster.dial(1), &token).await, Verdict::Later);

    issuer.come_back().await;
    for node in [0, 1] {
        for token in [&token, &new_token] {
            assert_eq!(in_the_end(&cluster.dial(node), token).await, Verdict::In);
        }
    }
}
