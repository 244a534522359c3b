//! A TCP proxy in front of the test server that cuts connections where a test wants it to.
//!
//! It understands just enough of the protocol of a client: a startup message (length, body), then messages of
//! a type byte, a length and a body. <https://www.postgresql.org/docs/current/protocol-message-formats.html>

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Where a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// COMMIT does not reach the server, which sees the connection end.
    BeforeCommit,
    /// COMMIT does not reach the server, which does not see that the client is gone.
    CommitWithheld,
    /// COMMIT reaches the server; the client is gone before the answer.
    AfterCommit,
    /// The answer to COMMIT reaches the proxy and no further.
    AtTheAnswer,
    /// The message that is the n-th from now, from 0, does not reach the server, which sees the end.
    Message(usize),
    /// As `Message`, but the server does not see it.
    MessageWithheld(usize),
    /// In the middle of the first message with rows of a COPY.
    Copy,
    /// From the first message with rows of a COPY on nothing of this connection is passed on, and
    /// nothing is closed.
    FreezeAtCopy,
    /// From the n-th statement from now on, from 0, likewise.
    Freeze(usize),
}

#[derive(Default)]
struct Plan {
    /// What to do, after letting so many chances pass.
    armed: Option<(usize, Cut)>,
    fired: usize,
}

#[derive(Default)]
struct Shared {
    plan: Mutex<Plan>,
    refusing: AtomicBool,
    frozen: Mutex<Vec<Arc<AtomicBool>>>,
    closing: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

pub struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    url: String,
}

impl Proxy {
    /// In front of the server of a URL.
    pub fn new(url: &str) -> Self {
        let (before, host, after) = split(url);
        let server = if host.contains(':') {
            host.to_owned()
        } else {
            format!("{host}:5432")
        };
        let server = server
            .to_socket_addrs()
            .expect("the test server must have a TCP address")
            .next()
            .expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if accepting.closing.load(Ordering::SeqCst) {
                    return;
                }
                if !accepting.refusing.load(Ordering::SeqCst) {
                    serve(&accepting, client, server);
                }
            }
        });
        Self {
            shared,
            address,
            url: format!("{before}{address}{after}"),
        }
    }

    /// The URL through the proxy.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The next chance for this cut is taken, by whichever connection has it.
    pub fn cut(&self, cut: Cut) {
        self.cut_later(0, cut);
    }

    /// Lets so many commits pass before.
    pub fn cut_later(&self, pass: usize, cut: Cut) {
        self.plan().armed = Some((pass, cut));
    }

    /// Takes back what has not fired; whether there was something.
    pub fn disarm(&self) -> bool {
        self.plan().armed.take().is_some()
    }

    /// How many cuts there were.
    pub fn fired(&self) -> usize {
        self.plan().fired
    }

    /// Whether new connections end at once.
    pub fn refuse(&self, refuse: bool) {
        self.shared.refusing.store(refuse, Ordering::SeqCst);
    }

    /// Ends every connection there is.
    pub fn cut_all(&self) {
        for stream in lock(&self.shared.open).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// What is frozen goes on.
    pub fn thaw(&self) {
        for frozen in lock(&self.shared.frozen).drain(..) {
            frozen.store(false, Ordering::SeqCst);
        }
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        lock(&self.shared.plan)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        self.cut_all();
        self.thaw();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A URL as what is before the host with its port, these, and what is after.
fn split(url: &str) -> (&str, &str, &str) {
    let authority = url.find("://").expect("a URL") + 3;
    let end = url[authority..]
        .find(['/', '?'])
        .map_or(url.len(), |end| authority + end);
    let host = url[authority..end]
        .rfind('@')
        .map_or(authority, |at| authority + at + 1);
    (&url[..host], &url[host..end], &url[end..])
}

fn serve(shared: &Arc<Shared>, client: TcpStream, server: SocketAddr) {
    let Ok(server) = TcpStream::connect(server) else {
        return;
    };
    let copy = |stream: &TcpStream| stream.try_clone().expect("a second handle");
    // Small messages go at once, as from a client.
    let _ = server.set_nodelay(true);
    let _ = client.set_nodelay(true);
    lock(&shared.open).extend([copy(&client), copy(&server)]);
    let cut_at_answer = Arc::new(AtomicBool::new(false));
    let frozen = Arc::new(AtomicBool::new(false));
    let back = Back {
        server: copy(&server),
        client: copy(&client),
        frozen: Arc::clone(&frozen),
        cut_at_answer: Arc::clone(&cut_at_answer),
    };
    std::thread::spawn(move || back.run());
    let forth = Forth {
        shared: Arc::clone(shared),
        client,
        server,
        frozen,
        cut_at_answer,
    };
    std::thread::spawn(move || forth.run());
}

/// From the server to the client.
struct Back {
    server: TcpStream,
    client: TcpStream,
    frozen: Arc<AtomicBool>,
    cut_at_answer: Arc<AtomicBool>,
}

impl Back {
    fn run(mut self) {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = self.server.read(&mut buffer) {
            wait_while(&self.frozen);
            if self.cut_at_answer.load(Ordering::SeqCst) {
                break;
            }
            // A client that is gone does not keep the server from finishing.
            let _ = self.client.write_all(&buffer[..count]);
        }
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

/// From the client to the server.
struct Forth {
    shared: Arc<Shared>,
    client: TcpStream,
    server: TcpStream,
    frozen: Arc<AtomicBool>,
    cut_at_answer: Arc<AtomicBool>,
}

/// What becomes of a message.
enum Fate {
    Forward,
    End,
    /// The server learns nothing of it.
    Vanish,
    ForwardHalf,
    ForwardAndVanish,
    ForwardAndDropAnswer,
    Freeze,
}

impl Forth {
    fn run(mut self) {
        let ended = self.pump();
        if let Ok(Side::Both) | Err(_) = ended {
            let _ = self.server.shutdown(Shutdown::Both);
        }
        let _ = self.client.shutdown(Shutdown::Both);
    }

    fn pump(&mut self) -> io::Result<Side> {
        // A request for encryption comes before the startup message, and has no type byte either.
        loop {
            let message = read_message(&mut self.client, 0)?;
            self.server.write_all(&message)?;
            let code = message.get(4..8).unwrap_or_default();
            if code != 80_877_103_i32.to_be_bytes() && code != 80_877_104_i32.to_be_bytes() {
                break;
            }
        }
        let mut begins_statement = true;
        loop {
            let message = read_message(&mut self.client, 1)?;
            wait_while(&self.frozen);
            let fate = self.decide(&message, begins_statement);
            // Sync or Query.
            begins_statement = matches!(message[0], b'S' | b'Q');
            match fate {
                Fate::Forward => self.server.write_all(&message)?,
                Fate::End => return Ok(Side::Both),
                Fate::Vanish => return Ok(Side::Client),
                Fate::ForwardHalf => {
                    self.server.write_all(&message[..message.len() / 2])?;
                    return Ok(Side::Both);
                }
                Fate::ForwardAndVanish => {
                    // First, or the answer would be faster.
                    let _ = self.client.shutdown(Shutdown::Both);
                    self.server.write_all(&message)?;
                    return Ok(Side::Client);
                }
                Fate::ForwardAndDropAnswer => {
                    self.cut_at_answer.store(true, Ordering::SeqCst);
                    self.server.write_all(&message)?;
                }
                Fate::Freeze => {
                    self.frozen.store(true, Ordering::SeqCst);
                    lock(&self.shared.frozen).push(Arc::clone(&self.frozen));
                    wait_while(&self.frozen);
                    self.server.write_all(&message)?;
                }
            }
        }
    }

    fn decide(&self, message: &[u8], begins_statement: bool) -> Fate {
        let mut plan = lock(&self.shared.plan);
        let Some((pass, cut)) = plan.armed.as_mut() else {
            return Fate::Forward;
        };
        let is_commit = message[0] == b'Q' && &message[5..] == b"COMMIT\0";
        let is_rows = message[0] == b'd';
        let (is_chance, fate) = match cut {
            Cut::BeforeCommit => (is_commit, Fate::End),
            Cut::CommitWithheld => (is_commit, Fate::Vanish),
            Cut::AfterCommit => (is_commit, Fate::ForwardAndVanish),
            Cut::AtTheAnswer => (is_commit, Fate::ForwardAndDropAnswer),
            Cut::Copy => (is_rows, Fate::ForwardHalf),
            Cut::FreezeAtCopy => (is_rows, Fate::Freeze),
            Cut::Freeze(_) if !begins_statement => (false, Fate::Forward),
            Cut::Message(left) | Cut::MessageWithheld(left) | Cut::Freeze(left) if *left > 0 => {
                *left -= 1;
                (false, Fate::Forward)
            }
            Cut::Message(_) => (true, Fate::End),
            Cut::MessageWithheld(_) => (true, Fate::Vanish),
            Cut::Freeze(_) => (true, Fate::Freeze),
        };
        if !is_chance {
            return Fate::Forward;
        }
        if *pass > 0 {
            *pass -= 1;
            return Fate::Forward;
        }
        plan.armed = None;
        plan.fired += 1;
        fate
    }
}

/// Which of its connections the proxy ends. One to the server that stays is ended by the server, which the
/// thread for the other direction waits for.
enum Side {
    Client,
    Both,
}

/// A message with its length, after so many bytes of type.
fn read_message(from: &mut TcpStream, type_bytes: usize) -> io::Result<Vec<u8>> {
    let mut message = vec![0; type_bytes + 4];
    from.read_exact(&mut message)?;
    let length = message[type_bytes..].try_into().map(i32::from_be_bytes);
    let length = usize::try_from(length.unwrap_or(4)).unwrap_or(4);
    message.resize(type_bytes + length, 0);
    from.read_exact(&mut message[type_bytes + 4..])?;
    Ok(message)
}

fn wait_while(frozen: &AtomicBool) {
    while frozen.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(10));
    }
}
