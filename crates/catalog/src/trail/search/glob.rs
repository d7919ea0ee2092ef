//! Patterns with `*` and `?`, as each database writes them.

/// A pattern for a whole text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    /// In order.
    pub pieces: Vec<Piece>,
    /// Whether `A` is `a`.
    pub ignores_case: bool,
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Exactly this.
    Text(String),
    /// Any one character.
    One,
    /// Any number of characters.
    Many,
}

impl Glob {
    /// Finds a text anywhere, in small letters or capitals.
    pub fn containing(text: &str) -> Self {
        Self { pieces: vec![Piece::Many, Piece::Text(text.to_owned()), Piece::Many], ignores_case: true }
    }

    /// Writes it for `LIKE … ESCAPE '\'`.
    pub(super) fn like(&self) -> String {
        self.write('_', '%', |char, out| {
            if matches!(char, '_' | '%' | '\\') {
                out.push('\\');
            }
            out.push(char);
        })
    }

    /// Writes it for SQLite's `GLOB`, which minds case as `LIKE` there does not.
    pub(super) fn glob(&self) -> String {
        self.write('?', '*', |char, out| {
            if matches!(char, '*' | '?' | '[') {
                out.extend(['[', char, ']']);
            } else {
                out.push(char);
            }
        })
    }

    fn write(&self, one: char, many: char, escape: impl Fn(char, &mut String)) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => text.chars().for_each(|char| escape(char, &mut out)),
                Piece::One => out.push(one),
                Piece::Many => out.push(many),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_special_in_one_form_is_escaped_there() {
        let pieces = vec![Piece::Text("a%[*".into()), Piece::One, Piece::Many];
        let glob = Glob { pieces, ignores_case: false };
        assert_eq!(glob.like(), r"a\%[*_%");
        assert_eq!(glob.glob(), "a%[[][*]?*");
    }
}
