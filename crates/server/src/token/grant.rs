//! What a form proves who the client is by: a password, a refresh token, or the token of a job's system.

/// What a form holds instead of the header's credentials. Debug is written by hand: it shows no password.
#[derive(Default)]
pub(super) enum Grant {
    #[default]
    None,
    Password {
        name: String,
        password: String,
    },
    Refresh(String),
    Job(String),
}

impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Password { .. } => "Password",
            Self::Refresh(_) => "Refresh",
            Self::Job(_) => "Job",
        })
    }
}
