//! The registry through its public face, on a real catalog and a real disk.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test says what is wrong by panicking"
)]

/// Makes two tests of each function: one on SQLite, one on PostgreSQL.
macro_rules! on_both {
    (on 4 threads: $($test:ident),* $(,)?) => {
        $crate::on_both! { (flavor = "multi_thread", worker_threads = 4) $($test)* }
    };
    ($($test:ident),* $(,)?) => {
        $crate::on_both! { (flavor = "current_thread") $($test)* }
    };
    ($threads:tt $($test:ident)*) => {
        mod sqlite {
            $(#[tokio::test $threads]
            async fn $test() {
                super::$test($crate::fixture::On::Sqlite).await;
            })*
        }
        mod postgres {
            $(#[tokio::test $threads]
            async fn $test() {
                super::$test($crate::fixture::On::Postgres).await;
            })*
        }
    };
}
pub(crate) use on_both;

mod bucket;
mod collect;
mod damage;
mod delete;
mod faults;
mod fixture;
mod import;
mod model;
mod nodes;
mod outage;
mod project;
mod pull;
mod push;
mod races;
mod read_only;
mod upload;
mod verify;
