//! The shape of an event's arguments, and what is taken from a packet that has it.

use serde_json::value::RawValue;

use crate::dialect::check::{Check, suggestion};
use crate::dialect::deed::{Asked, CLAIMED, Deed};
use crate::dialect::dialects::ARGS_MAX;
use crate::dialect::file::Quoted;
use crate::dialect::json;
use crate::dialect::request::{Given, Rules};
use crate::dialect::shape::{Shape, ShapeKind};

/// One way to write an event's arguments.
#[derive(Debug)]
pub(super) struct Pattern {
    args: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    /// The client's own name for the place: `user.id`, or `argument 1`.
    field: String,
    kind: NodeKind,
}

#[derive(Debug)]
enum NodeKind {
    /// A `$name`.
    Value { name: Asked, optional: bool },
    /// An object with these members; others are ignored.
    Object(Vec<(String, Node)>),
}

/// Why a packet does not have a pattern's shape.
struct Mismatch {
    /// How many places fitted before this one did not.
    progress: usize,
    /// Which field is wrong, and why.
    cause: String,
}

/// Takes the values of a packet's arguments by the first of the patterns that fits.
///
/// # Errors
/// None fits. The client meant the one that it came furthest with, so that one says why.
pub(super) fn take(
    patterns: &[Pattern],
    args: &[&RawValue],
    fixed: &Given,
    rules: Rules,
) -> Result<Given, String> {
    let mut furthest: Option<Mismatch> = None;
    for pattern in patterns {
        match pattern.take(args, fixed.clone(), rules) {
            Ok(given) => return Ok(given),
            Err(later) => {
                let is_further = furthest.as_ref().is_none_or(|it| it.progress < later.progress);
                furthest = if is_further { Some(later) } else { furthest };
            }
        }
    }
    Err(furthest.map_or_else(|| "no arguments are known".to_owned(), |it| it.cause))
}

impl Pattern {
    /// Compiles the JSON array of an `args` text; `name_of` is how clients call an argument. What is
    /// wrong is noted and gives `None`.
    pub(super) fn compile(
        check: &mut Check<'_>,
        quoted: &Quoted<'_>,
        name_of: fn(usize) -> String,
        (deed, fixed): (Deed, &[Asked]),
    ) -> Option<Self> {
        let shape = Shape::parse(check, quoted)?;
        let ShapeKind::List(shapes) = shape.kind else {
            check.fault(shape.at, "`args` must be a list of arguments, like '[\"$room\"]'");
            return None;
        };
        if ARGS_MAX < shapes.len() {
            check.fault(shape.at, format!("more than {ARGS_MAX} arguments"));
        }
        let mut compiler = Compiler { check, deed, names: fixed.to_vec() };
        let args = shapes
            .iter()
            .enumerate()
            .map(|(index, shape)| compiler.node(shape, name_of(index), true));
        let args = args.collect::<Vec<_>>().into_iter().collect::<Option<Vec<_>>>()?;
        let Compiler { check, names, .. } = compiler;
        for name in deed.required() {
            if !names.contains(name) {
                let (deed, name) = (deed.as_str(), name.as_str());
                check.fault(shape.at, format!("`{deed}` needs `${name}`, which is missing"));
            }
        }
        Some(Self { args })
    }

    /// How many arguments it looks at.
    pub(super) fn len(&self) -> usize {
        self.args.len()
    }

    fn take(&self, args: &[&RawValue], given: Given, rules: Rules) -> Result<Given, Mismatch> {
        let mut taking = Taking { given, rules, progress: 0 };
        for (index, node) in self.args.iter().enumerate() {
            let json = args.get(index).map(|raw| raw.get());
            if let Err(cause) = taking.node(node, json) {
                return Err(Mismatch { progress: taking.progress, cause });
            }
        }
        if taking.given.says_nothing() {
            let field =
                self.args.iter().find_map(|it| it.find(Asked::MessageText)).unwrap_or("the text");
            return Err(Mismatch { progress: taking.progress, cause: format!("{field} is empty") });
        }
        Ok(taking.given)
    }

    /// Whether files may come with it.
    pub(super) fn takes_files(&self) -> bool {
        self.args.iter().any(|it| it.find(Asked::Attachments).is_some())
    }
}

impl Node {
    /// The client's own name for the place of this value, if it has one here.
    fn find(&self, wanted: Asked) -> Option<&str> {
        match &self.kind {
            NodeKind::Value { name, .. } => (*name == wanted).then_some(&*self.field),
            NodeKind::Object(members) => members.iter().find_map(|(_, it)| it.find(wanted)),
        }
    }
}

struct Compiler<'c, 't> {
    check: &'c mut Check<'t>,
    deed: Deed,
    /// Names that have a place already.
    names: Vec<Asked>,
}

impl Compiler<'_, '_> {
    fn node(&mut self, shape: &Shape<'_>, field: String, is_argument: bool) -> Option<Node> {
        let kind = match &shape.kind {
            ShapeKind::Text(text) => self.value(shape.at, text),
            ShapeKind::Object(members) => {
                let members = members.iter().map(|(key, shape)| {
                    let field = if is_argument { key.clone() } else { format!("{field}.{key}") };
                    Some((key.clone(), self.node(shape, field, false)?))
                });
                // Every member is looked at before the first fault ends this.
                let members: Vec<Option<_>> = members.collect();
                members.into_iter().collect::<Option<Vec<_>>>().map(NodeKind::Object)
            }
            ShapeKind::List(_) | ShapeKind::Literal(_) => {
                self.check.fault(shape.at, "a pattern holds objects and \"$names\" only");
                None
            }
        };
        kind.map(|kind| Node { field, kind })
    }

    fn value(&mut self, at: usize, text: &str) -> Option<NodeKind> {
        let Some(name) = text.strip_prefix('$') else {
            self.check.fault(at, format!("`{text}` is no name: names begin with `$`"));
            return None;
        };
        let (name, optional) = match name.strip_suffix('?') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let known = [self.deed.required(), self.deed.optional(), &CLAIMED].concat();
        let Some(&asked) = known.iter().find(|it| it.as_str() == name) else {
            let known: Vec<String> = known.iter().map(|it| format!("${}", it.as_str())).collect();
            let cause = format!("`{}` has no `${name}`", self.deed.as_str());
            self.check.fault(at, cause + &suggestion(&format!("${name}"), &known));
            return None;
        };
        if optional && self.deed.required().contains(&asked) {
            self.check.fault(at, format!("`{}` needs `${name}`: drop the `?`", self.deed.as_str()));
        }
        if self.names.contains(&asked) {
            self.check.fault(at, format!("`${name}` has a value already"));
        }
        self.names.push(asked);
        Some(NodeKind::Value { name: asked, optional })
    }
}

struct Taking {
    given: Given,
    rules: Rules,
    progress: usize,
}

impl Taking {
    fn node(&mut self, node: &Node, json: Option<&str>) -> Result<(), String> {
        // JavaScript writes an undefined argument as null.
        let json = json.filter(|&it| it != "null");
        match (&node.kind, json) {
            (NodeKind::Value { optional: true, .. }, None) => {}
            (NodeKind::Value { .. } | NodeKind::Object(_), None) => {
                return Err(format!("{} is missing", node.field));
            }
            (NodeKind::Value { name, .. }, Some(json)) => self
                .given
                .take(*name, json, self.rules)
                .map_err(|problem| format!("{} {problem}", node.field))?,
            (NodeKind::Object(members), Some(json)) => self.object(&node.field, members, json)?,
        }
        self.progress += 1;
        Ok(())
    }

    fn object(
        &mut self,
        field: &str,
        members: &[(String, Node)],
        text: &str,
    ) -> Result<(), String> {
        let wanted = |key: &str| members.iter().any(|(name, _)| name == key);
        let found = json::members(text, &wanted)
            .map_err(|_no_object| format!("{field} must be an object"))?;
        self.progress += 1;
        for (name, node) in members {
            // Of a key that stands twice, the last one counts, as in JavaScript.
            let raw = found.iter().rfind(|(key, _)| key == name).map(|(_, raw)| raw.get());
            self.node(node, raw)?;
        }
        Ok(())
    }
}
