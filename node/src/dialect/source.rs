//! Where dialect files come from: the binary itself, and a folder of the operator's.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::dialect::check::{Fault, Faults};

/// A dialect file, read.
#[derive(Debug, Clone)]
pub struct Source {
    /// The dialect's name: the file's without its ending.
    pub name: String,
    /// The file as faults name it.
    pub file: Arc<str>,
    /// What it holds.
    pub text: String,
}

/// The files that ship inside the binary.
const BUILTIN: [(&str, &str, &str); 5] = [
    (
        "conversation",
        "dialects/conversation.toml",
        include_str!("../../dialects/conversation.toml"),
    ),
    ("case", "dialects/case.toml", include_str!("../../dialects/case.toml")),
    ("flow", "dialects/flow.toml", include_str!("../../dialects/flow.toml")),
    ("desk", "dialects/desk.toml", include_str!("../../dialects/desk.toml")),
    ("ticket", "dialects/ticket.toml", include_str!("../../dialects/ticket.toml")),
];

impl Source {
    /// The files of the binary and those of a folder; a file there whose name is that of a dialect
    /// of the binary replaces it.
    ///
    /// # Errors
    /// The folder or a file in it cannot be read.
    pub fn all(folder: Option<&Path>) -> Result<Vec<Self>, Faults> {
        let mut sources = Self::builtin();
        for source in folder.map(Self::read_folder).transpose()?.unwrap_or_default() {
            sources.retain(|it| it.name != source.name);
            sources.push(source);
        }
        Ok(sources)
    }

    pub(super) fn builtin() -> Vec<Self> {
        let source = |&(name, file, text): &(&str, &str, &str)| Self {
            name: name.to_owned(),
            file: Arc::from(file),
            text: text.to_owned(),
        };
        BUILTIN.iter().map(source).collect()
    }

    /// Reads one file.
    ///
    /// # Errors
    /// The file cannot be read or is no UTF-8.
    pub fn read(path: &Path) -> Result<Self, Fault> {
        let file: Arc<str> = Arc::from(path.display().to_string());
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match fs::read_to_string(path) {
            Ok(text) => Ok(Self { name, file, text }),
            Err(error) => Err(Fault { file, line: 0, cause: error.to_string() }),
        }
    }

    /// Reads all `*.toml` of a folder, in the order of their names.
    fn read_folder(folder: &Path) -> Result<Vec<Self>, Faults> {
        let fault = |error: std::io::Error| {
            let file = Arc::from(folder.display().to_string());
            Faults(vec![Fault { file, line: 0, cause: error.to_string() }])
        };
        let entries = fs::read_dir(folder).map_err(fault)?;
        let paths = entries.map(|entry| entry.map(|it| it.path()));
        let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(fault)?;
        paths.retain(|path| path.extension().is_some_and(|it| it == "toml"));
        paths.sort();
        let (mut sources, mut faults) = (Vec::new(), Vec::new());
        for path in paths {
            match Self::read(&path) {
                Ok(source) => sources.push(source),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(sources) } else { Err(Faults(faults)) }
    }
}
