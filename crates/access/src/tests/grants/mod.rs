//! No sequence of calls of the management API that are allowed lets anybody exceed its roles: people and robots of all kinds bind, unbind,
//! make and change robots, write roles and open projects at random, and after each call what everybody may do is compared with before.

mod call;
mod world;

use proptest::prelude::*;

use self::call::{Call, calls};
use self::world::{World, who_calls};
use crate::ManageError;

fn play(separation: bool, calls: &[Call]) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut world = World::new(separation).await;
        for call in calls {
            let before = world.rights();
            let by = who_calls(call);
            let Ok(knows) = world.make(call).await else {
                prop_assert_eq!(&before, &world.rights(), "{:?} was refused, and changed something", call);
                continue;
            };
            let after = world.rights();
            let own = before.of(by);
            for (subject, target, gained) in after.beyond(&before) {
                let governs = before.governs(by, target);
                prop_assert!(
                    governs,
                    "{call:?}: {by} gives {subject} {gained:?} on {target}, and says nothing there"
                );
                let is_own = *subject == by && !own.of(target).has(crate::Action::Administer);
                prop_assert!(!(separation && is_own), "{call:?}: {by} gives itself {gained:?} on {target}");
            }
            // Whose secret is known acts for who knows it.
            for robot in knows {
                for (target, can) in after.of(&robot).all() {
                    let more = can.without(own.of(target));
                    // Who binds a role to a project's robot means whoever keeps that robot.
                    let meant = target.starts_with("project/") && world.is_bound(&robot, target, separation);
                    let could = meant || (!separation && before.governs(by, target));
                    prop_assert!(
                        more.is_empty() || could,
                        "{call:?}: {by} has {robot}, which may {more:?} on {target}"
                    );
                }
            }
        }
        Ok(())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_sequence_of_allowed_calls_exceeds_anybodys_roles(
        separation in any::<bool>(), calls in prop::collection::vec(calls(), 1..24),
    ) {
        play(separation, &calls)?;
    }
}

/// Each of these once let somebody exceed its roles; now the last call is refused, for that reason.
#[tokio::test]
async fn what_was_found_stays_closed() {
    for (separation, calls) in call::FOUND {
        let mut world = World::new(*separation).await;
        let (last, before) = calls.split_last().unwrap();
        for call in before {
            world.make(call).await.unwrap();
        }
        match world.make(last).await {
            Err(ManageError::Awaited { .. } | ManageError::Mightier { .. } | ManageError::Denied(_)) => {}
            other => panic!("{last:?}: {other:?}"),
        }
    }
}
