use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use super::*;

/// Files over a folder, and what is in it.
struct Kept {
    folder: TempDir,
    blobs: Blobs,
}

impl Kept {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let links = (&Secret::new("s".to_owned()), PublicUrl::local(3000));
        let blobs =
            Blobs::open(&Config::default(), folder.path(), links, Lifecycle::default()).unwrap();
        Self { folder, blobs }
    }

    /// The names in the folder, once everything that was begun has ended.
    async fn names(&self) -> Vec<String> {
        self.blobs.lifecycle.finished().await;
        let entries = std::fs::read_dir(self.folder.path().join("files")).unwrap();
        let mut names: Vec<String> =
            entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Makes every write fail: where the folder was is a file.
    fn break_folder(&self) {
        let folder = self.folder.path().join("files");
        std::fs::remove_dir_all(&folder).unwrap();
        std::fs::write(&folder, "in the way").unwrap();
    }
}

fn text(name: &str) -> Upload {
    let data = STANDARD.encode("hello");
    Upload { name: name.to_owned(), media_type: "text/plain".to_owned(), data }
}

async fn bytes(blob: &Blob, range: Option<Range<u64>>) -> Vec<u8> {
    let pieces: Vec<_> = blob.read(range).await.unwrap().collect().await;
    pieces.into_iter().flat_map(|it| it.unwrap().to_vec()).collect()
}

#[tokio::test]
async fn what_a_message_keeps_stays_and_can_be_read() {
    use std::os::unix::fs::PermissionsExt;

    let kept = Kept::new();
    let stored = kept.blobs.store(vec![text("a.txt"), text("a.txt")]).await.unwrap();
    let attachments = stored.attachments().to_vec();
    stored.keep();
    let mut expected: Vec<String> = attachments.iter().map(|it| it.id.to_string()).collect();
    expected.sort();
    assert_eq!(kept.names().await, expected, "random names, and no other files");
    let blob = kept.blobs.find(attachments[1].id).await.unwrap().unwrap();
    assert_eq!((blob.size(), bytes(&blob, None).await), (5, b"hello".to_vec()));
    assert_eq!(bytes(&blob, Some(1..3)).await, b"el");
    assert!(kept.blobs.find(BlobId::random()).await.unwrap().is_none());
    let mode = std::fs::metadata(kept.folder.path().join("files")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn what_no_message_keeps_is_removed() {
    let kept = Kept::new();
    drop(kept.blobs.store(vec![text("a.txt"), text("b.txt")]).await.unwrap());
    assert_eq!(kept.names().await, [""; 0]);
}

#[tokio::test]
async fn one_bad_file_refuses_all_and_leaves_nothing() {
    let kept = Kept::new();
    for bad in [
        text("../../x"),
        text("a%00.txt"),
        text("a.png"),
        Upload { data: "*".to_owned(), ..text("a.txt") },
        Upload { data: STANDARD.encode("<svg onload=x>"), ..text("a.txt") },
        Upload { data: STANDARD.encode(vec![b'a'; 10_485_761]), ..text("a.txt") },
    ] {
        let refusal = kept.blobs.store(vec![text("good.txt"), bad]).await.unwrap_err();
        assert_eq!(refusal.code(), "INVALID_DATA");
    }
    let refusal = kept.blobs.store(vec![text("a.txt"); 1000]).await.unwrap_err();
    assert_eq!(refusal.code(), "INVALID_DATA");
    assert_eq!(kept.names().await, [""; 0]);
}

#[tokio::test]
async fn a_client_that_leaves_leaves_nothing_behind() {
    let kept = Kept::new();
    {
        let upload = kept.blobs.store(vec![text("a.txt"), text("b.txt")]);
        let mut upload = std::pin::pin!(upload);
        assert!(futures_util::poll!(&mut upload).is_pending()); // begun, and nobody waits for it
    }
    assert_eq!(kept.names().await, [""; 0]);
    assert_eq!(kept.blobs.in_flight.available_permits(), IN_FLIGHT_BYTES_MAX);
}

#[tokio::test]
async fn a_node_with_its_hands_full_is_busy() {
    let kept = Kept::new();
    let room = u32::try_from(IN_FLIGHT_BYTES_MAX - 7).unwrap();
    let taken = Arc::clone(&kept.blobs.in_flight).try_acquire_many_owned(room).unwrap();
    let refusal = kept.blobs.store(vec![text("a.txt")]).await.unwrap_err(); // 8 bytes of base64
    assert_eq!(refusal, Refusal::Busy { retry_after: BUSY_RETRY_AFTER });
    drop(taken);
    kept.blobs.store(vec![text("a.txt")]).await.unwrap().keep();
}

#[tokio::test]
async fn a_store_that_fails_refuses_the_message() {
    let kept = Kept::new();
    kept.break_folder();
    let refusal = kept.blobs.store(vec![text("a.txt")]).await.unwrap_err();
    assert_eq!(refusal, Refusal::Unavailable(Outcome::Refused));
    assert!(kept.blobs.find(BlobId::random()).await.is_err());
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_refuses_files_only() {
    let links = (&Secret::new("s".to_owned()), PublicUrl::local(3000));
    let nowhere = Path::new("/proc/nowhere");
    let blobs = Blobs::open(&Config::default(), nowhere, links, Lifecycle::default()).unwrap();
    let refusal = blobs.store(vec![text("a.txt")]).await.unwrap_err();
    assert_eq!(refusal, Refusal::Unavailable(Outcome::Refused));
}

#[tokio::test]
async fn uploads_are_counted_by_what_came_of_them() {
    let kept = Kept::new();
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let _counted = ::metrics::set_default_local_recorder(&recorder);
    kept.blobs.store(vec![text("a.txt")]).await.unwrap().keep();
    drop(kept.blobs.store(vec![text("../x")]).await);
    let told = recorder.handle().render();
    for line in ["{result=\"stored\"} 1", "{result=\"INVALID_DATA\"} 1"] {
        assert!(told.contains(&format!("parlance_uploads_total{line}")), "{told}");
    }
}

#[test]
fn a_full_disk_is_found_below_other_causes() {
    let full = |kind: io::ErrorKind| object_store::Error::Generic {
        store: "x",
        source: Box::new(object_store::Error::Generic {
            store: "y",
            source: Box::new(io::Error::from(kind)),
        }),
    };
    assert_eq!(put_failed(&full(io::ErrorKind::StorageFull)), Refusal::StorageFull);
    assert_eq!(put_failed(&full(io::ErrorKind::QuotaExceeded)), Refusal::StorageFull);
    let denied = Refusal::Unavailable(Outcome::Refused);
    assert_eq!(put_failed(&full(io::ErrorKind::PermissionDenied)), denied);
}
