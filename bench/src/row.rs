//! The groups of rows, in the order of the report.

pub(crate) mod blob;
pub(crate) mod build;
pub(crate) mod cold;
pub(crate) mod collect;
pub(crate) mod image;
pub(crate) mod listing;
pub(crate) mod manifest;
pub(crate) mod memory;
pub(crate) mod push;
pub(crate) mod scale;
pub(crate) mod start;
pub(crate) mod tls;
