//! `match`, `match_phrase`, and words in the field `message`.

use berth_catalog::trail::search::{Column, Condition, Glob};
use serde_json::Value;

use super::bool::minimum;
use super::leaf::text;
use super::{Object, Parser, People, Query, field_of, none_but};
use crate::search::error::{Error, Result};
use crate::search::field::{self, Kind};

/// What a record's message is made of, beside the name of who did it.
const MESSAGE: [Column; 5] =
    [Column::Action, Column::Outcome, Column::Repository, Column::Tag, Column::Digest];
/// Words of one text.
const MOST_WORDS: usize = 32;

impl Parser<'_> {
    pub(super) fn match_text(&mut self, query: &str, body: &Object) -> Result<Query> {
        let (name, value) = field_of(query, body, &["_name"])?;
        let (value, parameters) = match value {
            Value::Object(parameters) => {
                let known = [
                    "query",
                    "operator",
                    "minimum_should_match",
                    "boost",
                    "lenient",
                    "zero_terms_query",
                    "_name",
                ];
                none_but(query, parameters, &known)?;
                let value = parameters
                    .get("query")
                    .ok_or_else(|| Error::parsing(format!("[{query}] requires query value")))?;
                (value, Some(parameters))
            }
            value => (value, None),
        };
        let Some(field) = field::find(name)? else { return Ok(Query::NOTHING) };
        if field.kind != Kind::Message {
            // Keywords, dates, numbers and addresses are not taken apart.
            return self.equals(field, std::slice::from_ref(value));
        }
        let text = text(name, value)?;
        if query == "match_phrase" {
            return self.word(text.trim());
        }
        let parameter = |key: &str| parameters.and_then(|all| all.get(key));
        let all_of_them =
            match parameter("operator").map(|value| value.as_str().unwrap_or_default().to_lowercase()) {
                None => false,
                Some(word) if word == "or" => false,
                Some(word) if word == "and" => true,
                Some(word) => {
                    return Err(Error::argument(format!(
                        "operator needs to be either AND or OR, but not [{word}]"
                    )));
                }
            };
        let words = self.words(&text)?;
        if words.is_empty() {
            return Ok(Query::NOTHING);
        }
        match parameter("minimum_should_match") {
            Some(value) => Ok(Query::AtLeast(minimum(value, words.len())?, words)),
            None if all_of_them => Ok(Query::Every(words)),
            None => Ok(Query::Any(words)),
        }
    }

    /// Takes a text apart into words, and finds each in messages.
    pub(super) fn words(&mut self, text: &str) -> Result<Vec<Query>> {
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.len() > MOST_WORDS {
            return Err(Error::too_many(format!("a text may have {MOST_WORDS} words")));
        }
        words.into_iter().map(|word| self.word(word)).collect()
    }

    /// Finds messages in which a text stands somewhere.
    pub(super) fn word(&mut self, text: &str) -> Result<Query> {
        self.count_clauses(MESSAGE.len() + 1)?;
        if text.is_empty() {
            return Ok(Query::NOTHING);
        }
        if text.len() > 256 {
            return Err(Error::argument("a word of field [message] is longer than 256 bytes"));
        }
        let glob = Glob::containing(text);
        let mut ways: Vec<Query> =
            MESSAGE.iter().map(|column| Query::Is(Condition::Like(*column, glob.clone()))).collect();
        ways.push(Query::Person(People::Like(glob)));
        Ok(Query::Any(ways))
    }
}
