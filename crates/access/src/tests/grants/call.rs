use proptest::prelude::*;

/// A call of the management API. Callers, subjects, roles, places and so on are numbers that [`World`](super::world::World) knows.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) by: usize,
    pub(super) what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    Bind { subject: usize, role: usize, place: usize },
    Unbind { nth: usize, place: usize },
    MakeRobot { name: usize, place: usize, policy: usize },
    ChangeRobot { name: usize, place: usize, policy: usize },
    Rotate { name: usize, place: usize },
    DeleteRobot { name: usize, place: usize },
    SetRole { policy: usize, on: usize },
    OpenProject { place: usize, public: bool },
    MakeProject,
}

/// Any call.
pub(super) fn calls() -> impl Strategy<Value = Call> {
    let any = || any::<prop::sample::Index>().prop_map(|index| index.index(840));
    let what = prop_oneof![
        6 => (any(), any(), any()).prop_map(|(subject, role, place)| What::Bind { subject, role, place }),
        2 => (any(), any()).prop_map(|(nth, place)| What::Unbind { nth, place }),
        3 => (any(), any(), any()).prop_map(|(name, place, policy)| What::MakeRobot { name, place, policy }),
        2 => (any(), any(), any()).prop_map(|(name, place, policy)| What::ChangeRobot { name, place, policy }),
        3 => (any(), any()).prop_map(|(name, place)| What::Rotate { name, place }),
        1 => (any(), any()).prop_map(|(name, place)| What::DeleteRobot { name, place }),
        2 => (any(), any()).prop_map(|(policy, on)| What::SetRole { policy, on }),
        1 => (any(), prop::bool::weighted(0.7)).prop_map(|(place, public)| What::OpenProject { place, public }),
        1 => Just(What::MakeProject),
    ];
    (any(), what).prop_map(|(by, what)| Call { by, what })
}

const PAT: usize = 0;
const SEC: usize = 7;
const GUY: usize = 8;
/// As subjects: `robot+a+x` and `robot+x`.
const ROBOT_A: usize = 9;
const ROBOT: usize = 13;

/// What once let somebody exceed its roles by the last call, and whether duties are kept apart.
pub(super) const FOUND: &[(bool, &[Call])] = &[
    // A robot is made to get what waits for its name.
    (
        false,
        &[
            Call { by: SEC, what: What::Bind { subject: ROBOT_A, role: 2, place: 2 } },
            Call { by: PAT, what: What::MakeRobot { name: 0, place: 0, policy: 0 } },
        ],
    ),
    (
        true,
        &[
            Call { by: GUY, what: What::Bind { subject: ROBOT, role: 3, place: 2 } },
            Call { by: SEC, what: What::MakeRobot { name: 0, place: 2, policy: 21 } },
        ],
    ),
    // A robot's new secret is asked for to get what was bound to its name.
    (
        true,
        &[
            Call { by: SEC, what: What::MakeRobot { name: 0, place: 2, policy: 21 } },
            Call { by: GUY, what: What::Bind { subject: ROBOT, role: 3, place: 2 } },
            Call { by: SEC, what: What::Rotate { name: 0, place: 2 } },
        ],
    ),
    // Who may say who pulls, and may not pull, opens a project to everybody.
    (true, &[Call { by: SEC, what: What::OpenProject { place: 0, public: true } }]),
];
