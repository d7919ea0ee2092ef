//! A server that answers as a test says.

use std::sync::Arc;
use std::time::Duration;

use berth_client::{Address, Credentials, Limits, Settings, Upstream};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::message::Asked;

type Answers = Arc<dyn Fn(&Asked) -> String + Send + Sync>;

/// A running server, on a port of the loopback address.
pub(crate) struct Script {
    pub(crate) host: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Script {
    pub(crate) async fn start(answers: impl Fn(&Asked) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (asked, answers): (Arc<Mutex<Vec<_>>>, Answers) = (Arc::default(), Arc::new(answers));
        let seen = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (seen, answers) = (Arc::clone(&seen), Arc::clone(&answers));
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await?);
                    }
                    let asked = Asked::parse(&String::from_utf8_lossy(&head));
                    seen.lock().push(asked.clone());
                    stream.write_all(answers(&asked).as_bytes()).await?;
                    stream.shutdown().await
                });
            }
        });
        Self { host, asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }

    /// A client of it, as `ann`, that gives up after a few seconds.
    pub(crate) fn client(&self) -> Upstream {
        self.client_with(|_| ())
    }

    /// The same, within other limits.
    pub(crate) fn client_with(&self, change: impl FnOnce(&mut Limits)) -> Upstream {
        let mut limits = Limits {
            tries: 3,
            silence: Duration::from_secs(5),
            wait: Duration::from_secs(3),
            ..Limits::default()
        };
        change(&mut limits);
        Upstream::new(&Settings {
            address: Address::parse(&format!("http://{}", self.host), false).unwrap(),
            credentials: Some(Credentials::new("ann", "secret").unwrap()),
            authorities: None,
            bytes_per_second: 0,
            limits,
        })
        .unwrap()
    }
}
