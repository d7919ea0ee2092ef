//! The groups of rows, in the order of the report.

pub(crate) mod audit;
pub(crate) mod blob;
pub(crate) mod bucket;
pub(crate) mod build;
pub(crate) mod cold;
pub(crate) mod collect;
pub(crate) mod image;
pub(crate) mod listing;
pub(crate) mod manifest;
pub(crate) mod memory;
pub(crate) mod nodes;
pub(crate) mod push;
pub(crate) mod queries;
pub(crate) mod scale;
pub(crate) mod start;
pub(crate) mod tags;
pub(crate) mod tls;
pub(crate) mod token;
