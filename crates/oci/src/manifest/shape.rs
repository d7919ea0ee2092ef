//! The check that every reader sees the same document.
//!
//! Clients written in Go match field names without regard to case and take the last of several; a document
//! that uses this would show a client other content than the registry accounts for. This walk also counts
//! before anything is built.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{ManifestError, ManifestLimits};
use crate::text::quoted;

const DOCUMENT: &[&str] = &[
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "subject",
    "annotations",
    "fsLayers",
];
const DESCRIPTOR: &[&str] =
    &["mediaType", "digest", "size", "artifactType", "urls", "annotations", "platform", "data"];

/// Which of the fields that decide about a document's meaning it has.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    present: Vec<&'static str>,
}

impl Shape {
    /// Walks a document.
    pub(crate) fn of(json: &str, limits: &ManifestLimits) -> Result<Self, ManifestError> {
        let mut walk = Walk { limits, present: Vec::new(), problem: None };
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let outcome = Node { walk: &mut walk, expected: Expected::Document }
            .deserialize(&mut deserializer)
            .and_then(|_| deserializer.end());
        match outcome {
            Ok(()) => Ok(Self { present: walk.present }),
            Err(error) => Err(walk.problem.unwrap_or_else(|| ManifestError::json(&error))),
        }
    }

    /// Tells whether the document has the field with a value other than `null`.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.present.contains(&field)
    }
}

struct Walk<'a> {
    limits: &'a ManifestLimits,
    present: Vec<&'static str>,
    /// What to report in place of the parser's error that carried it out.
    problem: Option<ManifestError>,
}

impl Walk<'_> {
    fn fail<E: Error>(&mut self, problem: ManifestError) -> E {
        let error = E::custom(&problem);
        self.problem = Some(problem);
        error
    }
}

#[derive(Clone, Copy)]
enum Expected {
    Document,
    Descriptor,
    /// The descriptors of the named field.
    List(&'static str),
}

/// One value of the document; yields whether it is there, that is, not `null`.
struct Node<'a, 'b> {
    walk: &'a mut Walk<'b>,
    expected: Expected,
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.expected {
            Expected::Document => "a manifest",
            Expected::Descriptor => "a descriptor",
            Expected::List(_) => "a list of descriptors",
        })
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        let Expected::List(field) = self.expected else {
            return Err(A::Error::invalid_type(serde::de::Unexpected::Seq, &self));
        };
        let limit = self.walk.limits.descriptors;
        let mut count = 0;
        while list.next_element_seed(Node { walk: self.walk, expected: Expected::Descriptor })?.is_some() {
            count += 1;
            if count > limit {
                return Err(self.walk.fail(ManifestError::TooManyDescriptors { field, limit }));
            }
        }
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let known = match self.expected {
            Expected::Document => DOCUMENT,
            Expected::Descriptor => DESCRIPTOR,
            Expected::List(_) => return Err(A::Error::invalid_type(serde::de::Unexpected::Map, &self)),
        };
        let mut seen = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let Some(field) = known.iter().copied().find(|field| same_to_some_reader(field, &key)) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if key != field {
                return Err(self.walk.fail(ManifestError::FieldCase { found: quoted(&key), field }));
            }
            if seen.contains(&field) {
                return Err(self.walk.fail(ManifestError::FieldTwice { field }));
            }
            seen.push(field);
            let expected = match (self.expected, field) {
                (Expected::Document, "config" | "subject") => Some(Expected::Descriptor),
                (Expected::Document, "layers" | "manifests") => Some(Expected::List(field)),
                _ => None,
            };
            let present = match expected {
                Some(expected) => map.next_value_seed(Node { walk: self.walk, expected })?,
                None => map.next_value::<Option<IgnoredAny>>()?.is_some(),
            };
            if present && matches!(self.expected, Expected::Document) {
                self.walk.present.push(field);
            }
        }
        Ok(true)
    }
}

/// Compares as Go's JSON package does, which also folds the long s and the Kelvin sign.
fn same_to_some_reader(field: &str, key: &str) -> bool {
    let folded = key.chars().map(|char| match char {
        'ſ' => 's',
        '\u{212a}' => 'k',
        char => char.to_ascii_lowercase(),
    });
    folded.eq(field.chars().map(|char| char.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(json: &str) -> Result<Shape, ManifestError> {
        Shape::of(json, &ManifestLimits { descriptors: 2 })
    }

    #[test]
    fn sees_fields_that_are_not_null() {
        let shape = shape(r#"{"layers":null,"manifests":[],"config":{},"other":[1]}"#).unwrap();
        assert!(shape.has("manifests") && shape.has("config"));
        assert!(!shape.has("layers") && !shape.has("other") && !shape.has("subject"));
    }

    #[test]
    fn refuses_fields_that_readers_see_differently() {
        for json in [
            r#"{"Manifests":[]}"#,
            r#"{"manifeſts":[]}"#,
            r#"{"MEDIATYPE":"a"}"#,
            r#"{"config":{"Digest":"a"}}"#,
            r#"{"layers":[{},{"\u0053ize":1}]}"#,
        ] {
            assert!(matches!(shape(json), Err(ManifestError::FieldCase { .. })), "{json}");
        }
        for json in [r#"{"config":null,"config":{}}"#, r#"{"subject":{"digest":"a","digest":"a"}}"#] {
            assert!(matches!(shape(json), Err(ManifestError::FieldTwice { .. })), "{json}");
        }
        shape(r#"{"annotations":{"Size":"1","size":"2"},"org.example":{"Layers":1,"layers":2}}"#).unwrap();
    }

    #[test]
    fn counts_descriptors() {
        shape(r#"{"manifests":[{},{}],"layers":[{},{}]}"#).unwrap();
        let error = shape(r#"{"layers":[{},{},{}]}"#).unwrap_err();
        assert_eq!(error, ManifestError::TooManyDescriptors { field: "layers", limit: 2 });
    }

    #[test]
    fn refuses_other_types() {
        for json in [
            "[]",
            "1",
            r#""a""#,
            r#"{"config":[]}"#,
            r#"{"layers":{}}"#,
            r#"{"layers":[[]]}"#,
            "{} {}",
            "{",
            "",
        ] {
            assert!(matches!(shape(json), Err(ManifestError::Json { .. })), "{json}");
        }
    }
}
