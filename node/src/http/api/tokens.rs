//! Tokens that are taken back before they end.

use http::{Method, StatusCode};

use crate::domain::revoked::Revoked;
use crate::http::api::config::Scope;
use crate::http::api::operation::{Call, Operation};
use crate::http::api::problem::Problem;

pub(super) fn operations() -> Vec<Operation> {
    const FULL: &[StatusCode] = &[StatusCode::INSUFFICIENT_STORAGE];
    vec![
        Operation::new(
            (Method::DELETE, "/v1/tokens/{token}"),
            ("revokeToken", "Takes back the token with this id (`jti`); its connections end"),
            Scope::Users,
            revoke,
        )
        .refuses(FULL),
        Operation::new(
            (Method::DELETE, "/v1/users/{user}/tokens"),
            (
                "revokeUserTokens",
                "Takes back all tokens of a user issued until now; their connections end",
            ),
            Scope::Users,
            revoke_all,
        )
        .refuses(FULL),
    ]
}

async fn revoke(call: Call<(), ()>) -> Result<(), Problem> {
    Ok(call.parts.chat.revoke(Revoked::Token(call.token()?)).await?)
}

async fn revoke_all(call: Call<(), ()>) -> Result<(), Problem> {
    Ok(call.parts.chat.revoke(Revoked::User(call.user()?)).await?)
}
