//! The program as its operator meets it: exit codes and what it says.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::thread;

use tempfile::TempDir;

/// Runs the program in an empty folder with these variables only.
fn run(folder: &TempDir, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_parlance"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .current_dir(folder.path())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_wrong_configuration_ends_with_64_and_every_mistake() {
    let folder = TempDir::new().unwrap();
    let environment = [("PORT", "web"), ("NODE_ENV", "production")];
    for command in [&["check"][..], &["serve"], &[]] {
        let output = run(&folder, &environment, command);
        assert_eq!(output.status.code(), Some(64), "{command:?}");
        let mistakes = text(&output.stderr);
        assert!(mistakes.contains("listen (environment variable PORT)"), "{mistakes}");
        assert!(mistakes.contains("auth.jwt_secret: "), "{mistakes}");
        assert_eq!(text(&output.stdout), "");
    }
}

#[test]
fn a_sound_configuration_is_called_so_and_nothing_is_left_behind() {
    let folder = TempDir::new().unwrap();
    for environment in [&[][..], &[("JWT_SECRET", "x"), ("PORT", "1")]] {
        let output = run(&folder, environment, &["check"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[test]
fn wrong_arguments_end_with_64_and_help_with_0() {
    let folder = TempDir::new().unwrap();
    for arguments in [
        &["dance"][..],
        &["token"],
        &["token", "--sub", "a}{b"],
        &["token", "--sub", "alice", "--role", "king"],
        &["token", "--sub", "alice", "--ttl", "forever"],
        &["dialects", "show", "klingon"],
        &["--set", "listen", "check"],
        &["check", "--config", "nowhere.toml"],
    ] {
        let output = run(&folder, &[], arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["token", "--help"], &["--version"]] {
        let output = run(&folder, &[], arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_token_is_three_parts_on_one_line_and_needs_a_secret() {
    let folder = TempDir::new().unwrap();
    let arguments = ["token", "--sub", "alice", "--rooms", "conv-*,team-1", "--ttl", "15m"];
    for environment in [&[][..], &[("JWT_SECRET", "x")]] {
        let output = run(&folder, environment, &arguments);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let token = text(&output.stdout);
        assert_eq!(token.trim_end().split('.').count(), 3, "{token}");
    }
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/ed.pub.pem");
    let issuer = [("PARLANCE_AUTH__PUBLIC_KEY_FILE", key), ("PARLANCE_BLOBS__SECRET", "x")];
    let output = run(&folder, &issuer, &arguments);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("auth.jwt_secret"));
}

#[test]
fn a_word_is_not_taken_beside_a_key_nor_in_production() {
    let folder = TempDir::new().unwrap();
    let trust = [("PARLANCE_AUTH__MODE", "trust"), ("PARLANCE_BLOBS__SECRET", "x")];
    assert_eq!(run(&folder, &trust, &["check"]).status.code(), Some(0));
    for beside in [("JWT_SECRET", "x"), ("NODE_ENV", "production")] {
        let output = run(&folder, &[&trust[..], &[beside]].concat(), &["check"]);
        assert_eq!(output.status.code(), Some(64), "{beside:?}");
        assert!(text(&output.stderr).starts_with("auth.mode "), "{}", text(&output.stderr));
    }
}

#[test]
fn dialects_can_be_listed_shown_and_checked() {
    let folder = TempDir::new().unwrap();
    let done = |arguments: &[&str]| {
        let output = run(&folder, &[], arguments);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    assert!(done(&["dialects", "list"]).contains("conversation on /\n"));
    let sixth = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/dialects/classroom.toml");
    done(&["dialects", "check", sixth]);
    let shown = done(&["dialects", "show", "conversation"]);
    let file = folder.path().join("conversation.toml");
    std::fs::write(&file, &shown).unwrap();
    done(&["dialects", "check", file.to_str().unwrap()]);

    std::fs::write(&file, shown + "\n[[client]]\nevent = 3\n").unwrap();
    let output = run(&folder, &[], &["dialects", "check", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("conversation.toml:"), "{}", text(&output.stderr));
}

/// Answers one request with this status line.
fn answering(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        let length = stream.read(&mut request).unwrap();
        assert!(request[..length].starts_with(b"GET /readyz HTTP/1.1\r\n"));
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    address
}

#[test]
fn a_health_check_says_whether_the_node_is_ready() {
    let folder = TempDir::new().unwrap();
    let check = |address: &str| {
        run(&folder, &[("PARLANCE_INTERNAL_LISTEN", address)], &["healthcheck"]).status.code()
    };
    assert_eq!(check(&answering("200 OK")), Some(0));
    assert_eq!(check(&answering("404 Not Found")), Some(1));
    assert_eq!(check(&answering("503 Service Unavailable")), Some(1));
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    assert_eq!(check(&free), Some(1));
}
