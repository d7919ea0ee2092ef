//! A flood of logins that fail, each of which costs the server a whole argon2 hash, beside something that is measured.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow, bail};

use crate::content::{next, seed};
use crate::http::{Body, Client};

/// Clients that log in at the same time: more than there are processors to hash on.
const CLIENTS: usize = 16;

/// Runs `work` while logins flood the server; hands back what it found, and how many were refused in a second.
pub(crate) fn during<T>(address: SocketAddr, work: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| log_in(address, &over))).collect();
        let began = Instant::now();
        let worked = work();
        let seconds = began.elapsed().as_secs_f64();
        over.store(true, Ordering::Relaxed);
        let mut refused = 0;
        for client in clients {
            refused += client.join().map_err(|_| anyhow!("a thread of the flood failed"))??;
        }
        Ok((worked?, refused as f64 / seconds))
    })
}

/// Logs in until it is over, each time as somebody else, so that no name is locked or believed; counts the passwords that were looked at
/// and found wrong. Nobody is known by these names, which costs as much as a wrong password of somebody who is.
fn log_in(address: SocketAddr, over: &AtomicBool) -> Result<usize> {
    let (mut client, mut state, mut refused) = (Client::new(address), seed(), 0);
    while !over.load(Ordering::Relaxed) {
        state = next(state);
        // 42 characters, whole triples: no padding.
        let credentials = format!("Basic {}", encoded(&format!("{state:020}:{state:021}")));
        let fields = [("Authorization", credentials.as_str())];
        match client.send("GET", "/token?service=berth", &fields, Body::Empty)?.status {
            401 => refused += 1,
            // Too many wait to be looked at.
            429 | 503 => {}
            status => bail!("a login that must fail was answered {status}"),
        }
    }
    Ok(refused)
}

/// base64 of text whose length is a multiple of three.
fn encoded(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let triples = text.as_bytes().chunks_exact(3);
    let letters = triples.flat_map(|triple| {
        let bits = triple.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(ALPHABET[bits >> shift & 63]))
    });
    letters.collect()
}
