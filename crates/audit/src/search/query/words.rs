//! `query_string` and `simple_query_string` in their simple forms: `action:push AND NOT user.name:ci* AND @timestamp:[now-1d TO now]`.

use berth_catalog::trail::search::{Glob, Piece};
use serde_json::{Value, json};

use super::leaf::pattern;
use super::{MOST_LEVELS, Object, Parser, Query, none_but};
use crate::search::error::{Error, Result};
use crate::search::field;

/// Longest text of a query, in bytes.
const MOST_BYTES: usize = 4_096;

impl Parser<'_> {
    pub(super) fn query_string(&mut self, body: &Object) -> Result<Query> {
        let known = [
            "query",
            "default_field",
            "fields",
            "default_operator",
            "analyze_wildcard",
            "allow_leading_wildcard",
            "lenient",
            "boost",
            "time_zone",
            "_name",
        ];
        none_but("query_string", body, &known)?;
        self.string("query_string", body)
    }

    pub(super) fn simple_query_string(&mut self, body: &Object) -> Result<Query> {
        let known =
            ["query", "fields", "default_operator", "analyze_wildcard", "lenient", "boost", "flags", "_name"];
        none_but("simple_query_string", body, &known)?;
        self.string("simple_query_string", body)
    }

    fn string(&mut self, name: &'static str, body: &Object) -> Result<Query> {
        let Some(Value::String(text)) = body.get("query") else {
            return Err(Error::parsing(format!("[{name}] must be provided with a [query]")));
        };
        if text.len() > MOST_BYTES {
            return Err(Error::too_many(format!("[{name}]: the query is longer than {MOST_BYTES} bytes")));
        }
        let mut fields: Vec<String> = Vec::new();
        fields.extend(body.get("default_field").and_then(Value::as_str).map(ToOwned::to_owned));
        for field in body.get("fields").and_then(Value::as_array).into_iter().flatten() {
            // What a match in one field weighs more than in another means nothing without scores.
            fields.extend(field.as_str().map(|field| field.split('^').next().unwrap_or_default().to_owned()));
        }
        if fields.is_empty() || fields.iter().any(|field| field == "*") {
            fields = vec!["message".into()];
        }
        let operator = body.get("default_operator").and_then(Value::as_str).unwrap_or("or");
        let mut reader = Reader {
            parser: self,
            name,
            rest: text,
            fields,
            joins: operator.eq_ignore_ascii_case("and"),
            level: 0,
        };
        let query = reader.any()?;
        if !reader.rest.trim_start().is_empty() {
            return Err(reader.wrong("a parenthesis too many"));
        }
        Ok(query)
    }
}

/// Reads one text.
struct Reader<'p, 'r, 't> {
    parser: &'p mut Parser<'r>,
    name: &'static str,
    rest: &'t str,
    /// Where words are looked for that name no field.
    fields: Vec<String>,
    /// Whether words beside each other must all be found.
    joins: bool,
    level: usize,
}

impl Reader<'_, '_, '_> {
    fn is_simple(&self) -> bool {
        self.name == "simple_query_string"
    }

    fn wrong(&self, why: &str) -> Error {
        Error::parsing(format!("[{}] Failed to parse query: {why} at [{}]", self.name, head(self.rest)))
    }

    /// Takes a word such as `AND`, or a sign, if it comes next.
    fn take(&mut self, words: &[&str]) -> bool {
        let rest = self.rest.trim_start();
        for word in words {
            let Some(after) = rest.strip_prefix(word) else { continue };
            let is_whole =
                !word.ends_with(char::is_alphabetic) || after.is_empty() || after.starts_with([' ', '(']);
            if is_whole {
                self.rest = after;
                return true;
            }
        }
        false
    }

    fn any(&mut self) -> Result<Query> {
        let or: &[&str] = if self.is_simple() { &["|"] } else { &["OR", "||"] };
        let mut ways = vec![self.every()?];
        while self.take(or) {
            ways.push(self.every()?);
        }
        Ok(if ways.len() == 1 { ways.remove(0) } else { Query::Any(ways) })
    }

    /// Reads what stands beside each other. A `+` or `-` before a word says that it must, or must not, be found.
    fn every(&mut self) -> Result<Query> {
        let (mut must, mut may) = (Vec::new(), Vec::new());
        let mut joined = false;
        loop {
            let rest = self.rest.trim_start();
            let or = if self.is_simple() {
                rest.starts_with('|')
            } else {
                rest.starts_with("OR ") || rest.starts_with("||")
            };
            if rest.is_empty() || rest.starts_with(')') || or {
                break;
            }
            let and: &[&str] = if self.is_simple() { &["+"] } else { &["AND", "&&"] };
            if self.take(and) {
                joined = true;
                // What stands before it must be found, too.
                must.append(&mut may);
                continue;
            }
            let no: &[&str] = if self.is_simple() { &["-"] } else { &["NOT", "!", "-"] };
            if self.take(no) {
                let query = self.one()?;
                must.push(Query::Not(Box::new(query)));
            } else {
                let plus = !self.is_simple() && self.take(&["+"]);
                let query = self.one()?;
                if plus || joined || self.joins { must.push(query) } else { may.push(query) }
            }
            joined = false;
        }
        if joined || must.is_empty() && may.is_empty() {
            return Err(self.wrong("a word is missing"));
        }
        if must.is_empty() {
            return Ok(if may.len() == 1 { may.remove(0) } else { Query::Any(may) });
        }
        Ok(if must.len() == 1 { must.remove(0) } else { Query::Every(must) })
    }

    fn one(&mut self) -> Result<Query> {
        self.parser.count_clauses(1)?;
        if self.take(&["("]) {
            return self.group();
        }
        self.rest = self.rest.trim_start();
        if self.is_simple() {
            let value = self.value()?;
            return self.in_fields(&self.fields.clone(), &value);
        }
        let end = self.rest.find([':', ' ', ')', '(', '"']).unwrap_or(self.rest.len());
        let Some(after) = self.rest[end..].strip_prefix(':') else {
            let value = self.value()?;
            return self.in_fields(&self.fields.clone(), &value);
        };
        let name = self.rest[..end].replace('\\', "");
        self.rest = after;
        if name == "*" && self.take(&["*"]) {
            return Ok(Query::ALL);
        }
        if name == "_exists_" {
            let Said::Text(field, _) = self.value()? else { return Err(self.wrong("no field")) };
            return Parser::exists(json!({ "field": field }).as_object().unwrap_or(&Object::new()));
        }
        if self.take(&["("]) {
            let outer = std::mem::replace(&mut self.fields, vec![name]);
            let query = self.group();
            self.fields = outer;
            return query;
        }
        let value = self.value()?;
        self.in_fields(&[name], &value)
    }

    fn group(&mut self) -> Result<Query> {
        self.level += 1;
        if self.level > MOST_LEVELS {
            return Err(Error::too_many(format!(
                "parentheses lie in parentheses more than {MOST_LEVELS} deep"
            )));
        }
        let query = self.any()?;
        self.level -= 1;
        if self.take(&[")"]) { Ok(query) } else { Err(self.wrong("a parenthesis is not closed")) }
    }

    /// Reads a word, a phrase, `[a TO b]` or `>=a`.
    fn value(&mut self) -> Result<Said> {
        if let Some(rest) = self.rest.strip_prefix('"') {
            let end = rest.find('"').ok_or_else(|| self.wrong("a quotation mark is not closed"))?;
            self.rest = &rest[end + 1..];
            return Ok(Said::Text(rest[..end].to_owned(), true));
        }
        if !self.is_simple() {
            if self.rest.starts_with(['[', '{']) {
                return self.range();
            }
            for (sign, side) in [(">=", "gte"), (">", "gt"), ("<=", "lte"), ("<", "lt")] {
                if let Some(rest) = self.rest.strip_prefix(sign) {
                    self.rest = rest;
                    let word = self.word()?;
                    return Ok(Said::Range(json!({ side: word })));
                }
            }
        }
        let word = self.word()?;
        if !self.is_simple() && (word.starts_with('/') || word.contains('~') || word.contains('^')) {
            return Err(Error::parsing(format!(
                "[{}] [{word}]: regular expressions, fuzziness and boosts are not supported",
                self.name
            )));
        }
        Ok(Said::Text(word, false))
    }

    fn word(&mut self) -> Result<String> {
        let mut end = 0;
        let mut escaped = false;
        for char in self.rest.chars() {
            let stops = char.is_whitespace()
                || matches!(char, ')' | '(' | '"')
                || self.is_simple() && matches!(char, '|' | '+');
            if stops && !escaped {
                break;
            }
            escaped = char == '\\' && !escaped;
            end += char.len_utf8();
        }
        if end == 0 {
            return Err(self.wrong("a word is missing"));
        }
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(word.to_owned())
    }

    fn range(&mut self) -> Result<Said> {
        let end = self.rest.find([']', '}']).ok_or_else(|| self.wrong("a range is not closed"))?;
        let (inside, rest) = self.rest.split_at(end);
        let (from, until) =
            inside[1..].split_once(" TO ").ok_or_else(|| self.wrong("a range is [a TO b]"))?;
        let sides = [
            (if inside.starts_with('[') { "gte" } else { "gt" }, from.trim()),
            (if rest.starts_with(']') { "lte" } else { "lt" }, until.trim()),
        ];
        let known = sides.iter().filter(|(_, value)| *value != "*");
        let sides: Object =
            known.map(|(side, value)| ((*side).to_owned(), json!(value.trim_matches('"')))).collect();
        self.rest = &rest[1..];
        Ok(Said::Range(sides.into()))
    }

    fn in_fields(&mut self, names: &[String], value: &Said) -> Result<Query> {
        let mut ways = names.iter().map(|name| self.in_field(name, value)).collect::<Result<Vec<_>>>()?;
        Ok(if ways.len() == 1 { ways.remove(0) } else { Query::Any(ways) })
    }

    fn in_field(&mut self, name: &str, value: &Said) -> Result<Query> {
        let Some(field) = field::find(name)? else { return Ok(Query::NOTHING) };
        match value {
            Said::Range(sides) => match sides.as_object() {
                Some(sides) => self.parser.between(field, sides),
                None => Ok(Query::NOTHING),
            },
            Said::Text(text, true) => self.parser.equals(field, &[json!(text)]),
            Said::Text(text, false) => {
                let mut pieces = pattern(name, text)?;
                match (&mut pieces[..], field.kind.column()) {
                    ([Piece::Many], Some(column)) => {
                        Ok(Query::Is(berth_catalog::trail::search::Condition::Present(column)))
                    }
                    ([Piece::Text(text)], _) => self.parser.equals(field, &[json!(std::mem::take(text))]),
                    _ => self.parser.looks_like(field, Glob { pieces, ignores_case: false }),
                }
            }
        }
    }
}

/// What a word says of a field.
enum Said {
    /// A text, and whether it stood in quotation marks.
    Text(String, bool),
    /// The sides of a range.
    Range(Value),
}

/// The beginning of a text, for messages.
fn head(text: &str) -> String {
    text.trim_start().chars().take(32).collect()
}
