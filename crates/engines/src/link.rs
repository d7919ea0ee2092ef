//! A line to a server that can be cut, slowed down and silenced.

use std::net::{SocketAddr, TcpListener};
use std::sync::{LazyLock, mpsc};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, tcp};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::port::free_port;

/// Lines have a thread of their own: a test that blocks its runtime does not hold them up.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).thread_name("link").enable_all().build().expect("a runtime can be started")
});

/// Bytes under way in each direction of a connection, in reads.
const UNDER_WAY: usize = 64;
const READ_BYTES: usize = 16 * 1024;

/// A TCP proxy on a port of the loopback address. Dropped, it closes all.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    state: watch::Sender<State>,
    done: mpsc::Receiver<()>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    cut: bool,
    frozen: bool,
    delay: Duration,
    bytes_per_second: Option<u32>,
}

impl Link {
    /// Lays a line to `target`.
    pub fn to(target: SocketAddr) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let (state, told) = watch::channel(State::default());
        let (tell, done) = mpsc::channel();
        RUNTIME.spawn(serve(address, target, told, tell));
        done.recv().expect("the line can be laid");
        Self { address, state, done }
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Drops every connection and refuses new ones.
    pub fn cut(&self) {
        self.change(|state| state.cut = true);
    }

    /// Drops every connection; new ones are welcome.
    pub fn drop_connections(&self) {
        let was = *self.state.borrow();
        self.cut();
        self.change(|state| *state = was);
    }

    /// Accepts connections and forwards nothing, on old ones neither.
    pub fn freeze(&self) {
        self.change(|state| state.frozen = true);
    }

    /// Makes what is forwarded arrive this much later, in both directions.
    pub fn delay(&self, delay: Duration) {
        self.change(|state| state.delay = delay);
    }

    /// Forwards at most so many bytes a second in each direction of each connection.
    pub fn throttle(&self, bytes_per_second: u32) {
        self.change(|state| state.bytes_per_second = Some(bytes_per_second.max(1)));
    }

    /// Makes the line whole and fast again.
    pub fn mend(&self) {
        self.change(|state| *state = State::default());
    }

    /// Returns once the change is true of every connection.
    fn change(&self, change: impl FnOnce(&mut State)) {
        self.state.send_modify(change);
        self.done.recv().expect("the line is served");
    }
}

async fn serve(
    address: SocketAddr,
    target: SocketAddr,
    mut state: watch::Receiver<State>,
    done: mpsc::Sender<()>,
) {
    let mut connections = JoinSet::new();
    let mut listener = None;
    loop {
        if state.borrow_and_update().cut {
            listener = None;
            connections.shutdown().await;
        } else if listener.is_none() {
            listener = Some(listen(address).await);
        }
        // An error means that the test has dropped the line; the next lines notice it, too.
        let _ = done.send(());
        loop {
            tokio::select! {
                changed = state.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return,
                },
                (client, _) = accept(listener.as_ref()) => {
                    connections.spawn(carry(client, target, state.clone()));
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn listen(address: SocketAddr) -> tokio::net::TcpListener {
    let begin = Instant::now();
    // The standard library's listener takes a port again at once that has connections in their last wait. A test that looks for a
    // free port may hold it for a moment.
    let listener = loop {
        match TcpListener::bind(address) {
            Err(_) if begin.elapsed() < Duration::from_secs(5) => sleep(Duration::from_millis(5)).await,
            bound => break bound.expect("the port is free"),
        }
    };
    listener.set_nonblocking(true).expect("a socket can be told not to block");
    tokio::net::TcpListener::from_std(listener).expect("the runtime takes a socket")
}

async fn accept(listener: Option<&tokio::net::TcpListener>) -> (TcpStream, SocketAddr) {
    match listener {
        Some(listener) => listener.accept().await.expect("a connection can be accepted"),
        None => std::future::pending().await,
    }
}

async fn carry(client: TcpStream, target: SocketAddr, state: watch::Receiver<State>) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    for stream in [&client, &server] {
        // An error means that the connection is over already.
        let _ = stream.set_nodelay(true);
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    // Either direction's end is not the other's: a half-closed connection is carried to its end.
    tokio::join!(pump(from_client, to_server, state.clone()), pump(from_server, to_client, state));
}

/// Forwards one direction: reads on while what was read waits for its time.
async fn pump(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, mut state: watch::Receiver<State>) {
    let (send, mut receive) = tokio::sync::mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let delays = state.clone();
    let read = async move {
        loop {
            let mut bytes = Vec::with_capacity(READ_BYTES);
            if !matches!(from.read_buf(&mut bytes).await, Ok(1..)) {
                return;
            }
            let due = Instant::now() + delays.borrow().delay;
            if send.send((due, bytes)).await.is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((due, bytes)) = receive.recv().await {
            sleep_until(due).await;
            if state.wait_for(|state| !state.frozen).await.is_err() || !write(&mut to, &bytes, &state).await {
                return;
            }
        }
        // The reader may be gone already; then there is nobody to tell.
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}

/// Writes in slices of a tenth of a second where the line is slow. Returns false if the connection is over.
async fn write(to: &mut tcp::OwnedWriteHalf, mut bytes: &[u8], state: &watch::Receiver<State>) -> bool {
    while !bytes.is_empty() {
        let rate = state.borrow().bytes_per_second;
        let slice = rate.map_or(bytes.len(), |rate| (rate as usize / 10).clamp(1, bytes.len()));
        if to.write_all(&bytes[..slice]).await.is_err() {
            return false;
        }
        if let Some(rate) = rate {
            let slice = u32::try_from(slice).unwrap_or(u32::MAX);
            sleep(Duration::from_secs(1) * slice / rate).await;
        }
        bytes = &bytes[slice..];
    }
    true
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    use super::Link;

    /// A server that sends everything back.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || std::io::copy(&mut stream.try_clone().unwrap(), &mut stream));
            }
        });
        address
    }

    fn exchange(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<Duration> {
        let start = Instant::now();
        let mut writer = stream.try_clone()?;
        let mut back = vec![0; bytes.len()];
        std::thread::scope(|scope| {
            scope.spawn(move || writer.write_all(bytes));
            stream.read_exact(&mut back)
        })?;
        assert_eq!(back, bytes);
        Ok(start.elapsed())
    }

    fn connect(link: &Link) -> TcpStream {
        TcpStream::connect(link.address()).unwrap()
    }

    #[test]
    fn a_cut_line_drops_and_refuses_until_it_is_mended() {
        let link = Link::to(echo());
        let mut stream = connect(&link);
        exchange(&mut stream, b"hello").unwrap();
        link.cut();
        assert!(exchange(&mut stream, b"hello").is_err());
        let refused = TcpStream::connect(link.address()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        link.mend();
        let mut stream = connect(&link);
        exchange(&mut stream, b"hello").unwrap();
        link.drop_connections();
        assert!(exchange(&mut stream, b"hello").is_err());
        exchange(&mut connect(&link), b"hello").unwrap();
    }

    #[test]
    fn a_frozen_line_accepts_and_says_nothing() {
        let link = Link::to(echo());
        link.freeze();
        let mut stream = connect(&link);
        stream.write_all(b"hello").unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let mut back = [0; 5];
        assert_eq!(stream.read_exact(&mut back).unwrap_err().kind(), ErrorKind::WouldBlock);
        link.mend();
        stream.set_read_timeout(None).unwrap();
        stream.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"hello");
    }

    #[test]
    fn a_line_may_be_long_or_narrow() {
        let link = Link::to(echo());
        let mut stream = connect(&link);
        link.delay(Duration::from_millis(50));
        assert!(exchange(&mut stream, b"hello").unwrap() >= Duration::from_millis(100));
        link.mend();
        link.throttle(100_000);
        let time = exchange(&mut stream, &vec![7; 50_000]).unwrap();
        assert!((400..5000).contains(&time.as_millis()), "{time:?}");
        link.mend();
        assert!(exchange(&mut stream, &vec![7; 5_000_000]).unwrap() < Duration::from_secs(5));
    }

    #[test]
    fn an_end_is_carried_over() {
        let link = Link::to(echo());
        let mut stream = connect(&link);
        stream.write_all(b"hello").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut back = Vec::new();
        stream.read_to_end(&mut back).unwrap();
        assert_eq!(back, b"hello");
    }
}
