//! What is written down of a request: who asked for what, whom it concerned, what came of it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::ConnectInfo;
use http::header::{ORIGIN, USER_AGENT};
use http::request::Parts as Head;

use crate::domain::id::{RoomId, UserId};
use crate::telemetry::audit::{self, Audit, Caller, Record, What};

/// A record that lacks only its outcome.
#[derive(Debug)]
pub(super) struct Unfinished {
    audit: Audit,
    record: Record,
}

impl Unfinished {
    /// Of a request for `operation` whose path has these names.
    pub(super) fn of<'p>(
        audit: &Audit,
        operation: &str,
        head: &Head,
        path: impl Iterator<Item = (&'p str, &'p str)>,
    ) -> Self {
        let mut record = Record { caller: caller(head), ..Record::of(What::Api, "ok") };
        let mut asked = operation.to_owned();
        for (name, value) in path {
            match name {
                "room" => record.room = RoomId::parse(value).ok(),
                "user" => record.user = UserId::parse(value).ok(),
                _ => asked.extend([" ", value]),
            }
        }
        record.asked = audit::text(&asked);
        Self { audit: audit.clone(), record }
    }

    /// The key's name is known.
    pub(super) fn by(&mut self, key: &Arc<str>) {
        self.record.key = Some(Arc::clone(key));
    }

    /// Writes it down.
    pub(super) fn tell(self, outcome: &str) {
        self.audit.tell(Record { outcome: outcome.to_owned().into(), ..self.record });
    }
}

fn caller(head: &Head) -> Option<Arc<Caller>> {
    let ConnectInfo(peer) = head.extensions.get::<ConnectInfo<IpAddr>>()?;
    let said = |name| head.headers.get(name).and_then(|it| it.to_str().ok()).and_then(audit::text);
    let (agent, origin) = (said(USER_AGENT), said(ORIGIN));
    Some(Arc::new(Caller { address: peer.to_canonical(), agent, origin }))
}
