//! The fields of a record for who searches: names of the Elastic Common Schema, and Berth's own below `berth`.

use berth_catalog::trail::search::Column;

use super::error::{Error, Result};

/// A field that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field {
    /// Its first name.
    pub(crate) name: &'static str,
    /// What its values are.
    pub(crate) kind: Kind,
}

/// What the values of a field are, and where they lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A whole text.
    Keyword(Column),
    /// A moment.
    Date,
    /// A number.
    Long(Column),
    /// An address.
    Address,
    /// The name of who did it, which the trail itself does not hold for persons.
    Person,
    /// The same in all records.
    Same(&'static str),
    /// Words: what a record says of itself.
    Message,
}

/// The version of the Elastic Common Schema that documents follow.
pub(crate) const ECS_VERSION: &str = "8.17.0";
/// The same in all records.
pub(crate) const DATASET: &str = "berth.audit";

/// Every field, by every name.
pub(crate) const FIELDS: [(&str, Field); 23] = {
    const fn field(name: &'static str, kind: Kind) -> Field {
        Field { name, kind }
    }
    use Column as C;
    use Kind::{Address, Date, Keyword, Long, Message, Person, Same};
    let action = field("event.action", Keyword(C::Action));
    [
        ("@timestamp", field("@timestamp", Date)),
        ("action", action),
        ("event.action", action),
        ("event.outcome", field("event.outcome", Keyword(C::Outcome))),
        ("event.kind", field("event.kind", Same("event"))),
        ("event.dataset", field("event.dataset", Same(DATASET))),
        ("event.id", field("event.id", Keyword(C::Id))),
        ("event.sequence", field("event.sequence", Long(C::Position))),
        ("_id", field("_id", Keyword(C::Id))),
        ("ecs.version", field("ecs.version", Same(ECS_VERSION))),
        ("user.name", field("user.name", Person)),
        ("user.id", field("user.id", Keyword(C::Actor))),
        ("source.ip", field("source.ip", Address)),
        ("user_agent.original", field("user_agent.original", Keyword(C::Agent))),
        ("http.request.id", field("http.request.id", Keyword(C::RequestId))),
        ("http.response.status_code", field("http.response.status_code", Long(C::Status))),
        ("berth.identity", field("berth.identity", Keyword(C::Kind))),
        ("berth.project", field("berth.project", Keyword(C::Project))),
        ("berth.repository", field("berth.repository", Keyword(C::Repository))),
        ("berth.tag", field("berth.tag", Keyword(C::Tag))),
        ("berth.digest", field("berth.digest", Keyword(C::Digest))),
        ("berth.proof", field("berth.proof", Keyword(C::Proof))),
        ("message", field("message", Message)),
    ]
};

/// Finds a field. `None` is one that no record has: it matches nothing, as in Elasticsearch.
///
/// # Errors
/// Records have it, but it can't be searched.
pub(crate) fn find(name: &str) -> Result<Option<Field>> {
    // Who learnt to search by dynamic mappings adds it.
    let plain = name.strip_suffix(".keyword").unwrap_or(name);
    if plain == "berth.detail" || plain.starts_with("berth.detail.") {
        return Err(Error::not_indexed(name));
    }
    Ok(FIELDS.iter().find(|(known, _)| *known == plain).map(|(_, field)| *field))
}

impl Kind {
    /// The word for it in mappings.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Keyword(_) | Self::Person => "keyword",
            Self::Date => "date",
            Self::Long(_) => "long",
            Self::Address => "ip",
            Self::Same(_) => "constant_keyword",
            Self::Message => "text",
        }
    }

    /// Returns the column that records are sorted and counted by.
    pub(crate) fn column(self) -> Option<Column> {
        match self {
            Self::Keyword(column) | Self::Long(column) => Some(column),
            Self::Date => Some(Column::At),
            Self::Address => Some(Column::Client),
            Self::Person => Some(Column::Actor),
            Self::Same(_) | Self::Message => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_and_suffixes_lead_to_one_field() {
        let action = find("event.action").unwrap();
        assert!(action.is_some());
        assert_eq!(find("action").unwrap(), action);
        assert_eq!(find("action.keyword").unwrap(), action);
        assert_eq!(find("nothing.of.the.kind").unwrap(), None);
    }

    #[test]
    fn what_is_shown_and_not_indexed_is_refused_by_name() {
        let error = find("berth.detail.previous").unwrap_err();
        assert!(error.reason.contains("[berth.detail.previous]"), "{error}");
    }
}
