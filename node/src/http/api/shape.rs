//! What goes in and out, each with a JSON schema of its own for the document.

use serde_json::{Map, Value, json};

/// Something with a schema.
pub(super) trait Shape: 'static {
    /// Whether it may be left out of what comes in.
    const IS_OPTIONAL: bool = false;

    /// Its JSON schema (2020-12).
    fn schema() -> Value;

    /// The members of an object, with their schemas; of anything else none.
    fn members() -> Vec<(String, Value)> {
        Vec::new()
    }
}

impl Shape for () {
    fn schema() -> Value {
        Value::Null
    }
}

impl Shape for String {
    fn schema() -> Value {
        json!({ "type": "string" })
    }
}

impl Shape for &'static str {
    fn schema() -> Value {
        String::schema()
    }
}

impl Shape for bool {
    fn schema() -> Value {
        json!({ "type": "boolean" })
    }
}

impl Shape for u64 {
    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 0 })
    }
}

impl Shape for Value {
    fn schema() -> Value {
        json!({})
    }
}

impl Shape for Map<String, Value> {
    fn schema() -> Value {
        json!({ "type": "object" })
    }
}

impl<T: Shape> Shape for Vec<T> {
    fn schema() -> Value {
        json!({ "type": "array", "items": T::schema() })
    }
}

impl<T: Shape> Shape for Option<T> {
    const IS_OPTIONAL: bool = true;

    fn schema() -> Value {
        json!({ "anyOf": [T::schema(), { "type": "null" }] })
    }
}

/// The schema of an object; what comes in may lack what is optional, what goes out lacks nothing.
pub(super) fn object(about: &str, members: Vec<(String, Value)>, required: &[String]) -> Value {
    json!({
        "type": "object",
        "description": about.trim(),
        "properties": members.into_iter().collect::<Map<_, _>>(),
        "required": required,
        "additionalProperties": false,
    })
}

/// A member's schema with what is said about it.
pub(super) fn described(mut schema: Value, about: &str) -> Value {
    if !about.is_empty() {
        schema["description"] = json!(about.trim());
    }
    schema
}

/// A field's name as JSON writes it.
pub(super) fn camel_case(field: &str) -> String {
    let mut words = field.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (head, tail) = word.split_at(1.min(word.len()));
        name + &head.to_uppercase() + tail
    })
}

/// Types whose fields, names and comments are their schema: `input` for what comes in, `answer` for
/// what goes out. So the document cannot say anything else than the code.
macro_rules! shapes {
    ($($(#[doc = $about:literal])+ $kind:ident $name:ident {
        $($(#[doc = $doc:literal])* $field:ident: $type:ty,)*
    })*) => { $(
        shapes!(@$kind $(#[doc = $about])+ $name { $($(#[doc = $doc])* $field: $type,)* });

        impl $crate::http::api::shape::Shape for $name {
            fn schema() -> serde_json::Value {
                use $crate::http::api::shape::{Shape, camel_case, object};
                let is_answer = stringify!($kind) == "answer";
                let fields: &[(&str, bool)] =
                    &[$((stringify!($field), <$type as Shape>::IS_OPTIONAL)),*];
                let required = fields.iter().filter(|it| is_answer || !it.1);
                let required: Vec<String> = required.map(|it| camel_case(it.0)).collect();
                object(concat!($($about),+), Self::members(), &required)
            }

            fn members() -> Vec<(String, serde_json::Value)> {
                use $crate::http::api::shape::{Shape, camel_case, described};
                vec![$((
                    camel_case(stringify!($field)),
                    described(<$type as Shape>::schema(), concat!($($doc),*)),
                )),*]
            }
        }
    )* };
    (@input $(#[doc = $about:literal])+ $name:ident {
        $($(#[doc = $doc:literal])* $field:ident: $type:ty,)*
    }) => {
        $(#[doc = $about])+
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "camelCase")]
        pub(super) struct $name { $($(#[doc = $doc])* pub(super) $field: $type,)* }
    };
    (@answer $(#[doc = $about:literal])+ $name:ident {
        $($(#[doc = $doc:literal])* $field:ident: $type:ty,)*
    }) => {
        $(#[doc = $about])+
        #[derive(Debug, serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        pub(super) struct $name { $($(#[doc = $doc])* pub(super) $field: $type,)* }
    };
}

/// A closed set of words for the variants of a domain's enum, each in small letters.
macro_rules! words {
    ($(#[$about:meta])+ $name:ident for $domain:ident {
        $($(#[$doc:meta])* $variant:ident = $word:literal,)+
    }) => {
        $(#[$about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub(super) enum $name { $($(#[$doc])* $variant,)+ }

        impl $crate::http::api::shape::Shape for $name {
            fn schema() -> serde_json::Value {
                serde_json::json!({ "type": "string", "enum": [$($word),+] })
            }
        }

        impl From<$name> for $domain {
            fn from(name: $name) -> Self {
                match name { $($name::$variant => Self::$variant,)+ }
            }
        }

        impl From<$domain> for $name {
            fn from(it: $domain) -> Self {
                match it { $($domain::$variant => Self::$variant,)+ }
            }
        }
    };
}

pub(super) use shapes;
pub(super) use words;
