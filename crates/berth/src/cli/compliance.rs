//! The command line of the compliance report.

use clap::{Args, Subcommand, ValueEnum};

use super::Place;

#[derive(Debug, Args)]
pub(crate) struct Compliance {
    #[command(subcommand)]
    pub(crate) command: ComplianceCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ComplianceCommand {
    /// Print how this installation stands against 等保2.0 level 3 and the GDPR
    #[command(after_help = "\
Reads the configuration, the catalog and the audit trail, beside a running server, and changes
nothing. Each clause is met, partly (something is to be done, and the report says what), unmet,
lacking (Berth has nothing for it), or outside: not a registry's to do.

Examples:
      berth compliance report --config /etc/berth.yaml
      berth compliance report --scheme djcp --language zh-cn
      berth compliance report --format json | jq .")]
    Report(ComplianceReport),
}

#[derive(Debug, Args)]
pub(crate) struct ComplianceReport {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Only these clauses
    #[arg(long)]
    pub(crate) scheme: Option<ComplianceScheme>,
    /// The language of what it says
    #[arg(long, default_value = "en")]
    pub(crate) language: ComplianceLanguage,
    /// For people or for machines
    #[arg(long, default_value = "text")]
    pub(crate) format: ComplianceFormat,
    /// Exit with 1 unless every clause that is a registry's to meet is met
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ComplianceScheme {
    /// GB/T 22239-2019 8.1.4
    Djcp,
    /// Regulation (EU) 2016/679
    Gdpr,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ComplianceFormat {
    /// For people
    Text,
    /// For machines
    Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ComplianceLanguage {
    /// English
    En,
    /// 简体中文
    ZhCn,
}
