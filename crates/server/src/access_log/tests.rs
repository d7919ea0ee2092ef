use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderValue, Version};
use jiff::Timestamp;
use parking_lot::Mutex;
use proptest::prelude::*;

use super::*;
use crate::metrics::Outcome;

/// A log in memory.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

fn sample() -> Line<'static> {
    Line {
        request_id: "0123456789abcdef",
        client: IpAddr::from([192, 0, 2, 7]),
        caller: Some("alice"),
        method: "GET",
        path: "/v2/library/nginx/manifests/1.27",
        repository: Some("library/nginx"),
        reference: Some("1.27"),
        endpoint: "manifest",
        action: "pull",
        status: 200,
        bytes_in: 0,
        bytes_out: 2_048,
        duration: Duration::from_micros(345),
        user_agent: None,
        protocol: Version::HTTP_11,
        outcome: Outcome::Success,
        error: None,
    }
}

/// What `lines` look like in the log.
fn written(format: Format, lines: &[Line<'_>]) -> String {
    let sink = Sink::default();
    let log = AccessLog::new(LogWriter::spawn(sink.clone()).unwrap(), format);
    let clock = Clock::manual(Timestamp::from_microsecond(1_795_536_929_123_456).unwrap());
    for line in lines {
        log.append(&clock, line);
    }
    log.flush();
    sink.text()
}

#[test]
fn json_lines_hold_the_fields() {
    let text =
        written(Format::Json, &[Line { user_agent: Some(&HeaderValue::from_static("crane/1")), ..sample() }]);
    assert_eq!(
        text,
        concat!(
            r#"{"timestamp":"2026-11-24T16:15:29.123456Z","@timestamp":"2026-11-24T16:15:29.123456Z","level":"INFO","#,
            r#""message":"request served","action":"pull","#,
            r#""request_id":"0123456789abcdef","client":"192.0.2.7","caller":"alice","method":"GET","#,
            r#""path":"/v2/library/nginx/manifests/1.27","repository":"library/nginx","reference":"1.27","#,
            r#""endpoint":"manifest","status":200,"bytes_in":0,"bytes_out":2048,"duration_us":345,"#,
            r#""user_agent":"crane/1","protocol":"HTTP/1.1"}"#,
            "\n"
        )
    );
}

#[test]
fn human_lines_are_short() {
    let failed = Line {
        status: 500,
        bytes_in: 5_000_000,
        outcome: Outcome::Failed,
        error: Some("disk\nburns"),
        caller: None,
        ..sample()
    };
    assert_eq!(
        written(Format::Human, &[sample(), failed]),
        "16:15:29.123 INFO  200 GET /v2/library/nginx/manifests/1.27 out 2.0 KiB in 345.0µs 192.0.2.7 alice\n\
         16:15:29.123 ERROR 500 GET /v2/library/nginx/manifests/1.27 in 4.7 MiB out 2.0 KiB in 345.0µs 192.0.2.7 \
         request failed (0123456789abcdef): disk\\u{a}burns\n"
    );
}

#[test]
fn an_unready_log_drops_and_counts() {
    /// Never takes anything until it may.
    struct Stuck(Arc<Mutex<()>>);
    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            drop(self.0.lock());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let gate = Arc::new(Mutex::new(()));
    let held = gate.lock();
    let writer = LogWriter::spawn(Stuck(Arc::clone(&gate))).unwrap();
    let began = Instant::now();
    let line = vec![b'x'; 64 * 1024];
    // Four megabytes wait, and as many may be in the writer's hands.
    for _ in 0..200 {
        writer.append(&line);
    }
    assert!(writer.dropped() >= 200 - 2 * 64, "{}", writer.dropped());
    // Nobody waits for it for long, not even at the end.
    drop(writer);
    assert!(began.elapsed() < Duration::from_secs(10));
    drop(held);
}

#[test]
fn a_broken_log_counts_what_it_lost() {
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from(io::ErrorKind::BrokenPipe))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let writer = LogWriter::spawn(Broken).unwrap();
    writer.append(b"a\n");
    writer.append(b"b\n");
    writer.wait();
    assert_eq!(writer.dropped(), 2);
}

#[test]
fn the_last_lines_are_written_when_the_log_is_dropped() {
    let sink = Sink::default();
    let mut writer = LogWriter::spawn(sink.clone()).unwrap();
    writer.write_all(b"the end\n").unwrap();
    drop(writer);
    assert_eq!(sink.text(), "the end\n");
}

#[test]
fn many_threads_write_whole_lines() {
    let sink = Sink::default();
    let writer = LogWriter::spawn(sink.clone()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let writer = &writer;
            scope.spawn(move || (0..1_000).for_each(|n| writer.append(format!("{thread} {n}\n").as_bytes())));
        }
    });
    writer.wait();
    let text = sink.text();
    for thread in 0..4 {
        let of_thread: Vec<&str> =
            text.lines().filter(|line| line.starts_with(&format!("{thread} "))).collect();
        let expected: Vec<String> = (0..1_000).map(|n| format!("{thread} {n}")).collect();
        assert_eq!(of_thread, expected);
    }
}

proptest! {
    #[test]
    fn no_input_breaks_a_line(
        method in "\\PC{0,8}|[\x00-\x20]{1,4}",
        path in any::<String>(),
        reference in any::<String>(),
        error in "(?s).{0,3000}",
        caller in any::<String>(),
        agent in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let agent = HeaderValue::from_bytes(&agent).ok();
        let line = Line {
            caller: Some(&caller),
            method: &method,
            path: &path,
            reference: Some(&reference),
            user_agent: agent.as_ref(),
            error: Some(&error),
            outcome: Outcome::Aborted,
            ..sample()
        };
        let json = written(Format::Json, &[line]);
        prop_assert!(json.ends_with('\n'));
        prop_assert_eq!(json.trim_end_matches('\n').chars().filter(|c| c.is_control()).count(), 0);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(&value["status"], 200);
        prop_assert_eq!(&value["message"], "client went away");
        prop_assert!(value["user_agent"].as_str().unwrap_or_default().len() <= 256 * 4);
        if !path.chars().any(|c| c.is_control() || ('\u{200b}'..='\u{2069}').contains(&c)) {
            prop_assert_eq!(&value["path"], &path);
        }

        let line = Line { caller: Some(&caller), method: &method, path: &path, error: Some(&error), ..sample() };
        let human = written(Format::Human, &[line]);
        prop_assert_eq!(human.chars().filter(|c| c.is_control()).count(), 1);
    }
}
