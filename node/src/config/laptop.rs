//! A node that was told nothing: it serves its own machine, and works at once.
//!
//! Beside any setting about Redis or tokens, or with `NODE_ENV=production`, none of this holds.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use serde_json::json;
use uuid::Uuid;

use crate::auth::trust::Mode;
use crate::config::Config;
use crate::secret::Secret;

/// Sections and settings that end the laptop start.
pub(super) const ENDS: [&str; 2] = ["redis.url", "auth"];

const SECRET_FILE: &str = "jwt-secret";

/// Weaker than anything that is set.
pub(super) fn defaults() -> serde_json::Value {
    json!({
        "rooms": { "policy": "open" },
        "cors": { "origins": ["null", "http://localhost:*"] },
    })
}

/// Gives a laptop start the secret that is kept in the data folder, made where it is missing, and
/// has it take clients at their word where their protocol lets them.
/// Does nothing for any other start.
///
/// # Errors
/// The folder or the file cannot be read or made.
pub fn prepare(config: &mut Config) -> io::Result<()> {
    if config.is_laptop {
        // Not a setting beside a secret: whoever starts a node for themselves is alone with it.
        config.auth.mode = Mode::Trust;
        config.auth.jwt_secret = Some(Secret::new(kept_secret(&config.data_dir)?));
    }
    Ok(())
}

fn kept_secret(folder: &Path) -> io::Result<String> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let path = folder.join(SECRET_FILE);
    if !path.exists() {
        // Written aside and then linked, so nobody ever reads half a secret, and of two that
        // start at once the later one takes the earlier one's.
        let aside = folder.join(format!("{SECRET_FILE}.{}", Uuid::new_v4().simple()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
        // 244 random bits from the system, in letters that any shell takes.
        write!(file, "{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())?;
        let linked = fs::hard_link(&aside, &path);
        fs::remove_file(&aside)?;
        if let Err(error) = linked
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(error);
        }
    }
    fs::read_to_string(&path).map(|it| it.trim().to_owned())
}
