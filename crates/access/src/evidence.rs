//! Which secret proved a caller: its sessions and tokens bear that along, and end with the secret.

use std::sync::Arc;

use berth_catalog::account::AccountId;
use berth_catalog::app_password::AppPasswordId;
use berth_catalog::robot_secret::RobotSecretId;
use jiff::Timestamp;

/// By which secret a caller proved who it is, so that what it got for that ends with the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// Whatever proves an account, as it stood then.
    Account {
        /// The account.
        id: AccountId,
    },
    /// The password of a user of the configuration.
    Configured {
        /// Stands for the password's hash.
        fingerprint: Arc<str>,
    },
    /// A secret that Berth made up.
    Secret {
        /// Which.
        id: SecretId,
        /// When it ends by itself.
        until: Option<Timestamp>,
    },
}

/// A secret that Berth made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SecretId {
    /// A password that a user made for one client.
    Application(AppPasswordId),
    /// A robot's.
    Robot(RobotSecretId),
}

impl Evidence {
    /// When it ends by itself.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Secret { until, .. } => *until,
            Self::Account { .. } | Self::Configured { .. } => None,
        }
    }

    /// The secret, if Berth made it up.
    pub(crate) fn secret(&self) -> Option<SecretId> {
        match self {
            Self::Secret { id, .. } => Some(*id),
            Self::Account { .. } | Self::Configured { .. } => None,
        }
    }

    /// Stands for the password's hash of a user of the configuration.
    pub(crate) fn fingerprint(&self) -> Option<&str> {
        match self {
            Self::Configured { fingerprint, .. } => Some(fingerprint),
            Self::Account { .. } | Self::Secret { .. } => None,
        }
    }

    /// What a token says of it. Of accounts, the time when it was signed says enough.
    pub(crate) fn to_claim(&self) -> Option<String> {
        match self {
            Self::Account { .. } => None,
            Self::Configured { fingerprint, .. } => Some(format!("c{fingerprint}")),
            Self::Secret { id: SecretId::Application(id), .. } => Some(format!("a{}", id.0)),
            Self::Secret { id: SecretId::Robot(id), .. } => Some(format!("r{}", id.0)),
        }
    }

    /// Reads that; `None` for what we never wrote.
    pub(crate) fn of_claim(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_at_checked(1)?;
        let secret = |id| Self::Secret { id, until: None };
        match kind {
            "c" => Some(Self::Configured { fingerprint: rest.into() }),
            "a" => Some(secret(SecretId::Application(AppPasswordId(rest.parse().ok()?)))),
            "r" => Some(secret(SecretId::Robot(RobotSecretId(rest.parse().ok()?)))),
            _ => None,
        }
    }
}
