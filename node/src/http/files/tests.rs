use axum::Router;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use http_body_util::BodyExt;
use proptest::prelude::*;
use tempfile::TempDir;
use tower::ServiceExt;

use super::*;
use crate::blobs::config::{Config, Place, PublicUrl};
use crate::domain::attachment::{Attachment, Upload};
use crate::domain::time::Timestamp;
use crate::lifecycle::Lifecycle;
use crate::secret::Secret;

/// A text of 26 bytes: the letters.
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz";

/// The route over a folder.
struct Served {
    folder: TempDir,
    blobs: Blobs,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: HeaderName) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }
}

impl Served {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let url = Some(Place::Folder(folder.path().to_owned()));
        let links = (&Secret::new("s".to_owned()), PublicUrl::local(3000));
        let config = Config { url, ..Config::default() };
        let blobs = Blobs::open(&config, folder.path(), links, Lifecycle::default()).unwrap();
        Self { folder, blobs }
    }

    /// A kept file with the letters in it.
    async fn keep(&self, name: &str) -> Attachment {
        let upload = Upload {
            name: name.to_owned(),
            media_type: String::new(),
            data: STANDARD.encode(LETTERS),
        };
        let stored = self.blobs.store(vec![upload]).await.unwrap();
        let attachment = stored.attachments()[0].clone();
        stored.keep();
        attachment
    }

    fn link(&self, attachment: &Attachment) -> String {
        let url = self.blobs.url(attachment, clock::now());
        url.strip_prefix("http://localhost:3000").unwrap().to_owned()
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(HeaderName, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let router: Router =
            Router::new().route("/files/{id}/{name}", get(file).with_state(self.blobs.clone()));
        let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[]).await
    }
}

#[tokio::test]
async fn a_file_is_a_download_and_nothing_else() {
    let served = Served::new();
    let attachment = served.keep("Grüße \"x\"; 100%.csv").await;
    let link = served.link(&attachment);
    let answer = served.get(&link).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, LETTERS));
    for (name, value) in [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (
            CONTENT_DISPOSITION,
            "attachment; filename=\"Gr__e _x_; 100_.csv\"; \
             filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%22x%22%3B%20100%25.csv",
        ),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        (CONTENT_LENGTH, "26"),
        (ACCEPT_RANGES, "bytes"),
        (ETAG, &format!("\"{}\"", attachment.id)),
    ] {
        assert_eq!(answer.header(name.clone()), value, "{name}");
    }
    let cache = answer.header(CACHE_CONTROL);
    assert!(cache.starts_with("private, max-age=86") && cache.ends_with(", immutable"), "{cache}");

    let head = served.ask(Method::HEAD, &link, &[]).await;
    assert_eq!((head.status, head.body.as_str(), head.header(CONTENT_LENGTH)), (200, "", "26"));
    assert_eq!(served.ask(Method::POST, &link, &[]).await.status, 405);
}

#[tokio::test]
async fn without_a_valid_link_nobody_learns_what_there_is() {
    let served = Served::new();
    let (here, gone) = (served.keep("here.txt").await, served.keep("gone.txt").await);
    std::fs::remove_file(served.folder.path().join(gone.id.to_string())).unwrap();
    let (link, dead_link) = (served.link(&here), served.link(&gone));
    assert_eq!(served.get(&link).await.status, 200);
    assert_eq!(served.get(&dead_link).await.status, 404);

    let day_and_a_bit = 86_401_000;
    let expired = served.blobs.url(&here, Timestamp(clock::now().0 - day_and_a_bit));
    let expired = expired.strip_prefix("http://localhost:3000").unwrap();
    let bare = link.split_once('?').unwrap().0;
    let swapped = link.replace(&here.id.to_string(), &gone.id.to_string());
    let of_gone = |link: &str| link.replace(&here.id.to_string(), &gone.id.to_string());
    let refused = [
        expired.to_owned(),
        bare.to_owned(),
        swapped,
        link.replace("here", "there"),
        link.replace("expires=", "expires=1"),
        format!("{link}A"),
        format!("{bare}?expires=x&signature=y"),
        format!("{link}&expires=1"),
        link.replace("here.txt", "%ff.txt"),
        "/files/..%2f..%2fetc/passwd?expires=9999999999&signature=AAAA".to_owned(),
    ];
    let mut answers = Vec::new();
    for path in refused.iter().cloned().chain(refused.iter().map(|it| of_gone(it))) {
        let answer = served.get(&path).await;
        assert_eq!(answer.header(X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(answer.status, 403, "{path}");
        answers.push((answer.headers, answer.body));
    }
    assert!(answers.windows(2).all(|it| it[0] == it[1]), "answers differ: {answers:?}");
}

#[tokio::test]
async fn a_store_that_is_away_is_not_remembered() {
    let served = Served::new();
    let link = served.link(&served.keep("a.txt").await);
    std::fs::remove_dir_all(served.folder.path()).unwrap();
    std::fs::write(served.folder.path(), "in the way").unwrap();
    let answer = served.get(&link).await;
    assert_eq!((answer.status, answer.header(CACHE_CONTROL)), (503, "no-store"));
    std::fs::remove_file(served.folder.path()).unwrap();
}

#[tokio::test]
async fn a_part_can_be_asked_for() {
    let served = Served::new();
    let attachment = served.keep("a.txt").await;
    let link = served.link(&attachment);
    let etag = format!("\"{}\"", attachment.id);
    for (range, status, content_range, body) in [
        ("bytes=0-0", 206, "bytes 0-0/26", "a"),
        ("bytes=2-4", 206, "bytes 2-4/26", "cde"),
        ("bytes=24-", 206, "bytes 24-25/26", "yz"),
        ("bytes=20-999", 206, "bytes 20-25/26", "uvwxyz"),
        ("bytes=-3", 206, "bytes 23-25/26", "xyz"),
        ("bytes=-99", 206, "bytes 0-25/26", LETTERS),
        ("bytes=0-99999999999999999999999", 206, "bytes 0-25/26", LETTERS),
        ("bytes=26-", 416, "bytes */26", ""),
        ("bytes=99999999999999999999999-", 416, "bytes */26", ""),
        ("bytes=-0", 416, "bytes */26", ""),
        ("bytes=4-2", 200, "", LETTERS),
        ("bytes=0-1,3-4", 200, "", LETTERS),
        ("bytes=-", 200, "", LETTERS),
        ("bytes=+1-2", 200, "", LETTERS),
        ("lines=1-2", 200, "", LETTERS),
    ] {
        let answer = served.ask(Method::GET, &link, &[(RANGE, range)]).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body), "{range}");
        assert_eq!(answer.header(CONTENT_RANGE), content_range, "{range}");
        if status == 416 {
            assert_eq!(answer.header(CACHE_CONTROL), "no-store", "{range}");
        } else {
            assert_eq!(answer.header(CONTENT_LENGTH), body.len().to_string(), "{range}");
        }
    }
    let head = served.ask(Method::HEAD, &link, &[(RANGE, "bytes=2-4")]).await;
    assert_eq!((head.status, head.header(CONTENT_LENGTH), head.body.as_str()), (206, "3", ""));
    for (condition, status) in [(etag.as_str(), 206), ("\"other\"", 200), ("W/\"x\"", 200)] {
        let headers = [(RANGE, "bytes=0-0"), (IF_RANGE, condition)];
        assert_eq!(served.ask(Method::GET, &link, &headers).await.status, status, "{condition}");
    }
    let twice = [(RANGE, "bytes=0-0"), (RANGE, "bytes=1-1")];
    assert_eq!(served.ask(Method::GET, &link, &twice).await.status, 200);
}

proptest! {
    #[test]
    fn a_part_is_never_empty_and_within_its_file(range in "bytes=[0-9]{0,4}-[0-9]{0,4}", size in 1_u64..2000) {
        match part(&range, size) {
            Some(Wanted::Part(part)) => prop_assert!(part.start < part.end && part.end <= size),
            Some(Wanted::Nothing | Wanted::Whole) | None => (),
        }
    }

    #[test]
    fn any_name_makes_a_header(name in "\\PC{0,200}", range: String) {
        prop_assert!(http::HeaderValue::try_from(disposition(&name)).is_ok());
        part(&range, 10);
    }
}
