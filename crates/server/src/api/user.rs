//! `/users`: accounts, and what is done to them. Nothing here shows a password, a hash or a second factor.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use berth_access::{KnownUser, NewUser, UserChange};
use berth_catalog::account::Account;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::input::{Asking, Input, Named, created, reply};
use super::page::Paging;
use super::problem::Problem;
use crate::app::App;

/// An account as calls show it.
#[derive(Serialize)]
struct Shown {
    name: String,
    source: &'static str,
    display_name: Option<String>,
    email: Option<String>,
    groups: Vec<String>,
    must_change_password: bool,
    second_factor: bool,
    password_changed_at: Option<String>,
    locked_until: Option<String>,
    disabled_at: Option<String>,
    created_at: Option<String>,
    seen_at: Option<String>,
    /// Whether it stands in the configuration, where calls can't change it.
    fixed: bool,
}

impl From<Account> for Shown {
    fn from(account: Account) -> Self {
        let text = |time: Option<jiff::Timestamp>| time.map(|time| time.to_string());
        Self {
            source: account.source.as_str(),
            must_change_password: account.must_change,
            second_factor: account.totp.is_some(),
            password_changed_at: text(account.password_changed_at),
            locked_until: text(account.locked_until),
            disabled_at: text(account.disabled_at),
            created_at: Some(account.created_at.to_string()),
            seen_at: text(account.seen_at),
            name: account.name,
            display_name: account.display_name,
            email: account.email,
            groups: account.groups,
            fixed: false,
        }
    }
}

impl From<KnownUser> for Shown {
    fn from(user: KnownUser) -> Self {
        match user {
            KnownUser::Account(account) => (*account).into(),
            KnownUser::Configured(name) => Self {
                name,
                source: "configuration",
                fixed: true,
                display_name: None,
                email: None,
                groups: Vec::new(),
                must_change_password: false,
                second_factor: false,
                password_changed_at: None,
                locked_until: None,
                disabled_at: None,
                created_at: None,
                seen_at: None,
            },
        }
    }
}

/// What makes an account: no field gives a right.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    name: String,
    password: String,
    display_name: Option<String>,
    email: Option<String>,
}

/// What may change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    display_name: Option<String>,
    email: Option<String>,
    disabled: Option<bool>,
}

/// A password for somebody else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Password {
    password: String,
}

/// `GET /users`
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    page: Paging,
) -> Result<Response, Problem> {
    let after = page.last.as_deref().unwrap_or_default();
    let found = app.manage()?.users(&caller, after, page.limit()).await?;
    let shown: Vec<Shown> = found.into_iter().map(Into::into).collect();
    Ok(page.reply(shown, |account| account.name.clone()))
}

/// `POST /users`
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Input(New { name, password, display_name, email }): Input<New>,
) -> Result<Response, Problem> {
    let new = NewUser { name: name.clone(), display_name, email, password, own_choice: false };
    let account = app.manage()?.create_user(&caller, new).await?;
    Ok(created(&["users", &name], &Shown::from(account)))
}

/// `GET /users/{user}`
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Named(name): Named<String>,
) -> Result<Response, Problem> {
    Ok(reply(&Shown::from(app.manage()?.known_user(&caller, &name).await?)))
}

/// `PATCH /users/{user}`
pub(super) async fn change(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Named(name): Named<String>,
    Input(Change { display_name, email, disabled }): Input<Change>,
) -> Result<Response, Problem> {
    let change = UserChange { display_name, email, disabled };
    if change == UserChange::default() {
        return Err(Problem::invalid("nothing to change: give display_name, email or disabled"));
    }
    Ok(reply(&Shown::from(app.manage()?.change_user(&caller, &name, change).await?)))
}

/// `DELETE /users/{user}`
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Named(name): Named<String>,
) -> Result<Response, Problem> {
    app.manage()?.delete_user(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `PUT /users/{user}/password`
pub(super) async fn reset_password(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Named(name): Named<String>,
    Input(Password { password }): Input<Password>,
) -> Result<Response, Problem> {
    app.manage()?.reset_password(&caller, &name, &password).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `DELETE /users/{user}/second-factor`
pub(super) async fn remove_factor(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Named(name): Named<String>,
) -> Result<Response, Problem> {
    app.manage()?.remove_factor(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `DELETE /users/{user}/lock`
pub(super) async fn unlock(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Named(name): Named<String>,
) -> Result<Response, Problem> {
    app.manage()?.unlock_user(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `DELETE /users/{user}/sessions`
pub(super) async fn log_out(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Named(name): Named<String>,
) -> Result<Response, Problem> {
    app.manage()?.log_out_everywhere(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
