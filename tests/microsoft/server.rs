//! A server that answers each HTTP/1.1 request as its script says, and keeps what it was asked.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    time::{Instant, sleep},
};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub target: String,
    /// Names in small letters.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    pub at: Instant,
    /// Its number on this server, from 0.
    pub number: usize,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The body as a form.
    pub fn form(&self) -> BTreeMap<String, String> {
        let query = String::from_utf8(self.body.clone()).unwrap();
        reqwest::Url::parse(&format!("http://localhost/?{query}"))
            .unwrap()
            .query_pairs()
            .into_owned()
            .collect()
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Canned {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether the connection ends without an answer.
    pub hang_up: bool,
    /// Whether the body goes on for ever.
    pub endless: bool,
    /// How long the answer takes.
    pub delay: Duration,
    /// Whether nothing ever comes.
    pub silent: bool,
}

impl Canned {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            hang_up: false,
            endless: false,
            silent: false,
            delay: Duration::ZERO,
        }
    }

    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, body.to_string()).header("content-type", "application/json")
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

type Script = Arc<dyn Fn(&Seen) -> Canned + Send + Sync>;

/// Ends with its runtime.
pub struct Server {
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    script: Script,
    at_once: Arc<AtOnce>,
}

/// How many requests are being answered, and the most there ever were.
#[derive(Debug, Default)]
pub struct AtOnce {
    now: AtomicU32,
    most: AtomicU32,
}

impl Server {
    pub async fn start(script: impl Fn(&Seen) -> Canned + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            seen: Arc::default(),
            script: Arc::new(script),
            at_once: Arc::default(),
        };
        let (seen, script, at_once) = (Arc::clone(&server.seen), Arc::clone(&server.script), Arc::clone(&server.at_once));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&seen), Arc::clone(&script), Arc::clone(&at_once)));
            }
        });
        server
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The most requests that were ever being answered at once.
    pub fn most_at_once(&self) -> u32 {
        self.at_once.most.load(Ordering::SeqCst)
    }

    /// Those whose target begins so.
    pub fn at(&self, start: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.target.starts_with(start)).collect()
    }
}

/// Serves one connection, whatever it runs over.
pub async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, all: Arc<Mutex<Vec<Seen>>>, script: Script, at_once: Arc<AtOnce>) {
    let mut buffer = Vec::new();
    while let Some(mut seen) = read(&mut stream, &mut buffer).await {
        {
            let mut all = all.lock().unwrap();
            seen.number = all.len();
            all.push(seen.clone());
        }
        let canned = script(&seen);
        at_once
            .most
            .fetch_max(at_once.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        if !canned.delay.is_zero() {
            sleep(canned.delay).await;
        }
        at_once.now.fetch_sub(1, Ordering::SeqCst);
        if canned.hang_up {
            return;
        }
        if canned.silent {
            std::future::pending::<()>().await;
        }
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", canned.status);
        for (name, value) in &canned.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if canned.endless {
            head.push_str("transfer-encoding: chunked\r\n\r\n");
            let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x1_0000));
            let mut sent = stream.write_all(head.as_bytes()).await;
            while sent.is_ok() {
                sent = stream.write_all(chunk.as_bytes()).await;
            }
            return;
        }
        if !canned.headers.iter().any(|(name, _)| name == "content-length") {
            head.push_str(&format!("content-length: {}\r\n", canned.body.len()));
        }
        head.push_str("\r\n");
        let mut reply = head.into_bytes();
        reply.extend(canned.body);
        if stream.write_all(&reply).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Option<Seen> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer.drain(..end + 4).collect()).ok()?;
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    while buffer.len() < length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    Some(Seen {
        method: first.next()?.to_owned(),
        target: first.next()?.to_owned(),
        headers,
        body: buffer.drain(..length).collect(),
        at: Instant::now(),
        number: 0,
    })
}
