//! The shape of the source: which module may use which, how long a file may be, what it is called.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::path::{Path, PathBuf};

/// One idea and its tests: what does not fit is two.
const FILE_LINES_MAX: usize = 600;

/// Drawers: whatever lies in one belongs somewhere else.
const NAMES_BANNED: [&str; 8] =
    ["common", "helper", "helpers", "inner", "manager", "misc", "util", "utils"];

/// The program on top of the library; it may use everything.
const PROGRAM: [&str; 2] = ["main", "commands"];

#[test]
fn modules_use_only_lower_layers() {
    let layers = layers();
    let rank = |module: &str| {
        let rank = layers.iter().position(|layer| layer.iter().any(|it| it == module));
        rank.unwrap_or_else(|| panic!("`{module}` is missing in the layer table of src/lib.rs"))
    };
    let mut violations = Vec::new();
    for path in source_files(Path::new("src")) {
        let user = top_module(&path);
        if user == "lib" || PROGRAM.contains(&user.as_str()) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for used in modules_used(&text) {
            if used != user && rank(&user) <= rank(&used) {
                violations.push(format!("{}: `{user}` uses `{used}`", path.display()));
            }
        }
    }
    assert!(violations.is_empty(), "layers are broken:\n{}", violations.join("\n"));
}

#[test]
fn files_are_short() {
    for path in source_files(Path::new("src")).into_iter().chain(source_files(Path::new("tests"))) {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= FILE_LINES_MAX, "{} has {lines} lines", path.display());
    }
}

#[test]
fn files_are_named_for_what_they_hold() {
    for path in source_files(Path::new("src")).into_iter().chain(source_files(Path::new("tests"))) {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(!NAMES_BANNED.contains(&name), "{} needs a name", path.display());
    }
}

#[test]
fn uses_are_seen_however_they_are_written() {
    let text = "
        use crate::auth::Identity;
        // use crate::nothing::at_all;
        use crate::{hub::{self, outbox::Outbox}, store, chat::Chat};
        fn f() -> crate::clock::Now { crate::secret::Secret::new(1) }
    ";
    assert_eq!(modules_used(text), ["auth", "hub", "store", "chat", "clock", "secret"]);
}

/// The table in the crate's own documentation, lowest layer first: it is the rule.
fn layers() -> Vec<Vec<String>> {
    let text = fs::read_to_string("src/lib.rs").unwrap();
    let rows =
        text.lines().filter_map(|it| it.strip_prefix("//! | ")).filter(|it| it.contains('`'));
    // Between backticks stand the names; every second piece is one.
    rows.map(|row| row.split('`').skip(1).step_by(2).map(str::to_owned).collect()).collect()
}

fn source_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(source_files(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
    files
}

/// `src/hub/cursor.rs` and `src/hub.rs` are both part of `hub`.
fn top_module(path: &Path) -> String {
    let first = path.strip_prefix("src").unwrap().components().next().unwrap();
    Path::new(first.as_os_str()).file_stem().unwrap().to_str().unwrap().to_owned()
}

/// Every `x` of `crate::x` and of `crate::{x, y::z}`, comments aside.
fn modules_used(text: &str) -> Vec<String> {
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let code: Vec<&str> = text.lines().filter(is_code).collect();
    let code = code.join("\n");
    let mut used = Vec::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(group) => used.extend(group_members(group)),
            None => used.push(leading_name(rest)),
        }
    }
    used
}

fn leading_name(text: &str) -> String {
    text.trim_start().chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect()
}

/// The first names in a group whose opening brace has been read.
fn group_members(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut members) = (1, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && c == ',') {
            members.push(leading_name(&group[start..at]));
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    members.retain(|it| !it.is_empty());
    members
}
