//! Searches of the trail: conditions and orders in the columns' terms, made into statements of either database.
//!
//! Statements are built, values are bound, and columns come from an enum, so nothing that a client wrote is ever part of a statement's
//! text. What a search may cost is the caller's to bound: [`Trail::search`](super::Trail::search) ends one that takes too long.

mod apart;
mod ask;
mod condition;
mod glob;
mod hours;

pub use ask::{After, Counted, Direction, Edge, Group, Key, Sort, count_distinct, edge, page};
pub(crate) use condition::IN_NETWORK;
pub use glob::{Glob, Piece};
pub use hours::{buckets, count, groups};

use std::ops::Bound;

use ipnet::IpNet;
use sea_query::Iden;

/// A column that can be searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    /// Place in the trail.
    Position,
    /// Random id.
    Id,
    /// When, in microseconds since 1970.
    At,
    /// What was done.
    Action,
    /// `success` or `failure`.
    Outcome,
    /// Who did it.
    Actor,
    /// What the actor is.
    Kind,
    /// How the actor proved who it is.
    Proof,
    /// First component of the repository's name.
    Project,
    /// Where.
    Repository,
    /// Which tag.
    Tag,
    /// Which manifest or blob.
    Digest,
    /// Status of the answer.
    Status,
    /// The request's id.
    RequestId,
    /// The client's address.
    Client,
    /// The client's `User-Agent`.
    Agent,
}

impl Column {
    fn name(self) -> &'static str {
        match self {
            Self::Position => "position",
            Self::Id => "id",
            Self::At => "at",
            Self::Action => "action",
            Self::Outcome => "outcome",
            Self::Actor => "actor",
            Self::Kind => "kind",
            Self::Proof => "proof",
            Self::Project => "project",
            Self::Repository => "repository",
            Self::Tag => "tag",
            Self::Digest => "digest",
            Self::Status => "status",
            Self::RequestId => "request_id",
            Self::Client => "client",
            Self::Agent => "agent",
        }
    }

    /// Tells whether it holds numbers.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Position | Self::At | Self::Status)
    }

    /// Tells whether a record may have nothing in it.
    pub fn is_optional(self) -> bool {
        matches!(
            self,
            Self::Project
                | Self::Repository
                | Self::Tag
                | Self::Digest
                | Self::Status
                | Self::RequestId
                | Self::Client
                | Self::Agent
        )
    }
}

impl Iden for Column {
    fn unquoted(&self) -> &str {
        self.name()
    }
}

/// A value to compare with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// For columns of numbers.
    Int(i64),
    /// For the others.
    Text(String),
}

/// Which records are meant. A record that has nothing in a column is not one that has some value there, also where that is negated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Every record.
    All,
    /// None.
    Nothing,
    /// Those that a condition does not hold for.
    Not(Box<Self>),
    /// Those that every one holds for.
    Every(Vec<Self>),
    /// Those that one of these holds for.
    Any(Vec<Self>),
    /// Those that so many of these hold for.
    AtLeast(usize, Vec<Self>),
    /// A column holds one of these values.
    In(Column, Vec<Value>),
    /// A column's value lies between these.
    Between(Column, Bound<Value>, Bound<Value>),
    /// A column's text begins so.
    Begins(Column, String),
    /// A column's text looks so.
    Like(Column, Glob),
    /// A column holds something.
    Present(Column),
    /// The client's address lies in a network.
    Within(IpNet),
}

impl Condition {
    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, other) | (other, Self::All) => other,
            (Self::Nothing, _) | (_, Self::Nothing) => Self::Nothing,
            (Self::Every(mut all), other) => {
                all.push(other);
                Self::Every(all)
            }
            (one, other) => Self::Every(vec![one, other]),
        }
    }
}

#[cfg(test)]
mod tests;
