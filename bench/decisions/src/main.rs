//! What one decision costs with 10,000 users, 1,000 projects and 100,000 bindings, and how long a node takes to heed a change.
//!
//! `cargo run --release` in this directory prints a Markdown table. Every user holds ten roles, each in a project of its own; every
//! tenth project is public; twenty groups hold a role in every project.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use berth_access::{Access, Action, Caller, Config, Identity, Proof, Pull, Push, ReadOnly, Resource};
use berth_catalog::binding::{self, Kind, NewBinding};
use berth_catalog::{Catalog, Clock, project};
use berth_oci::RepositoryName;

const USERS: usize = 10_000;
const PROJECTS: usize = 1_000;
const GROUPS: usize = 20;
const PER_USER: usize = 8;
const ROLES: [&str; 4] = ["guest", "developer", "maintainer", "project-admin"];
const DECISIONS: usize = 200_000;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    runtime.block_on(run())
}

async fn run() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let catalog = Catalog::open(&dir.path().join("catalog.db"), Clock::system())?;
    let bindings = fill(&catalog).await?;
    let begin = Instant::now();
    let access = Access::open(&Config::default(), &ReadOnly::default(), &catalog).await?;
    let loaded = begin.elapsed();
    let heeded = heed(&catalog, &access).await?;

    println!("{USERS} users, {PROJECTS} projects, {bindings} bindings\n");
    println!("| what | median | 99 % | slowest |\n|---|---|---|---|");
    let names: Vec<RepositoryName> =
        (0..PROJECTS).map(|n| format!("p{n}/team/application/image").parse()).collect::<Result<_, _>>()?;
    let users: Vec<Caller> = (0..USERS).map(|n| Caller::user(&format!("user{n}"))).collect();
    let groups: Arc<[Arc<str>]> = (0..GROUPS).map(|n| Arc::from(format!("group{n}"))).collect();
    let members: Vec<Caller> =
        users.iter().map(|user| user.clone().with_groups(Arc::clone(&groups))).collect();
    let own = |n: usize| &names[home(n, 0)];
    row("pull by a role in the project", |n| {
        drop(black_box(access.permit::<Pull>(&users[n % USERS], own(n % USERS))));
    });
    row("push, with the right to make the project", |n| {
        drop(black_box(access.permit::<Push>(&users[n % USERS], own(n % USERS))));
    });
    row("pull denied, with its reason", |n| {
        drop(black_box(access.permit::<Pull>(&users[n % USERS], &names[(n * 7 + 3) % PROJECTS])));
    });
    row("pull by a member of 20 groups", |n| {
        drop(black_box(access.permit::<Pull>(&members[n % USERS], &names[n % PROJECTS])));
    });
    row("pull without credentials", |n| {
        drop(black_box(access.permit::<Pull>(&Caller::anonymous(), &names[n % PROJECTS])));
    });
    let robot = Caller::new(Identity::Robot("robot+nobody".into()), Proof::RobotSecret);
    row("a robot that holds nothing", |n| {
        black_box(access.granted(&robot, &Resource::Repository(&names[n % PROJECTS])));
    });
    row("explained: which role, binding and pattern", |n| {
        let resource = Resource::Repository(own(n % USERS));
        drop(black_box(access.decide(&users[n % USERS], Action::Push, &resource)));
    });
    println!(
        "\nread and compiled in {} ms; a change heeded {} ms after its commit by the node that made it",
        loaded.as_millis(),
        heeded.as_millis()
    );
    Ok(())
}

/// The project in which a user holds its role of this number.
fn home(user: usize, number: usize) -> usize {
    (user * 31 + number * 97) % PROJECTS
}

async fn fill(catalog: &Catalog) -> Result<usize> {
    let now = catalog.clock().now();
    catalog
        .write(async move |tx| {
            for n in 0..PROJECTS {
                project::insert(tx, &format!("p{n}"), n % 10 == 0, "bench", now).await?;
            }
            let mut made = 0;
            let mut bind = async |kind, subject: String, number: usize, project: usize| {
                let role = ROLES[number % ROLES.len()].to_owned();
                let what = NewBinding { kind, subject, role, project: format!("p{project}") };
                binding::insert(tx, &what, "bench", now).await.map(|new| made += usize::from(new))
            };
            for user in 0..USERS {
                for number in 0..PER_USER {
                    bind(Kind::User, format!("user{user}"), number, home(user, number)).await?;
                }
            }
            for group in 0..GROUPS {
                for project in 0..PROJECTS {
                    bind(Kind::Group, format!("group{group}"), group, project).await?;
                }
            }
            Ok::<_, berth_catalog::Error>(made)
        })
        .await
        .context("the catalog can't be filled")
}

/// Times how long the node that makes a change takes to heed it: all is read and compiled anew.
async fn heed(catalog: &Catalog, access: &Access) -> Result<Duration> {
    let now = catalog.clock().now();
    let what = NewBinding {
        kind: Kind::User,
        subject: "late".to_owned(),
        role: "guest".to_owned(),
        project: "p1".to_owned(),
    };
    catalog.write(async move |tx| binding::insert(tx, &what, "bench", now).await).await?;
    let begin = Instant::now();
    access.refresh().await?;
    Ok(begin.elapsed())
}

/// Times a decision many times over, each alone.
fn row(what: &str, mut decide: impl FnMut(usize)) {
    (0..DECISIONS / 10).for_each(&mut decide);
    let mut times: Vec<Duration> = (0..DECISIONS)
        .map(|n| {
            let begin = Instant::now();
            decide(n);
            begin.elapsed()
        })
        .collect();
    times.sort_unstable();
    let micros =
        |at: usize| format!("{:.2} µs", times.get(at).copied().unwrap_or_default().as_secs_f64() * 1e6);
    println!(
        "| {what} | {} | {} | {} |",
        micros(DECISIONS / 2),
        micros(DECISIONS / 100 * 99),
        micros(DECISIONS - 1)
    );
}
