use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_access::{Claim, RandomSecret, SecretKind};

use super::*;

fn config(change: impl FnOnce(&mut RateLimits)) -> RateLimits {
    let mut config = RateLimits::default();
    config.push.wait_milliseconds = 0;
    change(&mut config);
    config
}

fn limits(change: impl FnOnce(&mut RateLimits)) -> Limits {
    Limits::new(&config(change))
}

fn client(n: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + n))
}

fn anonymous(limits: &Limits, n: u32) -> Result<Option<Pause>, Limited> {
    limits.check(Class::Push, client(n), &Caller::anonymous())
}

/// How many of `tries` at once get in.
fn admitted(limits: &Limits, n: u32, tries: usize) -> usize {
    (0..tries).filter(|_| anonymous(limits, n).is_ok()).count()
}

async fn pass(milliseconds: u64) {
    tokio::time::advance(Duration::from_millis(milliseconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_burst_at_once_then_one_at_a_time_at_the_rate() {
    let limits = limits(|_| {});
    assert_eq!(admitted(&limits, 1, 30), 10, "the burst");
    let refused = anonymous(&limits, 1).unwrap_err();
    assert_eq!(refused, Limited { class: Class::Push, retry_after_seconds: 1 });
    for _ in 0..10 {
        pass(200).await;
        assert_eq!(admitted(&limits, 1, 30), 1, "five a second");
    }
    pass(60_000).await;
    assert_eq!(admitted(&limits, 1, 30), 10, "a pause saves up no more than the burst");
    assert_eq!(admitted(&limits, 2, 30), 10, "another address is another client");
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_when_told_gets_in() {
    let limits = limits(|config| config.push.rate = "7/m".parse().unwrap());
    assert_eq!(admitted(&limits, 1, 11), 10);
    let refused = anonymous(&limits, 1).unwrap_err();
    assert_eq!(refused.retry_after_seconds, 9, "60 / 7 rounded up");
    pass(8_000).await;
    assert!(anonymous(&limits, 1).is_err());
    pass(1_000).await;
    assert!(anonymous(&limits, 1).is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_comes_too_early_is_held_back_and_only_then_refused() {
    let limits = limits(|config| config.push.wait_milliseconds = 2_000);
    assert_eq!(admitted(&limits, 1, 10), 10);
    let pauses: Vec<_> = (0..10).map(|_| anonymous(&limits, 1).unwrap().expect("it has to wait")).collect();
    let refused = anonymous(&limits, 1).unwrap_err();
    assert_eq!(refused.retry_after_seconds, 3, "2.2 s, when it would get in without waiting");
    assert_eq!(limits.held.count(), 10);
    let began = Instant::now();
    for (n, pause) in pauses.into_iter().enumerate() {
        pause.wait().await;
        let due = Duration::from_millis(200 * (n as u64 + 1));
        assert!(
            (due..due + Duration::from_millis(3)).contains(&began.elapsed()),
            "{n}: {:?}",
            began.elapsed()
        );
    }
    assert_eq!(limits.held.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_user_is_one_client_wherever_it_calls_from_and_a_robot_another() {
    let limits = limits(|_| {});
    let (user, robot) =
        (Caller::user("ann"), Caller::new(Identity::Robot("ann".into()), berth_access::Proof::RobotSecret));
    let count =
        |caller: &Caller| (0..30).filter(|n| limits.check(Class::Push, client(*n), caller).is_ok()).count();
    assert_eq!(count(&user), 10);
    assert_eq!(count(&robot), 10);
    assert_eq!(admitted(&limits, 1, 30), 10, "neither used up its address's share");
    assert!(
        (0..30).all(|_| limits.check(Class::Pull, client(1), &user).is_ok()),
        "pulls are not limited by default"
    );
}

#[tokio::test(start_paused = true)]
async fn networks_and_callers_can_be_exempt_and_loopback_is() {
    let limits = limits(|config| {
        config.exempt.push("2001:db8::/32".parse().unwrap());
        config.exempt_callers = vec!["robot+ci".into()];
    });
    let free = |address: &str, caller: &Caller| {
        let address = address.parse().unwrap();
        (0..100).all(|_| limits.check(Class::Push, address, caller).is_ok())
    };
    let nobody = Caller::anonymous();
    let robot = Caller::new(Identity::Robot("robot+ci".into()), berth_access::Proof::RobotSecret);
    for (address, caller, expected) in [
        ("127.0.0.1", &nobody, true),
        ("::1", &nobody, true),
        ("::ffff:127.0.0.9", &nobody, true),
        ("2001:db8:7::1", &nobody, true),
        ("2001:db9::1", &nobody, false),
        ("192.0.2.1", &robot, true),
        ("192.0.2.1", &nobody, false),
    ] {
        assert_eq!(free(address, caller), expected, "{address} {caller:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_ipv6_network_is_one_client() {
    let limits = limits(|_| {});
    let count = |network: &str| {
        (0..30_u16)
            .filter(|n| {
                let address = format!("{network}::{n:x}").parse().unwrap();
                limits.check(Class::Push, address, &Caller::anonymous()).is_ok()
            })
            .count()
    };
    assert_eq!(count("2001:db8:1:2"), 10);
    assert_eq!(count("2001:db8:1:3"), 10);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_addresses_costs_no_memory_and_forgives_only_who_owes_least() {
    let limits = limits(|_| {});
    assert_eq!(admitted(&limits, 0, 30), 10);
    let table = limits.tables[Class::Push as usize].as_ref().unwrap();
    for n in 1..200_000 {
        assert!(anonymous(&limits, n).is_ok());
    }
    assert!(table.forgotten() > 100_000, "{}: the table has one size", table.forgotten());
    assert_eq!(admitted(&limits, 0, 30), 0, "the flood forgave nothing to who owes most");
    pass(2_000).await;
    let forgotten = table.forgotten();
    for n in 300_000..302_000 {
        assert!(anonymous(&limits, n).is_ok());
    }
    assert_eq!(table.forgotten(), forgotten, "what has been made up for makes room");
}

#[tokio::test(start_paused = true)]
async fn nodes_together_allow_what_is_configured_or_each_all_of_it() {
    // The client's requests go to all nodes in turn, ever as many as get in.
    let through = async |nodes: u32, share: u32, seconds: usize| {
        let nodes: Vec<_> = (0..nodes).map(|_| limits(|config| config.nodes = share)).collect();
        let mut through: usize = nodes.iter().map(|node| admitted(node, 1, 100)).sum();
        for _ in 0..seconds * 10 {
            pass(100).await;
            through += nodes.iter().map(|node| admitted(node, 1, 100)).sum::<usize>();
        }
        through
    };
    assert_eq!(through(1, 1, 20).await, 10 + 5 * 20);
    assert_eq!(through(3, 1, 20).await, 3 * (10 + 5 * 20), "three nodes that know nothing of each other");
    let shared = through(3, 3, 20).await;
    // What doesn't divide is rounded down: bursts of 3, and 33 in 20 seconds for each.
    assert_eq!(shared, 3 * (3 + 33), "three nodes that each allow a third");
    assert!(shared <= 10 + 5 * 20);
    assert_eq!(through(1, 3, 20).await, 3 + 33, "with two of three gone it is a third");
}

#[tokio::test(start_paused = true)]
async fn failed_logins_use_up_the_address_and_right_ones_do_not() {
    let limits = limits(|config| config.login.burst = 5);
    for n in 0..5 {
        limits.login(client(1), &format!("user{n}"), "right").unwrap().succeeded();
        drop(limits.login(client(1), &format!("user{n}"), &format!("wrong{n}")).unwrap());
    }
    let refused = limits.login(client(1), "other", "x").unwrap_err();
    assert_eq!((refused.class, refused.retry_after_seconds), (Class::Login, 3));
    drop(limits.login(client(2), "other", "x").unwrap());
    pass(3_000).await;
    limits.login(client(1), "other", "x").unwrap().undecided();
    limits.login(client(1), "other", "x").unwrap().succeeded();
    drop(limits.login(client(1), "other", "y").unwrap());
    assert!(limits.login(client(1), "other", "z").is_err());
}

#[tokio::test(start_paused = true)]
async fn a_name_is_limited_wherever_it_is_tried_from_but_its_owner_gets_in() {
    let limits = limits(|config| config.login.burst = 5);
    limits.login(client(99), "ann", "right").unwrap().succeeded();
    for n in 0..5 {
        drop(limits.login(client(n), "ann", "wrong").unwrap());
    }
    assert!(limits.login(client(50), "ann", "wrong").is_err(), "from an address that has tried nothing");
    drop(limits.login(client(50), "bob", "wrong").unwrap());
    limits.login(client(99), "ann", "right").unwrap().succeeded();
    pass(3_000).await;
    assert!(limits.login(client(60), "ann", "wrong").is_ok(), "one more after its time");
}

#[tokio::test(start_paused = true)]
async fn a_robot_gets_in_whatever_others_try_with_its_name() {
    let limits = limits(|config| config.login.burst = 5);
    let claim = |password: &str| {
        let basic = format!("Basic {}", STANDARD.encode(format!("robot+team+ci:{password}")));
        Claim::parse(&basic).unwrap()
    };
    let guess = claim("x");
    for n in 0..6 {
        let outcome = limits.login_as(client(1), &guess, &n.to_string());
        assert_eq!(outcome.is_ok(), n < 5);
        drop(outcome);
    }
    let secret = RandomSecret::generate(SecretKind::Robot).unwrap();
    let right = claim(secret.reveal());
    assert!(limits.login_as(client(2), &guess, "7").is_err(), "the name has had its share");
    limits.login_as(client(2), &right, "right").unwrap().succeeded();
    // Not from an address that has had its share, nor with what only looks like a secret of Berth's.
    assert!(limits.login_as(client(1), &right, "right").is_err());
    assert!(limits.login_as(client(3), &claim("berth_r_x"), "x").is_err());
    // Such a secret that is wrong costs the address, and the name nothing.
    for n in 0..6 {
        let outcome = limits.login_as(client(4), &right, &n.to_string());
        assert_eq!(outcome.is_ok(), n < 5);
        drop(outcome);
    }
    limits.login_as(client(5), &right, "right").unwrap().succeeded();
}

#[tokio::test(start_paused = true)]
async fn a_name_is_one_however_it_is_spelled() {
    let limits = limits(|config| config.login.burst = 4);
    limits.login(client(60), "a.lice", "right").unwrap().succeeded();
    for (n, name) in (0..).zip(["alice", "Alice", "aLICE ", "ａlice"]) {
        drop(limits.login(client(n), name, "wrong").unwrap());
    }
    assert!(limits.login(client(50), "ALICE", "wrong").is_err(), "from an address that has tried nothing");
    // Whoever got in with a name that only looks alike is no better known with this one.
    assert!(limits.login(client(60), "alice", "wrong").is_err());
    drop(limits.login(client(60), "bob", "wrong").unwrap());
}

#[tokio::test(start_paused = true)]
async fn many_attempts_at_once_are_no_way_around() {
    let limits = limits(|config| config.login.burst = 5);
    let guesses: Vec<_> = (0..100).map(|n| format!("guess{n}")).collect();
    let under_way: Vec<_> =
        guesses.iter().filter_map(|guess| limits.login(client(1), "ann", guess).ok()).collect();
    assert_eq!(under_way.len(), 5);
    drop(under_way);
    let parallel: Vec<_> = (0..100).map(|_| limits.login(client(2), "bob", "the same").unwrap()).collect();
    assert_eq!(limits.logins_in_flight(), 1, "one attempt, however many requests make it");
    for attempt in parallel {
        attempt.succeeded();
    }
    assert_eq!(limits.logins_in_flight(), 0);
    assert_eq!((0..9).filter(|n| limits.login(client(2), "bob", &n.to_string()).is_ok()).count(), 5);
}

#[test]
fn values_that_make_no_sense_are_refused() {
    assert_eq!(RateLimits::default().problem(), None);
    for (change, key) in [
        ((|config| config.nodes = 0) as fn(&mut RateLimits), "rate_limits.nodes"),
        (|config| config.push.burst = 0, "rate_limits.push.burst"),
        (|config| config.api.wait_milliseconds = 60_001, "rate_limits.api.wait_milliseconds"),
        (|config| config.login.wait_milliseconds = 1, "rate_limits.login.wait_milliseconds"),
    ] {
        assert_eq!(config(change).problem().unwrap().0, key);
    }
}
