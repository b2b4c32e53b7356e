//! Audit records that are kept for applications to read.

use std::sync::LazyLock;

use serde_bytes::ByteBuf;
use tokio::sync::mpsc;
use tracing::warn;

use crate::store::script::{DENY_OOM, Failure, Input, NO_WRITES, Script};
use crate::store::shard::{PATIENCE, Shard};
use crate::store::{Store, StoreError};
use crate::telemetry::audit::{self, Config, Kept, Place, Record};

/// Records in one call: what comes in while one is under way goes with the next.
const BATCH_MAX: usize = 256;

/// Records in one answer at most.
pub(crate) const AUDIT_PAGE_MAX: u32 = 1000;

const DAY_MS: u64 = 86_400_000;

static AUDIT: LazyLock<Script> =
    LazyLock::new(|| Script::new("audit", &[DENY_OOM, include_str!("../../lua/audit.lua")]));
static AUDITED: LazyLock<Script> =
    LazyLock::new(|| Script::new("audited", &[NO_WRITES, include_str!("../../lua/audited.lua")]));

impl Store {
    /// Keeps records until nobody makes any. What Redis does not take within three seconds is
    /// dropped and counted; a record whose fate is unknown may be there twice.
    pub async fn keep_audit(self, config: Config, mut records: mpsc::Receiver<Record>) {
        if config.records == 0 {
            return;
        }
        let mut batch = Vec::new();
        let mut is_failing = false;
        while 0 < records.recv_many(&mut batch, BATCH_MAX).await {
            let kept = self.shard.keep_audit(config, &batch).await;
            if let Err(error) = &kept {
                audit::dropped(batch.len());
                if !is_failing {
                    warn!(?error, "audit records are not kept; they are in the log only");
                }
            }
            is_failing = kept.is_err();
            batch.clear();
        }
    }

    /// Kept audit records, newest first, those before `before` if it is given; at most
    /// a thousand.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn audit(&self, before: Option<Place>, limit: u32) -> Result<Vec<Kept>, StoreError> {
        self.shard.audit(before, limit).await
    }
}

impl Shard {
    async fn keep_audit(&self, config: Config, records: &[Record]) -> Result<(), Failure> {
        let mut input = Input::default();
        input.key(self.keys.audit());
        input.number(config.records.into());
        input.number(u64::from(config.days) * DAY_MS);
        for record in records {
            // A record of texts and enums has no form that JSON lacks.
            input.text(&serde_json::to_string(record).unwrap_or_default());
        }
        let _kept: u64 = AUDIT.call(&self.client, &input, PATIENCE).await?;
        Ok(())
    }

    async fn audit(&self, before: Option<Place>, limit: u32) -> Result<Vec<Kept>, StoreError> {
        let mut input = Input::default();
        input.key(self.keys.audit());
        input.text(&before.map_or_else(|| "+".to_owned(), |it| format!("({it}")));
        input.number(limit.clamp(1, AUDIT_PAGE_MAX).into());
        let found: Vec<ByteBuf> = AUDITED.call(&self.client, &input, PATIENCE).await?;
        let text = |bytes: &ByteBuf| String::from_utf8(bytes.to_vec()).ok();
        let read = |pair: &[ByteBuf]| match pair {
            [place, record] => {
                Some(Kept { place: text(place)?.parse().ok()?, record: text(record)? })
            }
            _ => None,
        };
        let unreadable = || StoreError::refused("an audit record cannot be read".to_owned());
        found.chunks(2).map(|pair| read(pair).ok_or_else(unreadable)).collect()
    }
}

#[cfg(test)]
mod tests {
    use fred::interfaces::KeysInterface;

    use super::*;
    use crate::domain::id::UserId;
    use crate::store::test_redis::TestRedis;
    use crate::telemetry::audit::What;

    fn record(user: &str) -> Record {
        let user = Some(UserId::parse(user).unwrap());
        Record { user, ..Record::of(What::Connect, "connected") }
    }

    fn users(page: &[Kept]) -> Vec<String> {
        let user = |it: &Kept| {
            let json: serde_json::Value = serde_json::from_str(&it.record).unwrap();
            json["user"].as_str().unwrap().to_owned()
        };
        page.iter().map(user).collect()
    }

    #[tokio::test]
    async fn records_are_read_newest_first_and_page_by_page() {
        let redis = TestRedis::start().await;
        let node = redis.node("p", 0, 1).await;
        assert_eq!(node.audit(None, 10).await.unwrap(), []);
        let config = Config { records: 1000, days: 1 };
        let all: Vec<Record> = (0..5).map(|n| record(&format!("u{n}"))).collect();
        node.keep_audit(config, &all[..3]).await.unwrap();
        node.keep_audit(config, &all[3..]).await.unwrap();
        let first = node.audit(None, 3).await.unwrap();
        assert_eq!(users(&first), ["u4", "u3", "u2"]);
        let rest = node.audit(Some(first[2].place), 3).await.unwrap();
        assert_eq!(users(&rest), ["u1", "u0"]);
        let left: i64 = redis.client.pttl(node.keys.audit()).await.unwrap();
        assert!((1..=86_400_000).contains(&left), "{left}");
    }

    #[tokio::test]
    async fn no_more_records_are_kept_than_configured_about() {
        let redis = TestRedis::start().await;
        let node = redis.node("p", 0, 1).await;
        let config = Config { records: 100, days: 1 };
        for n in 0..20 {
            let batch: Vec<Record> = (0..50).map(|i| record(&format!("u{n}-{i}"))).collect();
            node.keep_audit(config, &batch).await.unwrap();
        }
        let kept = node.audit(None, AUDIT_PAGE_MAX).await.unwrap().len();
        // Redis lets go of whole blocks, a hundred records each.
        assert!((100..300).contains(&kept), "{kept}");
    }
}
