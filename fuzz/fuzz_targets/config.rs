//! The configuration: no document makes the reader panic, and what it accepts survives being written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::{Deserialize, Serialize};

/// The rooms' own configurations, composed as the program composes them.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    http: berth_server::Config,
    #[serde(default)]
    access: berth_access::Config,
    #[serde(default)]
    limits: berth_registry::Limits,
    #[serde(default)]
    storage: berth_registry::Storage,
}

fuzz_target!(|text: &str| {
    let Ok(config) = serde_saphyr::from_str::<Config>(text) else { return };
    let _ = (config.http.check(), config.access.validate());
    let written = serde_json::to_string(&config).expect("a configuration can be written");
    assert_eq!(serde_json::from_str::<Config>(&written).expect("what was written can be read"), config);
});
