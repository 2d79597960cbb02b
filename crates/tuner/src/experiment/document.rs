//! A TOML text as values that know their line and their full key, and the ways to read them.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::LARGEST_FILE_SIZE_BYTES;
use super::problem::{Problem, closest};
use crate::error::TunerError;

/// A problem and its line.
#[derive(Debug)]
pub(super) struct Located {
    pub(super) line: usize,
    pub(super) problem: Box<Problem>,
}

impl Located {
    pub(super) fn new(line: usize, problem: Problem) -> Located {
        Located { line, problem: Box::new(problem) }
    }
}

pub(super) type Result<T> = std::result::Result<T, Located>;

/// Where an experiment came from: name of the file, and lines of its full keys.
#[derive(Debug, Clone)]
pub(super) struct Source {
    name: String,
    lines: BTreeMap<String, usize>,
}

impl Source {
    pub(super) fn new(name: &str) -> Source {
        Source { name: name.to_owned(), lines: BTreeMap::new() }
    }

    pub(super) fn error(&self, Located { line, problem }: Located) -> TunerError {
        TunerError::Experiment { source_name: self.name.clone(), line, problem }
    }

    /// Line of a full key such as `search.space.momentum`, or of the nearest section around it.
    pub(super) fn line(&self, key: &str) -> usize {
        match (self.lines.get(key), key.rsplit_once('.')) {
            (Some(line), _) => *line,
            (None, Some((section, _))) => self.line(section),
            (None, None) => 1,
        }
    }

    /// Whether a key is written.
    pub(super) fn has(&self, key: &str) -> bool {
        self.lines.contains_key(key)
    }

    fn remember(&mut self, node: &Node) {
        self.lines.insert(node.key.clone(), node.line);
        match &node.value {
            Value::Table(entries) => entries.values().for_each(|entry| self.remember(entry)),
            Value::Array(items) => items.iter().for_each(|item| self.remember(item)),
            _ => (),
        }
    }
}

/// A value, the line it is on and its full key.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    Table(BTreeMap<String, Node>),
    Array(Vec<Node>),
    Integer(i64),
    Float(f64),
    Text(String),
    Flag(bool),
    /// A type that no experiment uses, or a number that fits none; its description.
    Other(String),
}

/// Parses a text into its root table and remembers the lines of all keys.
pub(super) fn parse(text: &str, source: &mut Source) -> Result<Section> {
    if text.len() > LARGEST_FILE_SIZE_BYTES {
        let problem = Problem::TooLarge { limit_bytes: LARGEST_FILE_SIZE_BYTES };
        return Err(Located::new(1, problem));
    }
    let line_of = |position: usize| 1 + text[..position.min(text.len())].matches('\n').count();
    let document = DeTable::parse(text).map_err(|error| {
        let line = line_of(error.span().map_or(0, |span| span.start));
        Located::new(line, Problem::Syntax { message: error.message().replace('\n', "; ") })
    })?;
    let root = table(document.get_ref(), "", &line_of);
    let root = Node { key: String::new(), line: 1, value: root };
    source.remember(&root);
    root.section()
}

fn table(entries: &DeTable<'_>, section: &str, line_of: &dyn Fn(usize) -> usize) -> Value {
    let entry = |name: &str, line, value| {
        // Escaped: quoted keys may hold line breaks, error messages may not.
        let separator = if section.is_empty() { "" } else { "." };
        let key = format!("{section}{separator}{}", name.escape_debug());
        (name.to_owned(), node(key, line, value, line_of))
    };
    let entries = entries.iter();
    Value::Table(
        entries.map(|(k, v)| entry(k.get_ref(), line_of(k.span().start), v.get_ref())).collect(),
    )
}

fn node(key: String, line: usize, value: &DeValue<'_>, line_of: &dyn Fn(usize) -> usize) -> Node {
    let value = match value {
        DeValue::Table(entries) => table(entries, &key, line_of),
        DeValue::Array(items) => {
            let item = |(index, item): (usize, &toml::Spanned<DeValue<'_>>)| {
                let line = line_of(item.span().start);
                node(format!("{key}[{index}]"), line, item.get_ref(), line_of)
            };
            Value::Array(items.iter().enumerate().map(item).collect())
        }
        DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix())
            .map_or_else(|_| Value::Other(format!("the integer {digits}")), Value::Integer),
        DeValue::Float(digits) => digits
            .as_str()
            .parse()
            .map_or_else(|_| Value::Other(format!("the number {digits}")), Value::Float),
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Boolean(value) => Value::Flag(*value),
        DeValue::Datetime(value) => Value::Other(format!("the date {value}")),
    };
    Node { key, line, value }
}

impl Node {
    pub(super) fn problem(&self, problem: Problem) -> Located {
        Located::new(self.line, problem)
    }

    /// The error for a value that is not what was expected.
    pub(super) fn refused(&self, expected: impl Into<String>) -> Located {
        let found = match &self.value {
            Value::Table(_) => "a table".to_owned(),
            Value::Array(items) => format!("a list of {} values", items.len()),
            Value::Integer(value) => value.to_string(),
            Value::Float(value) => format!("{value:?}"),
            Value::Text(value) => format!("'{}'", value.escape_debug()),
            Value::Flag(value) => value.to_string(),
            Value::Other(description) => description.clone(),
        };
        let (key, expected) = (self.key.clone(), expected.into());
        self.problem(Problem::Value { key, found, expected })
    }

    pub(super) fn section(self) -> Result<Section> {
        match self.value {
            Value::Table(entries) => Ok(Section { key: self.key, line: self.line, entries }),
            _ => Err(self.refused("a table")),
        }
    }

    pub(super) fn items(&self) -> Result<&[Node]> {
        match &self.value {
            Value::Array(items) if !items.is_empty() => Ok(items),
            _ => Err(self.refused("a list with at least one value")),
        }
    }

    pub(super) fn text(&self) -> Result<&str> {
        match &self.value {
            Value::Text(text) if !text.is_empty() => Ok(text),
            _ => Err(self.refused("a name in quotes")),
        }
    }

    pub(super) fn flag(&self) -> Result<bool> {
        match self.value {
            Value::Flag(value) => Ok(value),
            _ => Err(self.refused("true or false")),
        }
    }

    /// A finite number; whole numbers need no decimal point.
    pub(super) fn number(&self) -> Result<f64> {
        match self.value {
            Value::Float(value) if value.is_finite() => Ok(value),
            Value::Integer(value) => Ok(value as f64),
            _ => Err(self.refused("a finite number")),
        }
    }

    pub(super) fn integer(&self) -> Result<i64> {
        match self.value {
            Value::Integer(value) => Ok(value),
            _ => Err(self.refused("a whole number")),
        }
    }

    /// A whole number from `least` to `most`.
    pub(super) fn count(&self, least: u64, most: u64) -> Result<u64> {
        let count = self.integer().ok().and_then(|value| u64::try_from(value).ok());
        count
            .filter(|count| (least..=most).contains(count))
            .ok_or_else(|| self.refused(format!("a whole number from {least} to {most}")))
    }

    /// One of some names.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T> {
        let text = self.text()?;
        let chosen = choices.iter().find(|(name, _)| *name == text);
        chosen.map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<String> = choices.iter().map(|(name, _)| format!("'{name}'")).collect();
            self.refused(names.join(" or "))
        })
    }
}

/// A table being read: entries are taken out of it.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) entries: BTreeMap<String, Node>,
}

impl Section {
    fn title(&self) -> String {
        if self.key.is_empty() { "the file".to_owned() } else { format!("[{}]", self.key) }
    }

    /// Refuses keys other than these. Checked first, so that a misspelt key is not reported as
    /// a missing one.
    pub(super) fn accept(&self, accepted: &[&str]) -> Result<()> {
        let unknown = self.entries.iter().filter(|(key, _)| !accepted.contains(&key.as_str()));
        match unknown.min_by_key(|(_, node)| node.line) {
            None => Ok(()),
            Some((key, node)) => Err(unknown_key(key, &self.title(), accepted, node.line)),
        }
    }

    pub(super) fn optional(&mut self, key: &str) -> Option<Node> {
        self.entries.remove(key)
    }

    pub(super) fn required(&mut self, key: &str, expected: &str) -> Result<Node> {
        self.entries.remove(key).ok_or_else(|| {
            let (key, section, expected) = (key.to_owned(), self.title(), expected.to_owned());
            Located::new(self.line, Problem::MissingKey { key, section, expected })
        })
    }

    /// The one key of some alternatives that is there.
    pub(super) fn exactly_one(
        &mut self,
        alternatives: &[&'static str],
    ) -> Result<(&'static str, Node)> {
        let is_present = |key: &&&'static str| self.entries.contains_key(**key);
        let present: Vec<&'static str> = alternatives.iter().filter(is_present).copied().collect();
        let owned = |names: &[&'static str]| names.iter().map(|name| (*name).to_owned()).collect();
        match present[..] {
            [key] => Ok((key, self.required(key, "")?)),
            _ => {
                let (present, accepted) = (owned(&present), owned(alternatives));
                let problem = Problem::NotExactlyOne { section: self.title(), present, accepted };
                Err(Located::new(self.line, problem))
            }
        }
    }
}

/// The error for a key that is none of the accepted ones.
pub(super) fn unknown_key(key: &str, section: &str, accepted: &[&str], line: usize) -> Located {
    let accepted: Vec<String> = accepted.iter().map(|name| (*name).to_owned()).collect();
    let suggestion = closest(key, &accepted);
    let (key, section) = (key.escape_debug().to_string(), section.to_owned());
    Located::new(line, Problem::UnknownKey { key, section, suggestion, accepted })
}
