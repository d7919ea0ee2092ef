//! Whether the database and the bucket that nodes share answer.

use super::super::block_on;
use super::report::{Finding, Report};
use crate::config::Config;
use crate::data;

const DATABASE: &str = "database";
const BUCKET: &str = "bucket";

/// Asks what nodes share, if anything, whether it answers.
pub(super) fn check(config: &Config, report: &mut Report) {
    if let Some(url) = &config.database.url {
        report.add(match block_on(data::schema(config)) {
            Ok(schema) if schema.found > schema.known => Finding::bad(
                DATABASE,
                format!(
                    "{url} has version {} of the tables, this binary knows {}",
                    schema.found, schema.known
                ),
                "run the newer berth",
            ),
            Ok(schema) if schema.found == 0 => {
                Finding::good(DATABASE, format!("{url} answers; berth serve will make the tables"))
            }
            Ok(schema) => {
                Finding::good(DATABASE, format!("{url} answers with version {} of the tables", schema.found))
            }
            Err(error) => Finding::bad(
                DATABASE,
                format!("{error:#}"),
                "see that this machine may connect, and that role, password and database are right",
            ),
        });
    }
    if let Some(bucket) = &config.storage.bucket {
        let url = &bucket.url;
        report.add(match block_on(data::store_name(config)) {
            Ok(Some(name)) => Finding::good(BUCKET, format!("{url} answers and is store {name}")),
            Ok(None) => Finding::good(BUCKET, format!("{url} answers; berth serve will give it a name")),
            Err(error) => Finding::bad(
                BUCKET,
                format!("{error:#}"),
                "see that the bucket exists, that this machine reaches it, and that the keys may use it",
            ),
        });
    }
}
