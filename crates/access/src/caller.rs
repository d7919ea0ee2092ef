//! Who calls, how that was proved and from where, and how logs name the caller.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use berth_catalog::event::Author;
use jiff::Timestamp;

use crate::evidence::Evidence;
use crate::origin::Origin;
use crate::person::{Person, Persons};
use crate::scope::Scope;

/// Who sent a request, as far as its credentials proved it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Identity {
    /// Nobody in particular: a request without credentials.
    Anonymous,
    /// A person, by the name to log in with.
    User(Arc<str>),
    /// A robot account, by its whole name: `robot+NAME`, or `robot+PROJECT+NAME`.
    Robot(Arc<str>),
    /// A job that another service vouched for, by `ci:TRUST/SUBJECT`. The colon keeps it apart from users.
    Workload(Arc<str>),
    /// Work that the operator of the machine ordered by a command. Its name has a colon, which no user's has.
    Work(&'static str),
}

impl Identity {
    /// The name of [`Identity::Anonymous`], which no user may have.
    pub const ANONYMOUS: &'static str = "anonymous";

    /// Returns a name that is stable and different for every identity.
    pub fn name(&self) -> &str {
        match self {
            Self::Anonymous => Self::ANONYMOUS,
            Self::User(name) | Self::Robot(name) | Self::Workload(name) => name,
            Self::Work(name) => name,
        }
    }

    /// Reads what [`kind`](Self::kind) and [`name`](Self::name) wrote; `None` for what can't come in from outside.
    pub(crate) fn of(kind: &str, name: &str) -> Option<Self> {
        match kind {
            "anonymous" if name == Self::ANONYMOUS => Some(Self::Anonymous),
            "user" => Some(Self::User(name.into())),
            "robot" => Some(Self::Robot(name.into())),
            "workload" => Some(Self::Workload(name.into())),
            _ => None,
        }
    }

    /// The word for its kind in logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::User(_) => "user",
            Self::Robot(_) => "robot",
            Self::Workload(_) => "workload",
            Self::Work(_) => "work",
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a caller proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Proof {
    /// Not at all.
    None,
    /// By a user's password.
    Password,
    /// By a password that a user made for one client.
    ApplicationPassword,
    /// By a robot account's secret.
    RobotSecret,
    /// By a client certificate.
    Certificate,
    /// By a browser session.
    Session,
    /// By a token for the management API.
    ApiToken,
    /// By the token of a service that Berth trusts.
    Federation,
    /// By sitting at the machine.
    Order,
}

impl Proof {
    /// Those that somebody who calls from outside can have.
    const OUTSIDE: [Self; 8] = [
        Self::None,
        Self::Password,
        Self::ApplicationPassword,
        Self::RobotSecret,
        Self::Certificate,
        Self::Session,
        Self::ApiToken,
        Self::Federation,
    ];

    /// Reads what [`as_str`](Self::as_str) wrote; `None` for what can't come in from outside.
    pub(crate) fn of(text: &str) -> Option<Self> {
        Self::OUTSIDE.into_iter().find(|proof| proof.as_str() == text)
    }

    /// The word for it in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Password => "password",
            Self::ApplicationPassword => "application_password",
            Self::RobotSecret => "robot_secret",
            Self::Certificate => "certificate",
            Self::Session => "session",
            Self::ApiToken => "api_token",
            Self::Federation => "federation",
            Self::Order => "order",
        }
    }
}

/// Who calls, how that was proved, from where, and what a token narrows the call to. Cheap to clone.
#[derive(Clone)]
pub struct Caller(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    identity: Identity,
    proof: Proof,
    evidence: Option<Evidence>,
    as_of: Option<Timestamp>,
    groups: Arc<[Arc<str>]>,
    /// Set when the call came with a token of Berth's own: nothing beyond it is allowed, whatever the roles say.
    scope: Option<Arc<Scope>>,
    origin: Option<Arc<Origin>>,
    logged: Logged,
}

/// How logs name the caller.
#[derive(Clone, Default)]
enum Logged {
    /// As everybody else does: nobody keeps pseudonyms, or the caller is no person.
    #[default]
    Plainly,
    /// As this person: for a caller without credentials, the one that stands for nobody in particular.
    As(Person),
    /// Not yet: who it is in logs could not be found out.
    NotYet,
}

impl Caller {
    /// A caller who proved to be `identity` by `proof`.
    pub fn new(identity: Identity, proof: Proof) -> Self {
        Self(Arc::new(Inner {
            identity,
            proof,
            evidence: None,
            as_of: None,
            groups: Arc::default(),
            scope: None,
            origin: None,
            logged: Logged::Plainly,
        }))
    }

    /// A caller without credentials.
    pub fn anonymous() -> Self {
        Self::new(Identity::Anonymous, Proof::None)
    }

    /// A user who gave the right password.
    pub fn user(name: &str) -> Self {
        Self::new(Identity::User(name.into()), Proof::Password)
    }

    /// Adds the groups that the caller belongs to, as whoever vouched for it named them.
    #[must_use]
    pub fn with_groups(self, groups: Arc<[Arc<str>]>) -> Self {
        self.changed(|inner| inner.groups = groups)
    }

    /// The names of its groups, to be written down.
    pub(crate) fn group_names(&self) -> Vec<String> {
        self.groups().iter().map(ToString::to_string).collect()
    }

    /// Says by which secret it was proved.
    #[must_use]
    pub(crate) fn by(self, evidence: Option<Evidence>) -> Self {
        self.changed(|inner| inner.evidence = evidence)
    }

    /// Says as of when it was proved.
    #[must_use]
    pub(crate) fn proved(self, as_of: Option<Timestamp>) -> Self {
        self.changed(|inner| inner.as_of = as_of)
    }

    /// Allows nothing beyond `scope`.
    #[must_use]
    pub fn within(self, scope: Arc<Scope>) -> Self {
        self.changed(|inner| inner.scope = Some(scope))
    }

    /// Says where the request came from.
    #[must_use]
    pub fn from(self, origin: Arc<Origin>) -> Self {
        self.changed(|inner| inner.origin = Some(origin))
    }

    /// Finds out how logs name the caller, so that what it changes can bear that name.
    pub(crate) async fn logged_by(self, persons: &Persons) -> Self {
        let name = match &self.0.identity {
            Identity::User(name) => &**name,
            Identity::Anonymous => Persons::NOBODY,
            Identity::Robot(_) | Identity::Workload(_) | Identity::Work(_) => return self,
        };
        let logged = match persons.remembered(name) {
            Some(subject) => Logged::As(subject),
            // A pull need not wait for that.
            None if persons.is_out_of_reach() => Logged::NotYet,
            None => persons.of(name).await.map_or_else(
                |error| {
                    tracing::warn!(%error, "cannot find out how logs name a caller: it can pull, and change nothing");
                    Logged::NotYet
                },
                Logged::As,
            ),
        };
        self.changed(|inner| inner.logged = logged)
    }

    /// Tells whether logs can't name the caller yet: it may change nothing, as nobody would know who did.
    pub(crate) fn is_unnamed(&self) -> bool {
        matches!(self.0.logged, Logged::NotYet)
    }

    fn changed(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Returns who it is.
    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// Tells whether the request had no credentials.
    pub fn is_anonymous(&self) -> bool {
        self.0.identity == Identity::Anonymous
    }

    /// Returns a name that is stable and different for every identity, so an upload can belong to it.
    pub fn name(&self) -> &str {
        self.0.identity.name()
    }

    /// Returns how it was proved.
    pub fn proof(&self) -> Proof {
        self.0.proof
    }

    /// Returns by which secret it was proved, where that can end before the caller does.
    pub(crate) fn evidence(&self) -> Option<&Evidence> {
        self.0.evidence.as_ref()
    }

    /// Returns as of when it was proved, where that can end: of an account or a robot since when what proves it counts, so that no two
    /// clocks are compared. What is ended later ends what this caller has under way.
    pub(crate) fn as_of(&self) -> Option<Timestamp> {
        self.0.as_of
    }

    /// Returns the groups that the caller belongs to.
    pub fn groups(&self) -> &[Arc<str>] {
        &self.0.groups
    }

    /// Returns what the call is narrowed to.
    pub fn scope(&self) -> Option<&Arc<Scope>> {
        self.0.scope.as_ref()
    }

    /// Returns where the request came from.
    pub fn origin(&self) -> Option<&Arc<Origin>> {
        self.0.origin.as_ref()
    }

    /// Returns what the event log says of who did it: persons go by their pseudonyms.
    pub fn author(&self) -> Author {
        let subject = match &self.0.logged {
            Logged::As(subject) => Some(subject),
            Logged::Plainly | Logged::NotYet => None,
        };
        let name = subject.filter(|_| !self.is_anonymous()).map_or(self.name(), Person::pseudonym);
        let kind = self.0.identity.kind();
        let origin = self.0.origin.as_ref().map(|origin| origin.for_log(kind, self.0.proof, subject));
        Author { name: name.to_owned(), origin }
    }
}

/// The same identity, proof, groups and scope: where a request came from, and which of its secrets it bore, makes nobody another.
impl PartialEq for Caller {
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (&self.0, &other.0);
        one.identity == other.identity
            && one.proof == other.proof
            && one.groups == other.groups
            && one.scope == other.scope
    }
}

impl Eq for Caller {}

impl Hash for Caller {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.identity.hash(state);
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("identity", &self.0.identity)
            .field("proof", &self.0.proof)
            .field("groups", &self.0.groups)
            .field("scope", &self.0.scope)
            .finish_non_exhaustive()
    }
}
