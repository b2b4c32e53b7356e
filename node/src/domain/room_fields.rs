//! What the parts of a room's record may hold.

/// Longest name of a room, in characters: a line.
pub const ROOM_NAME_CHARACTERS_MAX: usize = 200;

/// Longest description of a room, in characters: a paragraph or two.
pub const ROOM_DESCRIPTION_CHARACTERS_MAX: usize = 2_000;

/// Longest name of a department, in bytes.
pub const DEPARTMENT_BYTES_MAX: usize = 100;

/// Longest metadata of a room, in bytes: each change of it goes to all who are in the room.
pub const METADATA_BYTES_MAX: usize = 16 * 1024;

/// What an application keeps with a room: a JSON object in text form, at most
/// [`METADATA_BYTES_MAX`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata(String);

impl Default for Metadata {
    fn default() -> Self {
        Self("{}".to_owned())
    }
}

impl Metadata {
    /// Takes an object of bounded size. Reading has bounded its depth.
    ///
    /// # Errors
    /// Too long.
    pub fn new(object: &serde_json::Map<String, serde_json::Value>) -> Result<Self, RoomProblem> {
        // A map prints as the object that it is.
        let text = serde_json::Value::Object(object.clone()).to_string();
        match text.len() {
            0..=METADATA_BYTES_MAX => Ok(Self(text)),
            _ => Err(RoomProblem::TooManyBytes(METADATA_BYTES_MAX)),
        }
    }

    /// What a record holds, which was checked when it was written.
    #[must_use]
    pub fn stored(text: String) -> Self {
        if text.is_empty() { Self::default() } else { Self(text) }
    }

    /// The object as JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why something is no part of a record; to be read behind its field's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RoomProblem {
    /// Nothing is left of it.
    #[error("is empty")]
    Empty,
    /// More characters than allowed.
    #[error("is longer than {0} characters")]
    TooManyCharacters(usize),
    /// More bytes than allowed.
    #[error("is longer than {0} bytes")]
    TooManyBytes(usize),
    /// Something that no text to be shown holds.
    #[error("holds a control character")]
    Control,
}

/// A room's name: a line that is not empty.
///
/// # Errors
/// It is none.
pub fn room_name(text: &str) -> Result<String, RoomProblem> {
    let name = text.trim();
    if name.is_empty() {
        return Err(RoomProblem::Empty);
    }
    if name.contains(char::is_control) {
        return Err(RoomProblem::Control);
    }
    if ROOM_NAME_CHARACTERS_MAX < name.chars().count() {
        return Err(RoomProblem::TooManyCharacters(ROOM_NAME_CHARACTERS_MAX));
    }
    Ok(name.to_owned())
}

/// A room's description, which may be empty; line feeds and tabs may stand in it.
///
/// # Errors
/// It is none.
pub fn room_description(text: &str) -> Result<String, RoomProblem> {
    if text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err(RoomProblem::Control);
    }
    if ROOM_DESCRIPTION_CHARACTERS_MAX < text.chars().count() {
        return Err(RoomProblem::TooManyCharacters(ROOM_DESCRIPTION_CHARACTERS_MAX));
    }
    Ok(text.trim().to_owned())
}

/// A department's name, as tokens write it.
///
/// # Errors
/// It is none.
pub fn department(text: &str) -> Result<String, RoomProblem> {
    if text.is_empty() {
        return Err(RoomProblem::Empty);
    }
    if text.contains(char::is_control) {
        return Err(RoomProblem::Control);
    }
    if DEPARTMENT_BYTES_MAX < text.len() {
        return Err(RoomProblem::TooManyBytes(DEPARTMENT_BYTES_MAX));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_a_record_are_lines_of_bounded_length() {
        assert_eq!(room_name(" Help desk "), Ok("Help desk".to_owned()));
        assert_eq!(room_name(" \t "), Err(RoomProblem::Empty));
        assert_eq!(room_name("a\nb"), Err(RoomProblem::Control));
        assert!(room_name(&"é".repeat(200)).is_ok());
        let problem = room_name(&"é".repeat(201)).unwrap_err().to_string();
        assert_eq!(problem, "is longer than 200 characters");
        assert_eq!(room_description(" a\nb "), Ok("a\nb".to_owned()));
        assert_eq!(room_description("\u{1b}[1m"), Err(RoomProblem::Control));
        assert!(room_description(&"x".repeat(2_001)).is_err());
        assert!(department("").is_err());
    }

    #[test]
    fn metadata_is_an_object_of_bounded_size() {
        let object = |text: &str| serde_json::from_str(text).unwrap();
        let kept = Metadata::new(&object(r#"{ "a": [1, {"b": null}] }"#)).unwrap();
        assert_eq!(kept.as_str(), r#"{"a":[1,{"b":null}]}"#);
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(METADATA_BYTES_MAX));
        assert!(Metadata::new(&object(&long)).is_err());
        assert_eq!(Metadata::stored(String::new()).as_str(), "{}");
    }
}
