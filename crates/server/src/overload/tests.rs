use std::net::Ipv4Addr;

use super::*;

fn limits(requests: usize, change: impl FnOnce(&mut crate::config::Overload)) -> Limits {
    let mut limits = Limits { requests, ..Limits::default() };
    limits.overload.client_percent = 100;
    change(&mut limits.overload);
    limits
}

fn overload(requests: usize, change: impl FnOnce(&mut crate::config::Overload)) -> Arc<Overload> {
    Arc::new(Overload::new(&limits(requests, change)))
}

fn client(n: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, n))
}

async fn enter(overload: &Arc<Overload>, class: Class) -> Result<Slot, Shed> {
    overload.enter(class, client(1)).await
}

fn shed(retry_after_seconds: u64) -> Shed {
    Shed { client: false, retry_after_seconds }
}

#[tokio::test(start_paused = true)]
async fn lists_are_shed_first_then_pushes_and_pulls_last() {
    let overload = overload(10, |config| config.queue = 0);
    let mut pulls = Vec::new();
    let mut admitted = Vec::new();
    for _ in 0..=10 {
        let list = enter(&overload, Class::List).await.map(drop);
        let push = enter(&overload, Class::Push).await.map(drop);
        let upload = enter(&overload, Class::Upload).await.map(drop);
        let pull = enter(&overload, Class::Pull).await;
        admitted.push([list.is_ok(), push.is_ok(), upload.is_ok(), pull.is_ok()]);
        for refused in [list.err(), push.err(), upload.err()].into_iter().flatten() {
            assert!([shed(5), shed(2)].contains(&refused));
        }
        match pull {
            Ok(slot) => pulls.push(slot),
            Err(refused) => assert_eq!(refused, shed(1)),
        }
    }
    let (all, no_lists, pulls_only, none) =
        ([true; 4], [false, true, true, true], [false, false, false, true], [false; 4]);
    let expected: Vec<_> = [vec![all; 5], vec![no_lists; 3], vec![pulls_only; 2], vec![none]].concat();
    assert_eq!(admitted, expected);
    drop(pulls);
    assert!(enter(&overload, Class::List).await.is_ok(), "every place was given back");
}

#[tokio::test(start_paused = true)]
async fn a_download_works_until_its_answer_and_then_only_transfers() {
    let overload = overload(1, |config| (config.queue, config.transfers) = (0, 2));
    let mut downloads = Vec::new();
    for _ in 0..2 {
        let mut slot = enter(&overload, Class::Download).await.unwrap();
        assert!(enter(&overload, Class::Pull).await.is_err(), "it is at work");
        slot.begin_responding();
        drop(enter(&overload, Class::Pull).await.unwrap());
        downloads.push(slot);
    }
    assert_eq!(enter(&overload, Class::Download).await.unwrap_err(), shed(1), "too many transfers");
    drop(enter(&overload, Class::Pull).await.expect("the attempt gave its place at work back"));
    downloads.pop();
    enter(&overload, Class::Download).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_list_keeps_its_place_while_it_is_sent() {
    let overload = overload(1, |config| config.queue = 0);
    let mut list = enter(&overload, Class::List).await.unwrap();
    list.begin_responding();
    assert!(enter(&overload, Class::List).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_let_in_by_urgency_or_sent_away_in_time() {
    let overload = overload(1, |config| (config.queue, config.queue_milliseconds) = (10, 500));
    let slot = enter(&overload, Class::Pull).await.unwrap();
    let wait = |class| {
        let overload = Arc::clone(&overload);
        tokio::spawn(async move { enter(&overload, class).await.map(|slot| (Instant::now(), slot)) })
    };
    let (list, push) = (wait(Class::List), wait(Class::Push));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let pull = wait(Class::Pull);
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(overload.queue.count(Class::List), 1);
    drop(slot);
    let (_, slot) = pull.await.unwrap().expect("the pull came last and goes first");
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(slot);
    let (_, slot) = push.await.unwrap().expect("then the push");
    let began = Instant::now();
    assert_eq!(list.await.unwrap().unwrap_err(), shed(5));
    assert!(began.elapsed() < Duration::from_millis(400), "{:?}", began.elapsed());
    drop(slot);
    assert_eq!(overload.queue.count(Class::List), 0);
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_bounded_for_lists_before_pulls() {
    let overload = overload(1, |config| config.queue = 4);
    let _slot = enter(&overload, Class::Pull).await.unwrap();
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let overload = Arc::clone(&overload);
            tokio::spawn(async move { enter(&overload, Class::Pull).await.map(drop) })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(1)).await;
    let began = Instant::now();
    assert!(enter(&overload, Class::List).await.is_err());
    assert_eq!(began.elapsed(), Duration::ZERO, "half of the queue is taken: lists needn't wait for nothing");
    assert!(enter(&overload, Class::Pull).await.is_err());
    assert!(began.elapsed() >= Duration::from_millis(400), "a pull may hope");
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap(), Err(shed(1)));
    }
}

#[tokio::test(start_paused = true)]
async fn one_client_gets_its_share_and_leaves_the_rest_to_others() {
    let overload = overload(8, |config| (config.client_percent, config.queue) = (50, 0));
    let mut greedy = Vec::new();
    for _ in 0..4 {
        greedy.push(overload.enter(Class::Pull, client(1)).await.unwrap());
    }
    let refused = overload.enter(Class::Pull, client(1)).await.unwrap_err();
    assert_eq!(refused, Shed { client: true, retry_after_seconds: 1 });
    assert!(overload.enter(Class::Pull, client(2)).await.is_ok());
    // One subscriber's network is one client, and so is an IPv4 client on an IPv6 socket.
    let find = |text: &str| overload.clients.find(text.parse().unwrap());
    assert_eq!(find("2001:db8:1:2::1"), find("2001:db8:1:2:ffff::9"));
    assert_eq!(find("::ffff:192.0.2.1"), find("192.0.2.1"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_the_queue_leaves_nothing_behind() {
    let overload = overload(1, |config| config.queue = 1);
    let slot = enter(&overload, Class::Pull).await.unwrap();
    for _ in 0..3 {
        let impatient = tokio::time::timeout(Duration::from_millis(30), enter(&overload, Class::Pull)).await;
        assert!(impatient.is_err(), "it was not let into the queue");
    }
    drop(slot);
    enter(&overload, Class::Pull).await.unwrap();
}
