//! What a request said, and what it is answered.

/// What a request said: `GET /path`, and its `Authorization`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) authorization: Option<String>,
    pub(crate) range: Option<String>,
}

impl Asked {
    pub(crate) fn parse(head: &str) -> Self {
        let header = |name: &str| {
            let found = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
            found.map(|line| line[name.len() + 1..].trim().to_owned())
        };
        let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
        Self { line, authorization: header("authorization"), range: header("range") }
    }
}

/// An answer with a status, headers and a body.
pub(crate) fn answer(status: u16, headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().flat_map(|header| [*header, "\r\n"]).collect();
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}")
}
