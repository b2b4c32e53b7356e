//! From when until when a token counts.

use serde_json::json;

use crate::auth::AuthFailure;
use crate::auth::config::Config;
use crate::auth::tests::{NOW, NOW_S, check, outcome_of, with_secret};
use crate::domain::id::TokenId;
use crate::domain::time::Timestamp;

#[test]
fn a_token_lives_from_nbf_to_exp_give_or_take_the_leeway() {
    use AuthFailure::{Claims, Expired, Invalid};
    for (exp, expected) in [
        (json!(NOW_S + 1), None),
        (json!(NOW_S - 29), None),
        (json!(NOW_S - 30), Some(Expired)),
        (json!(0), Some(Expired)),
        (json!(1_700_000_060.5), None),
        (json!(253_402_300_799_u64), None),
        (json!(253_402_300_800_u64), Some(Claims)),
        (json!(1_u64 << 63), Some(Claims)),
        (json!(u64::MAX), Some(Claims)),
        (json!(1e300), Some(Claims)),
        (json!(-1), Some(Claims)),
        (json!("1700000060"), Some(Claims)),
        (json!(true), Some(Claims)),
        (json!([1_700_000_060]), Some(Invalid)), // the library cannot even read it
        (json!(null), Some(Claims)),
    ] {
        check(&with_secret(), &json!({ "exp": exp }), expected);
    }
    for (nbf, expected) in [
        (json!(NOW_S), None),
        (json!(NOW_S + 30), None),
        (json!(NOW_S + 31), Some(Expired)),
        (json!("1"), Some(Claims)),
        (json!(1_u64 << 63), Some(Claims)),
        (json!(null), None),
    ] {
        check(&with_secret(), &json!({ "nbf": nbf }), expected);
    }
}

#[test]
fn the_identity_ends_with_the_token() {
    let identity = outcome_of(&with_secret(), &json!({ "exp": 1_700_000_060.25 })).unwrap();
    assert_eq!(identity.expires_at, Timestamp(1_700_000_060_250));
}

#[test]
fn a_token_tells_its_id_and_when_it_was_issued() {
    for (changes, token, issued_at) in [
        (json!({}), None, None),
        (json!({ "jti": "t-1", "iat": NOW_S - 5 }), Some("t-1"), Some(NOW.0 - 5_000)),
        (json!({ "jti": 7, "nbf": NOW_S - 9 }), Some("7"), Some(NOW.0 - 9_000)),
        (json!({ "iat": NOW_S - 1, "nbf": NOW_S - 9 }), None, Some(NOW.0 - 1_000)),
        (json!({ "jti": "no id {}" }), None, None),
        (json!({ "jti": "x".repeat(257) }), None, None),
    ] {
        let identity = outcome_of(&with_secret(), &changes).unwrap();
        let token = token.map(|it| TokenId::parse(it).unwrap());
        assert_eq!((identity.token, identity.issued_at.map(|it| it.0)), (token, issued_at));
    }
    for changes in [json!({ "jti": ["t"] }), json!({ "iat": "1" }), json!({ "iat": 1_u64 << 63 })] {
        check(&with_secret(), &changes, Some(AuthFailure::Claims));
    }
}

#[test]
fn a_token_that_lives_longer_than_revocations_are_remembered_is_refused() {
    const DAY: u64 = 86_400;
    let config = Config { token_days_max: 2, ..with_secret() };
    let refused = Some(AuthFailure::Claims);
    check(&config, &json!({ "exp": NOW_S + 2 * DAY }), None);
    check(&config, &json!({ "exp": NOW_S + 2 * DAY + 1 }), refused);
    check(&config, &json!({ "iat": NOW_S - DAY, "exp": NOW_S + DAY }), None);
    check(&config, &json!({ "iat": NOW_S - DAY, "exp": NOW_S + DAY + 1 }), refused);
    check(&with_secret(), &json!({ "iat": 0, "exp": NOW_S + 9_000 * DAY }), None);
}
