//! Precedence, mistakes and starts, without touching the environment of the test process.

mod example;

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::auth::Authenticator;
use crate::domain::room::RoomPolicy;
use crate::gateway::origin::AllowedOrigins;

const SECRET: (&str, &str) = ("JWT_SECRET", "a secret for tests");

/// A folder to start in, and what is given there.
struct Start {
    folder: TempDir,
    sources: Sources,
}

impl Start {
    fn new(environment: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let owned = |it: &(&str, &str)| (it.0.to_owned(), it.1.to_owned());
        let sources = Sources {
            environment: environment.iter().map(owned).collect(),
            folder: folder.path().to_owned(),
            ..Sources::default()
        };
        Self { folder, sources }
    }

    fn with_file(mut self, name: &str, text: &str) -> Self {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        if name.ends_with(".toml") {
            self.sources.file = Some(path);
        }
        self
    }

    fn with_argument(mut self, argument: &str) -> Self {
        self.sources.arguments.push(argument.to_owned());
        self
    }

    fn config(&self) -> Config {
        load(&self.sources).unwrap_or_else(|mistakes| panic!("mistakes:\n{mistakes}"))
    }

    /// The mistakes, one a line, without the folder's name.
    fn mistakes(&self) -> Vec<String> {
        let Err(mistakes) = load(&self.sources) else { return Vec::new() };
        let folder = format!("{}/", self.folder.path().display());
        mistakes.to_string().replace(&folder, "").lines().map(str::to_owned).collect()
    }
}

#[test]
fn later_sources_win() {
    let port = |start: &Start| start.config().listen.port();
    let mut start = Start::new(&[SECRET]);
    assert_eq!(port(&start), 3000);
    start = start.with_file("parlance.toml", "listen = '0.0.0.0:1'");
    assert_eq!(port(&start), 1);
    start = start.with_file(".env", "PORT=2");
    assert_eq!(port(&start), 2);
    start = start.with_file(".env.local", "PORT=3");
    assert_eq!(port(&start), 3);
    let mut set = |name: &str, value: &str| {
        start.sources.environment.insert(name.to_owned(), value.to_owned());
        port(&start)
    };
    assert_eq!(set("PORT", "4"), 4);
    assert_eq!(set("PARLANCE_LISTEN", "0.0.0.0:5"), 5);
    assert_eq!(set("PARLANCE_LISTEN", ""), 4);
    assert_eq!(set("PARLANCE_LISTEN", "0.0.0.0:5"), 5);
    start = start.with_argument("listen=0.0.0.0:6");
    assert_eq!(port(&start), 6);
}

#[test]
fn names_of_other_servers_are_read() {
    let config = Start::new(&[
        ("PORT", "3001"),
        ("REDIS_URL", "redis://cache:6379"),
        ("JWT_ACCESS_SECRET_KEY", "weaker"),
        ("JWT_SECRET", "12345"),
        ("FRONTEND_URL", "http://localhost:3001"),
        ("CLIENT_URL", "https://app.example"),
        ("SOCKET_CORS_ORIGINS", "https://a.example, https://b.example"),
        ("SOCKET_HEARTBEAT_INTERVAL", "1000"),
        ("SOCKET_HEARTBEAT_TIMEOUT", "2000"),
        ("LOG_LEVEL", "error"),
    ])
    .config();
    let listed = "http://localhost:3001,https://app.example,https://a.example,https://b.example";
    let origins: AllowedOrigins = AllowedOrigins::parse([listed]).unwrap();
    assert_eq!(config.listen.to_string(), "0.0.0.0:3001");
    assert_eq!(config.redis.url.unwrap().expose(), "redis://cache:6379");
    assert_eq!(config.auth.jwt_secret.unwrap().expose(), "12345");
    assert_eq!(config.cors.origins, origins);
    assert_eq!(
        (config.heartbeat.interval_ms.get(), config.heartbeat.timeout_ms.get()),
        (1000, 2000)
    );
    assert_eq!(config.log.level.to_string(), "error");

    let debug = [("LOG_LEVEL", "error"), ("SOCKET_DEBUG", "true")];
    assert_eq!(Start::new(&debug).config().log.level.to_string(), "debug");
}

#[test]
fn every_kind_of_setting_can_come_from_the_environment() {
    let config = Start::new(&[
        SECRET,
        ("PARLANCE_TRUSTED_PROXIES", "10.0.0.0/8, 127.0.0.1/32"),
        ("PARLANCE_AUTH__COOKIES", "session"),
        ("PARLANCE_AUTH__CLAIMS__ROLE", "app_metadata.role"),
        ("PARLANCE_ROOMS__POLICY", "open"),
        ("PARLANCE_LIMITS__MESSAGES_PER_MINUTE", "0"),
        ("PARLANCE_HISTORY__DAYS", "7"),
        ("PARLANCE_DIALECTS__DEFAULT", "conversation"),
        ("PARLANCE_DIALECTS__DIR", "/"),
        ("PARLANCE_LOG__FORMAT", "json"),
    ])
    .config();
    assert_eq!(config.trusted_proxies.len(), 2);
    assert_eq!(config.auth.cookies, ["session"]);
    assert_eq!(config.auth.claims.role.as_deref(), Some("app_metadata.role"));
    assert_eq!(config.rooms.policy, RoomPolicy::Open);
    assert_eq!(config.limits.messages_per_minute, Some(0));
    assert_eq!(config.limits.events_per_second, None);
    assert_eq!((config.history.days, config.redis.history.days), (7, 7));
    assert_eq!(config.dialects.usual, "conversation");
    assert!(config.dialects.dir.is_some());
}

#[test]
fn all_mistakes_are_told_at_once_with_their_place_and_cure() {
    let start = Start::new(&[
        ("PORT", "web"),
        ("PARLANCE_REDIS_URL", "redis://cache"),
        ("PARLANCE_LIMITS__MESSAGE_BYTES", "1mb"),
        ("PARLANCE_TRUSTED_PROXIES", "10.0.0.0/8,proxy"),
        ("NODE_ENV", "production"),
        ("LOG_LEVEL", "verbose"),
    ])
    .with_file(
        "parlance.toml",
        "
        colour = 'red'
        heartbeat = 3
        [rooms]
        policy = 'closed'
        [limits]
        message_byte = 1
        events_per_second = -1
        [history]
        days = 0
        [drain]
        seconds = 1
        [redis]
        prefix = 'a{b}'
        url = 'http://:hunter2@cache'
        ",
    )
    .with_argument("auth.jwt_secert=x")
    .with_argument("dialects.default=klingon")
    .with_argument("oops");
    insta::assert_snapshot!(start.mistakes().join("\n"), @r"
    oops (argument --set): write name=value
    auth.jwt_secert (argument --set): is no setting: did you mean auth.jwt_secret?
    colour (parlance.toml): is no setting: see config/parlance.example.toml for all there are
    heartbeat (parlance.toml): has to be a section with settings of its own
    limits.events_per_second (parlance.toml): has to be a whole number, not negative and not too large
    limits.message_byte (parlance.toml): is no setting: did you mean limits.message_bytes?
    limits.message_bytes (environment variable PARLANCE_LIMITS__MESSAGE_BYTES): has to be a whole number, at least 1
    listen (environment variable PORT): has to be address:port, like 0.0.0.0:3000
    log.level (environment variable LOG_LEVEL): `verbose` is no level: write off, error, warn, info, debug or trace, and for one module more `module=level`, with commas between
    redis_url (environment variable PARLANCE_REDIS_URL): is no setting: did you mean redis.url?
    rooms.policy (parlance.toml): has to be one of members, open
    trusted_proxies (environment variable PARLANCE_TRUSTED_PROXIES): has to be networks, like 10.0.0.0/8
    redis.prefix (parlance.toml): has to be 1 to 64 letters, digits and - _ .
    redis.url (parlance.toml): has to begin with redis://, redis-sentinel:// or unix://
    history.days (parlance.toml): has to be 1 to 36500
    auth.jwt_secret: tokens cannot be checked without a key: set auth.jwt_secret (environment: PARLANCE_AUTH__JWT_SECRET or JWT_SECRET), auth.public_key_file, auth.jwks_url or auth.issuers
    drain.notice_seconds: is part of drain.seconds, so at most 1
    dialects.default (argument --set): see `parlance dialects list` for all on a namespace
    ");
}

#[test]
fn no_value_is_repeated_in_a_mistake() {
    let file = "
        [auth]
        jwt_secret = 8675309
        public_key_file = 8675309
        [redis]
        url = ['redis://:8675309@cache']
        prefix = 8675309
        [log]
        format = '8675309'
        ";
    let mistakes = Start::new(&[]).with_file("parlance.toml", file).mistakes();
    assert!(5 <= mistakes.len(), "{mistakes:?}");
    assert!(!mistakes.concat().contains("8675309"), "{mistakes:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_the_only_mistake() {
    let start = Start::new(&[("PORT", "web")]).with_file("parlance.toml", "listen = [");
    let mistakes = start.mistakes();
    assert!(mistakes[0].starts_with("parlance.toml: is no TOML: "), "{mistakes:?}");

    let start = Start::new(&[("PARLANCE_CONFIG", "/nowhere/parlance.toml")]);
    let mistakes = start.mistakes();
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].starts_with("/nowhere/parlance.toml: cannot be read: "), "{mistakes:?}");
}

#[test]
fn secrets_may_be_in_files() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("secret");
    fs::write(&path, "from a file\n").unwrap();
    let path = path.to_str().unwrap();
    for name in ["JWT_SECRET_FILE", "PARLANCE_AUTH__JWT_SECRET_FILE"] {
        let config = Start::new(&[(name, path)]).config();
        assert_eq!(config.auth.jwt_secret.unwrap().expose(), "from a file", "{name}");
    }
    let twice = Start::new(&[SECRET, ("JWT_SECRET_FILE", path)]).mistakes();
    assert_eq!(
        twice,
        ["JWT_SECRET_FILE (environment variable JWT_SECRET_FILE): JWT_SECRET is set too: keep \
          one of the two"]
    );
    let lost = Start::new(&[("REDIS_URL_FILE", "/nowhere"), SECRET]).mistakes();
    assert_eq!(lost.len(), 1);
    assert!(lost[0].contains("cannot read /nowhere"), "{lost:?}");
}

#[test]
fn files_take_the_usual_variables_of_their_store() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("key");
    fs::write(&path, "8675309\n").unwrap();
    let start = Start::new(&[
        SECRET,
        ("PARLANCE_BLOBS__URL", "s3://files"),
        ("PARLANCE_PUBLIC_URL", "https://chat.example/"),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY_FILE", path.to_str().unwrap()),
    ])
    .with_file(".env", "AWS_REGION=eu-central-1");
    let config = start.config();
    assert_eq!(config.public_url.as_ref().unwrap().as_str(), "https://chat.example");
    let aws = |name: &str| config.blobs.aws[name].expose().as_str();
    assert_eq!((aws("AWS_REGION"), aws("AWS_SECRET_ACCESS_KEY")), ("eu-central-1", "8675309"));
    assert!(!format!("{config:?}").contains("8675309"));
    assert_eq!(config.link_secret().unwrap().expose(), SECRET.1);

    let wrong =
        [SECRET, ("PARLANCE_BLOBS__URL", "s3:files"), ("PARLANCE_PUBLIC_URL", "chat.example")];
    insta::assert_snapshot!(Start::new(&wrong).mistakes().join("\n"), @r"
    blobs.url (environment variable PARLANCE_BLOBS__URL): has to be file:///an/absolute/folder or s3://bucket, perhaps with /a/prefix
    public_url (environment variable PARLANCE_PUBLIC_URL): has to be http:// or https:// with a host, perhaps a port and a path, and nothing behind
    ");
}

#[test]
fn a_public_key_alone_signs_no_links() {
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/ed.pub.pem");
    let key = ("PARLANCE_AUTH__PUBLIC_KEY_FILE", key);
    let mistakes = Start::new(&[key]).mistakes();
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    assert!(mistakes[0].starts_with("blobs.secret: "), "{mistakes:?}");
    let secret = ("PARLANCE_BLOBS__SECRET", "for links");
    assert_eq!(Start::new(&[key, secret]).config().link_secret().unwrap().expose(), "for links");
    let empty = Start::new(&[key]).with_argument("blobs.secret=").mistakes();
    assert!(empty[0].contains("is empty"), "{empty:?}");
}

#[test]
fn env_files_of_other_programs_are_understood() {
    let text = "
        # a comment = nothing
        export JWT_SECRET = 'single # quoted'   # and a comment
        PRIVATE_KEY=\"-----BEGIN KEY-----
LOG_LEVEL=trace
-----END KEY-----\"
        REDIS_URL=redis://cache:6379 # the cache
        LOG_LEVEL=
        no assignment
        PORT=\"3001\"";
    let config = Start::new(&[]).with_file(".env", text).config();
    assert_eq!(config.auth.jwt_secret.unwrap().expose(), "single # quoted");
    assert_eq!(config.redis.url.unwrap().expose(), "redis://cache:6379");
    assert_eq!(config.log.level.to_string(), "info");
    assert_eq!(config.listen.port(), 3001);
}

#[test]
fn a_node_that_was_told_nothing_serves_its_own_machine() {
    let is_laptop = |environment: &[(&str, &str)]| {
        load(&Start::new(environment).sources).is_ok_and(|it| it.is_laptop)
    };
    assert!(is_laptop(&[]));
    assert!(is_laptop(&[("PORT", "3001"), ("LOG_LEVEL", "debug"), ("NODE_ENV", "development")]));
    for told in [
        ("NODE_ENV", "production"),
        ("REDIS_URL", "redis://cache"),
        ("JWT_SECRET", "x"),
        ("PARLANCE_AUTH__ISSUER", "me"),
    ] {
        assert!(!is_laptop(&[told]), "{told:?}");
    }
    let config = Start::new(&[]).config();
    assert_eq!(config.rooms.policy, RoomPolicy::Open);
    assert_eq!(config.cors.origins, AllowedOrigins::parse(["null,http://localhost:*"]).unwrap());
    assert_eq!(Start::new(&[SECRET]).config().rooms.policy, RoomPolicy::Members);

    let told = [("CLIENT_URL", "https://a.example"), ("PARLANCE_ROOMS__POLICY", "members")];
    let config = Start::new(&told).config();
    assert!(config.is_laptop);
    assert_eq!(config.cors.origins, AllowedOrigins::parse(["https://a.example"]).unwrap());
    assert_eq!(config.rooms.policy, RoomPolicy::Members);
}

#[test]
fn production_without_a_key_is_a_mistake() {
    let mistakes = Start::new(&[("NODE_ENV", "production")]).mistakes();
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].starts_with("auth.jwt_secret: "), "{mistakes:?}");
    assert!(mistakes[0].contains("JWT_SECRET"), "{mistakes:?}");
}

#[test]
fn a_laptop_keeps_its_secret_to_itself() {
    use std::os::unix::fs::PermissionsExt;

    let start = Start::new(&[]);
    let prepared = || {
        let mut config = start.config();
        config.data_dir = start.folder.path().join("data");
        laptop::prepare(&mut config).unwrap();
        config
    };
    let (first, second) = (prepared(), prepared());
    Authenticator::check(&first.auth).unwrap();
    let secret = |config: &Config| config.auth.jwt_secret.clone().unwrap().expose().clone();
    assert_eq!(secret(&first), secret(&second));
    assert_eq!(secret(&first).len(), 64);
    let files: Vec<_> = fs::read_dir(&first.data_dir).unwrap().map(|it| it.unwrap()).collect();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&first.data_dir).unwrap().permissions().mode() & 0o777, 0o700);

    let mut production = Start::new(&[SECRET]).config();
    laptop::prepare(&mut production).unwrap();
    assert_eq!(secret(&production), SECRET.1);
}
