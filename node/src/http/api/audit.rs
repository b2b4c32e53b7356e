//! The audit: who connected, was kept out, limited or put out, and what the application changed.

use http::Method;
use serde_json::Value;

use crate::domain::time::Timestamp;
use crate::http::api::config::Scope;
use crate::http::api::operation::{Call, Operation};
use crate::http::api::problem::Problem;
use crate::http::api::rooms::limit;
use crate::http::api::shape::shapes;
use crate::telemetry::audit::{Kept, Place};

pub(super) fn operations() -> Vec<Operation> {
    vec![Operation::new(
        (Method::GET, "/v1/audit"),
        ("listAudit", "Reads audit records, newest first"),
        Scope::Audit,
        list,
    )]
}

shapes! {
    /// Which records are wanted.
    input AuditWanted {
        /// Where to go on, as an earlier page told.
        cursor: Option<String>,
        limit: Option<u64>,
    }
}

shapes! {
    /// A page of records, newest first.
    answer AuditPage {
        records: Vec<AuditRecord>,
        /// Where older ones are; null behind the last page.
        next_cursor: Option<String>,
    }
}

shapes! {
    /// What happened once.
    answer AuditRecord {
        id: String,
        at: String,
        /// `connect`, `authenticate`, `access`, `limit`, `disconnect` or `api`.
        what: String,
        /// What came of it: a code.
        outcome: String,
        /// Of the client, or of the application.
        address: Option<String>,
        /// What program it said it was.
        agent: Option<String>,
        /// The page that it said it came from.
        origin: Option<String>,
        /// Who did it; of an application's request, whom it concerned.
        user: Option<String>,
        room: Option<String>,
        /// A client's event, or an operation of this API and what else its path named.
        asked: Option<String>,
        /// The name of the application's key.
        key: Option<String>,
    }
}

impl AuditRecord {
    /// `None`: another release keeps records in another way.
    fn of(kept: &Kept) -> Option<Self> {
        let record: Value = serde_json::from_str(&kept.record).ok()?;
        let said = |name: &str| record[name].as_str().map(str::to_owned);
        Some(Self {
            id: kept.place.to_string(),
            at: Timestamp(kept.place.at).to_string(),
            what: said("what")?,
            outcome: said("outcome")?,
            address: said("address"),
            agent: said("agent"),
            origin: said("origin"),
            user: said("user"),
            room: said("room"),
            asked: said("asked"),
            key: said("key"),
        })
    }
}

async fn list(call: Call<AuditWanted, ()>) -> Result<AuditPage, Problem> {
    let before = call.query.cursor.as_deref().map(str::parse::<Place>).transpose();
    let before = before.map_err(|it| Problem::invalid(format!("cursor {it}")))?;
    let limit = limit(call.query.limit)?;
    let kept = call.parts.chat.audit(before, limit).await?;
    let is_full = limit as usize <= kept.len();
    let next = kept.last().filter(|_| is_full).map(|it| it.place.to_string());
    Ok(AuditPage { records: kept.iter().filter_map(AuditRecord::of).collect(), next_cursor: next })
}
