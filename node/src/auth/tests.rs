//! What is let in and what is not, with real keys.

mod life;

use std::path::PathBuf;
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;
use crate::auth::config::ClaimPaths;
use crate::auth::mint::{NewToken, mint};
use crate::domain::id::{RoomId, UserId};
use crate::domain::role::Role;
use crate::secret::Secret;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const NOW_S: u64 = NOW.0 / 1000;
const SECRET: &str = "a secret for tests, long enough for HS256";

const RSA: &[u8] = include_bytes!("../../tests/keys/rsa.pem");
const EC: &[u8] = include_bytes!("../../tests/keys/ec.pem");
const ED: &[u8] = include_bytes!("../../tests/keys/ed.pem");

fn with_secret() -> Config {
    Config { jwt_secret: Some(Secret::new(SECRET.to_owned())), ..Config::default() }
}

fn key_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/keys").join(name)
}

fn with_key(name: &str) -> Config {
    Config { public_key_file: Some(key_file(name)), ..Config::default() }
}

fn claims() -> Value {
    json!({ "sub": "alice", "exp": NOW_S + 60 })
}

fn signed_with(header: &Header, key: &EncodingKey, claims: &Value) -> Token {
    Token::new(encode(header, claims, key).unwrap())
}

fn signed(claims: &Value) -> Token {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    signed_with(&Header::new(Algorithm::HS256), &key, claims)
}

fn signed_by(algorithm: Algorithm) -> Token {
    let key = if algorithm == Algorithm::ES256 {
        EncodingKey::from_ec_pem(EC)
    } else if algorithm == Algorithm::EdDSA {
        EncodingKey::from_ed_pem(ED)
    } else {
        EncodingKey::from_rsa_pem(RSA)
    };
    signed_with(&Header::new(algorithm), &key.unwrap(), &claims())
}

fn verify(config: &Config, token: &Token) -> Result<Identity, AuthFailure> {
    Authenticator::new(config, &Lifecycle::default()).unwrap().verify(token, NOW)
}

/// The claims of alice's good token, with some changed; null removes one.
fn outcome_of(config: &Config, changes: &Value) -> Result<Identity, AuthFailure> {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    verify(config, &signed(&claims))
}

fn check(config: &Config, changes: &Value, expected: Option<AuthFailure>) {
    let outcome = outcome_of(config, changes);
    assert_eq!(outcome.err(), expected, "{changes}");
}

fn base64(text: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits: Vec<u8> = text.bytes().flat_map(|b| (0..8).rev().map(move |i| b >> i & 1)).collect();
    bits.chunks(6)
        .map(|six| (0..6).fold(0, |n, i| n << 1 | usize::from(*six.get(i).unwrap_or(&0))))
        .map(|n| char::from(ALPHABET[n]))
        .collect()
}

#[test]
fn each_key_takes_tokens_of_its_own_algorithm_and_no_other() {
    use Algorithm::{ES256, EdDSA, PS256, RS256};
    for (file, own) in [("rsa.pub.pem", RS256), ("ec.pub.pem", ES256), ("ed.pub.pem", EdDSA)] {
        for algorithm in [RS256, PS256, ES256, EdDSA] {
            let outcome = verify(&with_key(file), &signed_by(algorithm));
            let expected = if algorithm == own { None } else { Some(AuthFailure::Invalid) };
            assert_eq!(outcome.err(), expected, "{algorithm:?} against {file}");
        }
        let outcome = verify(&with_key(file), &signed(&claims()));
        assert_eq!(outcome.err(), Some(AuthFailure::Invalid), "HS256 against {file}");
    }
}

#[test]
fn a_secret_and_a_public_key_each_take_their_own_tokens() {
    let both = Config { public_key_file: Some(key_file("rsa.pub.pem")), ..with_secret() };
    assert!(verify(&both, &signed(&claims())).is_ok());
    assert!(verify(&both, &signed_by(Algorithm::RS256)).is_ok());
    assert!(verify(&both, &signed_by(Algorithm::ES256)).is_err());
}

#[test]
fn the_public_key_is_no_secret_to_sign_with() {
    let pem = std::fs::read(key_file("rsa.pub.pem")).unwrap();
    let key = EncodingKey::from_secret(&pem);
    let token = signed_with(&Header::new(Algorithm::HS256), &key, &claims());
    let both = Config { public_key_file: Some(key_file("rsa.pub.pem")), ..with_secret() };
    for config in [with_key("rsa.pub.pem"), both] {
        assert_eq!(verify(&config, &token).err(), Some(AuthFailure::Invalid));
    }
}

#[test]
fn what_the_header_says_about_itself_is_not_believed() {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let foreign = EncodingKey::from_secret(b"the attacker's own secret");
    let jwk = json!({ "kty": "oct", "k": base64("the attacker's own secret") });
    let mut header = Header::new(Algorithm::HS256);
    header.jwk = Some(serde_json::from_value(jwk).unwrap());
    header.jku = Some("https://evil.example/keys".to_owned());
    header.kid = Some("../../../../dev/null".to_owned());
    assert!(verify(&with_secret(), &signed_with(&header, &foreign, &claims())).is_err());
    // The same header over a right signature is harmless.
    assert!(verify(&with_secret(), &signed_with(&header, &key, &claims())).is_ok());

    header.crit = Some(vec!["b64".to_owned()]);
    assert!(verify(&with_secret(), &signed_with(&header, &key, &claims())).is_err());
    let longer = Header::new(Algorithm::HS512);
    assert!(verify(&with_secret(), &signed_with(&longer, &key, &claims())).is_err());
}

#[test]
fn what_is_no_signed_token_is_refused() {
    let good = signed(&claims()).expose().to_owned();
    let (message, signature) = good.rsplit_once('.').unwrap();
    let none = |alg: &str| {
        let header = base64(&json!({ "alg": alg, "typ": "JWT" }).to_string());
        format!("{header}.{}.", base64(&claims().to_string()))
    };
    let header = base64(r#"{"alg":"HS256"}"#);
    for text in [
        String::new(),
        "null".to_owned(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        none("none"),
        none("None"),
        none("HS256"),
        format!("{message}."),
        message.to_owned(),
        format!("{good}.{signature}"),
        format!("{header}.{}.{signature}", base64("[]")),
        format!(" {good}"),
        format!("{good}{}", "x".repeat(20_000)),
        good.to_uppercase(),
    ] {
        let outcome = verify(&with_secret(), &Token::new(text.clone()));
        assert_eq!(outcome.err(), Some(AuthFailure::Invalid), "{text}");
    }
}

#[test]
fn issuer_and_audience_count_only_where_they_are_configured() {
    let refused = Some(AuthFailure::Claims);
    let foreign = json!({ "iss": "https://other.example", "aud": "other" });
    check(&with_secret(), &foreign, None);

    let config = Config { issuer: Some("https://id.example".to_owned()), ..with_secret() };
    check(&config, &json!({ "iss": "https://id.example" }), None);
    for iss in [json!("https://id.example/"), json!(["https://id.example"]), json!(1), json!(null)]
    {
        check(&config, &json!({ "iss": iss }), refused);
    }

    let config = Config { audience: Some("chat".to_owned()), ..with_secret() };
    for aud in [json!("chat"), json!(["other", "chat"])] {
        check(&config, &json!({ "aud": aud }), None);
    }
    for aud in [json!("other"), json!(["other"]), json!([]), json!({ "chat": 1 }), json!(null)] {
        check(&config, &json!({ "aud": aud }), refused);
    }
}

#[test]
fn the_user_is_named_by_sub_else_user_id_else_id() {
    for (changes, expected) in [
        (json!({}), Some("alice")),
        (json!({ "sub": null, "userId": "bob", "id": "carol" }), Some("bob")),
        (json!({ "sub": null, "id": 42 }), Some("42")),
        (json!({ "sub": 9_007_199_254_740_993_u64 }), Some("9007199254740993")),
        (json!({ "sub": "auth0|5f" }), Some("auth0|5f")),
        (json!({ "sub": null }), None),
        (json!({ "sub": "" , "id": "bob" }), None),
        (json!({ "sub": 1.5 }), None),
        (json!({ "sub": true }), None),
        (json!({ "sub": "a}{b" }), None),
        (json!({ "sub": "\r\nFLUSHALL" }), None),
        (json!({ "sub": "x".repeat(129) }), None),
    ] {
        let outcome = outcome_of(&with_secret(), &changes);
        match expected {
            Some(id) => assert_eq!(outcome.unwrap().actor.id().as_str(), id, "{changes}"),
            None => assert_eq!(outcome.err(), Some(AuthFailure::Claims), "{changes}"),
        }
    }
}

#[test]
fn names_fit_one_line_and_fall_back_to_the_id() {
    for (changes, expected) in [
        (json!({}), "alice"),
        (json!({ "name": "Alice L" }), "Alice L"),
        (json!({ "username": "al" }), "al"),
        (json!({ "given_name": "Al", "family_name": "van L" }), "Al van L"),
        (json!({ "userName": "al" }), "al"),
        (json!({ "name": " \u{1b}[31mA\r\nB " }), "[31mAB"),
        (json!({ "name": " \n " }), "alice"),
        (json!({ "name": "é".repeat(101) }), &"é".repeat(100)),
    ] {
        let identity = outcome_of(&with_secret(), &changes).unwrap();
        assert_eq!(identity.actor.participant.name, expected, "{changes}");
        assert_eq!(identity.actor.is_named, expected != "alice", "{changes}");
    }
    // A name that reads like the id is a name all the same.
    let same = outcome_of(&with_secret(), &json!({ "name": "alice" })).unwrap();
    assert!(same.actor.is_named);
}

#[test]
fn a_claim_of_the_wrong_type_refuses_the_token() {
    for changes in [
        json!({ "name": 1 }),
        json!({ "role": ["admin"] }),
        json!({ "rooms": "conv-1" }),
        json!({ "rooms": [true] }),
        json!({ "departments": { "0": "sales" } }),
    ] {
        check(&with_secret(), &changes, Some(AuthFailure::Claims));
    }
}

#[test]
fn role_departments_and_rooms_come_from_the_token() {
    let actor = outcome_of(
        &with_secret(),
        &json!({ "role": "agent", "departments": ["sales", 7], "rooms": ["conv-1", "team-*", "a b"] }),
    )
    .unwrap()
    .actor;
    assert_eq!(actor.participant.role, Role::Agent);
    assert_eq!(actor.departments, ["sales", "7"]);
    let granted = |room: &str| actor.is_granted(&RoomId::parse(room).unwrap());
    assert!(granted("conv-1") && granted("team-9"));
    assert!(!granted("conv-2") && !granted("conv-10"));

    let unknown = outcome_of(&with_secret(), &json!({ "role": "authenticated" })).unwrap();
    assert_eq!(unknown.actor.participant.role, Role::User);
}

#[test]
fn other_issuers_keep_claims_elsewhere() {
    let claims = ClaimPaths {
        user: Some("identity.uid".to_owned()),
        role: Some("app_metadata.role".to_owned()),
        rooms: Some("https://chat.example/rooms".to_owned()),
        ..ClaimPaths::default()
    };
    let config = Config { claims, ..with_secret() };
    let token = json!({
        "sub": "not-this",
        "identity": { "uid": "u-7" },
        "role": "admin",
        "app_metadata": { "role": "volunteer" },
        "https://chat.example/rooms": ["r1"],
    });
    let actor = outcome_of(&config, &token).unwrap().actor;
    assert_eq!(actor.id().as_str(), "u-7");
    assert_eq!(actor.participant.role, Role::Volunteer);
    assert!(actor.is_granted(&RoomId::parse("r1").unwrap()));
    check(&config, &json!({ "identity": "u-7" }), Some(AuthFailure::Claims));
}

#[test]
fn the_first_token_that_is_there_decides_and_none_may_contradict_it() {
    let authenticator = Authenticator::new(&with_secret(), &Lifecycle::default()).unwrap();
    let token = |user: &str| Some(signed(&json!({ "sub": user, "exp": NOW_S + 60 })));
    let old = Some(signed(&json!({ "sub": "bob", "exp": 1 })));
    let outcome = |connect: &Option<Token>, header: &Option<Token>, cookie: &Option<Token>| {
        let credentials = Credentials {
            connect: connect.clone(),
            header: header.clone(),
            cookie: cookie.clone(),
        };
        let identity = authenticator.authenticate(&credentials, NOW);
        identity.map(|it| it.map(|it| it.actor.id().to_string()))
    };
    let (alice, bob) = (token("alice"), token("bob"));
    let named = |user: &str| Ok(Some(user.to_owned()));
    assert_eq!(outcome(&None, &None, &None), Ok(None));
    assert_eq!(outcome(&alice, &None, &None), named("alice"));
    assert_eq!(outcome(&None, &None, &bob), named("bob"));
    assert_eq!(outcome(&alice, &alice, &token("alice")), named("alice"));
    assert_eq!(outcome(&alice, &None, &old), named("alice"));
    assert_eq!(outcome(&old, &None, &alice), Err(AuthFailure::Expired));
    assert_eq!(outcome(&Some(Token::new(String::new())), &alice, &None), Err(AuthFailure::Invalid));
    assert_eq!(outcome(&alice, &None, &bob), Err(AuthFailure::Claims));
    assert_eq!(outcome(&None, &bob, &alice), Err(AuthFailure::Claims));
}

#[test]
fn keys_of_no_use_are_named_with_their_cure() {
    let empty = Config { jwt_secret: Some(Secret::new(String::new())), ..Config::default() };
    for (config, setting, text) in [
        (Config::default(), "auth.jwt_secret", "set auth.jwt_secret"),
        (empty, "auth.jwt_secret", "is empty"),
        (with_key("none.pem"), "auth.public_key_file", "cannot read"),
        (with_key("rsa.pem"), "auth.public_key_file", "no public key"),
        (with_key("ec384.pub.pem"), "auth.public_key_file", "P-256"),
    ] {
        let problem = Authenticator::check(&config).unwrap_err();
        assert_eq!(problem.setting(), setting);
        assert!(problem.to_string().contains(text), "{problem}");
    }
}

#[test]
fn a_minted_token_is_taken_by_the_node_that_it_was_made_for() {
    let claims = ClaimPaths {
        user: Some("a".to_owned()),
        role: Some("a.b".to_owned()),
        rooms: Some("x.y.z".to_owned()),
        name: Some("x.name".to_owned()),
        ..ClaimPaths::default()
    };
    let config = Config {
        issuer: Some("me".to_owned()),
        audience: Some("chat".to_owned()),
        claims,
        ..with_secret()
    };
    let wanted = NewToken {
        user: UserId::parse("alice").unwrap(),
        name: Some("Alice".to_owned()),
        role: Role::Agent,
        rooms: vec!["conv-*".to_owned()],
        departments: vec!["sales".to_owned()],
        ttl: Duration::from_secs(3600),
    };
    let identity = verify(&config, &Token::new(mint(&config, &wanted, NOW).unwrap())).unwrap();
    assert_eq!(identity.expires_at, Timestamp(NOW.0 + 3_600_000));
    assert_eq!(identity.actor.participant.name, "Alice");
    assert_eq!(identity.actor.participant.role, Role::Agent);
    assert_eq!(identity.actor.departments, ["sales"]);
    assert!(identity.actor.is_granted(&RoomId::parse("conv-1").unwrap()));

    let error = mint(&with_key("rsa.pub.pem"), &wanted, NOW).unwrap_err();
    assert!(error.to_string().contains("auth.jwt_secret"));
}
