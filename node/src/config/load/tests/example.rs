//! The example file against the code.

use super::*;

/// The example file's settings: name, value, and whether it is only an example.
fn example() -> Vec<(String, String, bool)> {
    let text = include_str!("../../../../../config/parlance.example.toml");
    let (mut section, mut is_unset, mut found) = (String::new(), false, Vec::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = format!("{}.", name.trim_end_matches(']'));
        } else if let Some((name, value)) = line
            .strip_prefix('#')
            .filter(|it| !it.starts_with(' '))
            .and_then(|it| it.split_once(" = "))
        {
            found.push((format!("{section}{name}"), value.to_owned(), is_unset));
            is_unset = false;
        } else {
            is_unset = line.starts_with("# Unset");
        }
    }
    found
}

#[test]
fn the_example_file_lists_every_setting_and_nothing_else() {
    let names: Vec<String> = example().into_iter().map(|it| it.0).collect();
    assert_eq!(names, SETTINGS);
    let untouched = include_str!("../../../../../config/parlance.example.toml");
    let table: toml::Table = untouched.parse().unwrap();
    assert!(table.values().all(|it| it.as_table().is_some_and(is_hollow)), "{table:?}");
}

fn is_hollow(table: &toml::Table) -> bool {
    table.values().all(|it| it.as_table().is_some_and(is_hollow))
}

#[test]
fn the_example_file_shows_the_defaults() {
    for (name, value, is_unset) in example() {
        let value: toml::Value =
            format!("x = {value}").parse::<toml::Table>().unwrap()["x"].clone();
        let given = |with: bool| {
            let figment = Figment::new();
            let it = if with { figment.merge((name.as_str(), value.clone())) } else { figment };
            let (config, mistakes) = extract(&it);
            assert!(mistakes.is_empty(), "{mistakes:?}");
            format!("{config:?}")
        };
        let is_default = given(true) == given(false);
        assert_eq!(is_default, !is_unset, "{name} = {value}");
    }
}
