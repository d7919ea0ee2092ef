//! The balancer gives turns to those who live, and sends nobody to those who don't.

#![expect(clippy::expect_used, reason = "a test stops where something is wrong")]

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

use berth_engines::Haproxy;

/// Answers every request with its own name, until the word `stop` is asked for.
fn server(name: &'static str) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = listener.local_addr().expect("it is bound");
    let thread = std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.expect("somebody comes");
            let mut request = [0; 4096];
            let length = connection.read(&mut request).unwrap_or_default();
            if request[..length].starts_with(b"GET /stop") {
                return;
            }
            let head =
                format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", name.len());
            // Who went away before the answer needs none.
            let _ = connection.write_all(format!("{head}{name}").as_bytes());
        }
    });
    (address, thread)
}

fn get(host: &str, path: &str) -> String {
    let mut connection = TcpStream::connect(host).expect("somebody listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).expect("it listens");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("it answers");
    answer
}

#[test]
fn the_living_take_turns() {
    let (one, first) = server("one");
    let (other, _) = server("other");
    let balancer = Haproxy::start(&[one.to_string(), other.to_string()]);
    let ask = |times| (0..times).map(|_| get(&balancer.host(), "/")).collect::<Vec<_>>();
    let names = |answers: &[String]| {
        answers
            .iter()
            .filter_map(|answer| Some(answer.rsplit_once('\n')?.1.to_owned()))
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(names(&ask(10)), BTreeSet::from(["one".to_owned(), "other".to_owned()]), "{}", balancer.log());
    get(&one.to_string(), "/stop");
    first.join().expect("it ends when told to");
    let answers = ask(10);
    assert!(
        answers.iter().all(|answer| answer.starts_with("HTTP/1.1 200")),
        "{answers:?}\n{}",
        balancer.log()
    );
    assert_eq!(names(&answers), BTreeSet::from(["other".to_owned()]), "{}", balancer.log());
}
