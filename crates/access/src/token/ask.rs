//! What a client asks a token for: Docker's `scope` parameters, and the actions their words stand for.

use berth_oci::RepositoryName;

use crate::action::{Action, Actions};

/// What the word `push` stands for: which of them a push takes is decided in its transaction.
const PUSH: Actions =
    Actions::NONE.with(Action::Push).with(Action::Create).with(Action::Update).with(Action::Sign);
const PULL: Actions = Actions::NONE.with(Action::Pull);
const DELETE: Actions = Actions::NONE.with(Action::Delete);

/// The words of Docker's scopes, and what they stand for.
const WORDS: [(&str, Actions); 3] = [("pull", PULL), ("push", PUSH), ("delete", DELETE)];

/// Something that a client asks a token for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// To do these to a repository.
    Repository(RepositoryName, Actions),
    /// To list repositories.
    Catalog,
}

impl Ask {
    /// Reads a `scope` parameter: scopes with spaces between, such as `repository:library/nginx:pull,push`. What isn't understood is
    /// left out, as the specification wants it.
    pub fn parse_all(text: &str) -> impl Iterator<Item = Self> {
        text.split_ascii_whitespace().filter_map(Self::parse)
    }

    fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let (name, words) = rest.rsplit_once(':')?;
        // A class, as in `repository(plugin)`, says what the repository holds.
        let kind = match kind.split_once('(') {
            Some((kind, class)) => class.strip_suffix(')').filter(|class| !class.is_empty()).map(|_| kind)?,
            None => kind,
        };
        match (kind, name) {
            ("registry", "catalog") => words.split(',').any(|word| word == "*").then_some(Self::Catalog),
            ("repository", name) => {
                let actions = actions(words.split(','));
                (!actions.is_empty()).then_some(())?;
                Some(Self::Repository(name.parse().ok()?, actions))
            }
            _ => None,
        }
    }
}

/// Returns what words stand for. Unknown ones stand for nothing.
pub(super) fn actions<'a>(words: impl Iterator<Item = &'a str>) -> Actions {
    words
        .flat_map(|word| WORDS.iter().filter(move |(known, _)| word == *known || word == "*"))
        .fold(Actions::NONE, |all, (_, actions)| all.or(*actions))
}

/// Returns the words for what a token may do.
pub(super) fn words(actions: Actions) -> impl Iterator<Item = &'static str> {
    WORDS.into_iter().filter(move |(_, some)| !actions.and(*some).is_empty()).map(|(word, _)| word)
}
