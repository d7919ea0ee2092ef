//! Who may do what: all tables but sessions and spent tokens, which end with the move, and the generation, which each side counts for itself.

use super::Kind::{Bytes, Int, Text};
use super::Table;

/// Every one, those first that others name.
pub(in crate::moving) const TABLES: [Table; 13] = [
    Table {
        parked: Some("name = 'moving ' || id"),
        ..Table::new(
            "project",
            &[("id", Int)],
            &[("name", Text), ("public", Int), ("settings", Text), ("created_at", Int), ("created_by", Text)],
        )
    },
    Table {
        parked: Some("name = 'moving ' || id"),
        ..Table::new(
            "role",
            &[("id", Int)],
            &[("name", Text), ("description", Text), ("policies", Text), ("changed_at", Int)],
        )
    },
    Table {
        parked: Some("subject = 'moving ' || id"),
        ..Table::new(
            "binding",
            &[("id", Int)],
            &[
                ("kind", Text),
                ("subject", Text),
                ("role", Text),
                ("project", Text),
                ("created_at", Int),
                ("created_by", Text),
            ],
        )
    },
    Table {
        parked: Some("name = 'moving ' || id, external = NULL"),
        ..Table::new(
            "account",
            &[("id", Int)],
            &[
                ("name", Text),
                ("source", Text),
                ("external", Text),
                ("display_name", Text),
                ("email", Text),
                ("password", Text),
                ("password_changed_at", Int),
                ("must_change", Int),
                ("failures", Int),
                ("locked_until", Int),
                ("totp", Bytes),
                ("totp_step", Int),
                ("member_of", Text),
                ("disabled_at", Int),
                ("valid_after", Int),
                ("created_at", Int),
                ("seen_at", Int),
            ],
        )
    },
    Table::new("old_password", &[("account_id", Int), ("changed_at", Int)], &[("password", Text)]),
    Table {
        parked: Some("secret = 'moving ' || id"),
        ..Table::new(
            "app_password",
            &[("id", Int)],
            &[
                ("account_id", Int),
                ("name", Text),
                ("secret", Text),
                ("created_at", Int),
                ("expires_at", Int),
                ("revoked_at", Int),
                ("used_at", Int),
            ],
        )
    },
    Table {
        parked: Some("name = 'moving ' || id"),
        ..Table::new(
            "robot",
            &[("id", Int)],
            &[
                ("name", Text),
                ("project", Text),
                ("description", Text),
                ("policies", Text),
                ("owner", Text),
                ("known_to", Text),
                ("created_at", Int),
                ("expires_at", Int),
                ("disabled_at", Int),
                ("valid_after", Int),
                ("used_at", Int),
            ],
        )
    },
    Table {
        parked: Some("secret = 'moving ' || id"),
        ..Table::new(
            "robot_secret",
            &[("id", Int)],
            &[("robot_id", Int), ("secret", Text), ("created_at", Int), ("expires_at", Int)],
        )
    },
    Table {
        parked: Some("name = 'moving ' || id"),
        ..Table::new("logout", &[("id", Int)], &[("name", Text), ("valid_after", Int)])
    },
    Table {
        parked: Some("kid = 'moving ' || id"),
        ..Table::new(
            "signing_key",
            &[("id", Int)],
            &[("kid", Text), ("sealed", Bytes), ("public", Text), ("created_at", Int), ("gone_at", Int)],
        )
    },
    Table {
        parked: Some("kid = 'moving ' || id"),
        ..Table::new("vault_key", &[("id", Int)], &[("kid", Text), ("material", Bytes), ("created_at", Int)])
    },
    Table {
        parked: Some("name = 'moving ' || id"),
        ..Table::new("secret", &[("id", Int)], &[("name", Text), ("sealed", Bytes), ("changed_at", Int)])
    },
    Table {
        parked: Some("pseudonym = 'moving ' || id, name = NULL"),
        ..Table::new(
            "subject",
            &[("id", Int)],
            &[
                ("pseudonym", Text),
                ("name", Text),
                ("sealed", Bytes),
                ("created_at", Int),
                ("erased_at", Int),
                ("blanked_at", Int),
            ],
        )
    },
];
