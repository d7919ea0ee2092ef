//! `berth ready`: asks a running server whether it is ready; ends with 0 or 1, for health checks.

use std::process::ExitCode;

use super::block_on;
use crate::cli::Ready;
use crate::config;

/// Asks the running server whether it is ready; says why if not. Docker knows 0 and 1 as the ends of a health check, and no other.
pub(super) fn run(arguments: Ready) -> ExitCode {
    let asked = config::load(arguments.flags.into())
        .and_then(|loaded| block_on(async { Ok(berth_server::probe(&loaded.config.http).await?) }));
    match asked {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
