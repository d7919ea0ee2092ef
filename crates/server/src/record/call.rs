//! Which call of the management API was refused, without what may be a person's name.

use berth_access::is_project;
use berth_audit::Called;
use http::{Method, Uri};
use percent_encoding::percent_decode_str;

/// Segments that are kept of a path.
const MOST: usize = 6;
/// What paths say besides names. Anything else may be anything.
const WORDS: [&str; 16] = [
    "access",
    "application-passwords",
    "bindings",
    "explain",
    "lock",
    "me",
    "members",
    "password",
    "projects",
    "robots",
    "roles",
    "second-factor",
    "secrets",
    "sessions",
    "tokens",
    "users",
];

/// Reads what a call was and whom or what it would have been about.
pub(super) fn called(method: &Method, uri: &Uri) -> Called {
    let mut called = Called { call: method.to_string(), project: None, user: None };
    called.call.push_str(" /api/v1");
    let (mut before, rest) = ("", uri.path().strip_prefix("/api/v1").unwrap_or_default());
    for segment in rest.split('/').filter(|segment| !segment.is_empty()).take(MOST) {
        let name = || Some(percent_decode_str(segment).decode_utf8_lossy().into_owned());
        let (shown, next) = match before {
            "projects" => {
                // What no project can be called may be anything, as a line of a log.
                called.project = name().filter(|name| is_project(name));
                ("{project}", "")
            }
            "users" => {
                called.user = name();
                ("{user}", "")
            }
            "robots" => ("{robot}", ""),
            "roles" => ("{role}", ""),
            "members" | "bindings" | "secrets" | "application-passwords" => ("{id}", ""),
            _ => match WORDS.iter().find(|word| **word == segment) {
                Some(word) => (*word, *word),
                None => ("{other}", ""),
            },
        };
        called.call.push('/');
        called.call.push_str(shown);
        before = next;
    }
    called
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_told_by_its_form() {
        for (method, path, call, project, user) in [
            ("PUT", "/api/v1/users/b%6Fb/password", "PUT /api/v1/users/{user}/password", None, Some("bob")),
            ("GET", "/api/v1/users/users", "GET /api/v1/users/{user}", None, Some("users")),
            (
                "POST",
                "/api/v1/projects/team/robots/ci/secrets",
                "POST /api/v1/projects/{project}/robots/{robot}/secrets",
                Some("team"),
                None,
            ),
            ("GET", "/api/v1/projects/a%0Ab", "GET /api/v1/projects/{project}", None, None),
            ("DELETE", "/api/v1/bindings/7", "DELETE /api/v1/bindings/{id}", None, None),
            ("POST", "/api/v1/me/tokens", "POST /api/v1/me/tokens", None, None),
            ("GET", "/api/v1/alice's/secret", "GET /api/v1/{other}/{other}", None, None),
            (
                "GET",
                "/api/v1/a/b/c/d/e/f/g/h",
                "GET /api/v1/{other}/{other}/{other}/{other}/{other}/{other}",
                None,
                None,
            ),
        ] {
            let told = called(&method.parse().unwrap(), &path.parse().unwrap());
            assert_eq!(told.call, call);
            assert_eq!((told.project.as_deref(), told.user.as_deref()), (project, user), "{path}");
        }
    }
}
