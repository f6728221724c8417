//! An IMAP server of a few lines that behaves well, except where a test tells it not to.

#![allow(dead_code, reason = "each test file compiles this for itself and uses a part of it")]

use std::{
    fmt::Write as _,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

/// What the server holds, and what it was told.
#[derive(Default)]
pub struct World {
    pub uid_validity: u32,
    /// UID and text of each message in the inbox.
    pub inbox: Vec<(u32, String)>,
    /// Every command, without its tag.
    pub commands: Vec<String>,
    /// How many connections there were.
    pub connections: usize,
}

/// What the server does instead of answering well.
pub enum Act {
    /// It answers well.
    Behave,
    /// It says this first, and then answers well.
    First(String),
    /// It says this instead; `TAG` stands for the command's tag.
    Instead(String),
    /// It says this, and closes the connection.
    Last(String),
    /// It says nothing more, ever.
    Hang,
}

/// Decides what the server does: the number of the connection (from 1), the command (`GREETING` at first).
pub type Mischief = dyn Fn(usize, &str) -> Act + Send + Sync;

/// A server on loopback. It ends with the test.
pub struct Fake {
    pub address: SocketAddr,
    world: Arc<Mutex<World>>,
}

impl Fake {
    pub async fn start(mischief: impl Fn(usize, &str) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let world = Arc::new(Mutex::new(World {
            uid_validity: 7,
            ..World::default()
        }));
        let mischief: Arc<Mischief> = Arc::new(mischief);
        let shared = Arc::clone(&world);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = {
                    let mut world = lock(&shared);
                    world.connections += 1;
                    world.connections
                };
                let talk = Talk {
                    stream: BufReader::new(stream),
                    world: Arc::clone(&shared),
                    mischief: Arc::clone(&mischief),
                    number,
                    view: Vec::new(),
                };
                tokio::spawn(talk.go());
            }
        });
        Self { address, world }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// Puts a message into the inbox.
    pub fn deliver(&self, message: String) {
        let mut world = self.world();
        let uid = world.inbox.last().map_or(1, |(uid, _)| uid + 1);
        world.inbox.push((uid, message));
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Talk {
    stream: BufReader<TcpStream>,
    world: Arc<Mutex<World>>,
    mischief: Arc<Mischief>,
    number: usize,
    /// The UIDs that the client knows of.
    view: Vec<u32>,
}

impl Talk {
    async fn go(mut self) {
        if self.answer("*", "GREETING").await.is_none() {
            return;
        }
        let mut line = String::new();
        while self.stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
            let command = line.trim_end().to_owned();
            line.clear();
            let (tag, command) = command.split_once(' ').unwrap_or((&command, ""));
            lock(&self.world).commands.push(command.to_owned());
            if self.answer(tag, command).await.is_none() {
                return;
            }
        }
    }

    async fn answer(&mut self, tag: &str, command: &str) -> Option<()> {
        match (self.mischief)(self.number, command) {
            Act::Behave => {}
            Act::First(text) => self.say(&text).await?,
            Act::Instead(text) => return self.say(&text.replace("TAG", tag)).await,
            Act::Last(text) => {
                self.say(&text.replace("TAG", tag)).await?;
                let _ = self.stream.get_mut().shutdown().await;
                return None;
            }
            Act::Hang => {
                sleep(Duration::from_hours(1)).await;
                return None;
            }
        }
        let mut words = command.split(' ');
        let answer = match (words.next().unwrap_or_default(), words.next().unwrap_or_default()) {
            ("GREETING", _) => return self.say("* OK ready\r\n").await,
            ("CAPABILITY", _) => {
                "* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR IDLE LIST-EXTENDED LIST-STATUS SPECIAL-USE UIDPLUS\r\n".to_owned()
            }
            ("LIST", _) => {
                let (uid_validity, uid_next, messages) = self.status();
                format!(
                    "* LIST () \"/\" INBOX\r\n* STATUS INBOX (UIDNEXT {uid_next} UIDVALIDITY {uid_validity} MESSAGES {messages})\r\n\
                     * LIST (\\Junk) \"/\" Junk\r\n* STATUS Junk (UIDNEXT 1 UIDVALIDITY 1 MESSAGES 0)\r\n"
                )
            }
            ("STATUS", _) => "* STATUS Junk (UIDNEXT 1 UIDVALIDITY 1 MESSAGES 0)\r\n".to_owned(),
            ("EXAMINE", name) => {
                let (uid_validity, uid_next, messages) = if name == "\"INBOX\"" { self.status() } else { (1, 1, 0) };
                self.view = self.uids();
                format!("* {messages} EXISTS\r\n* OK [UIDVALIDITY {uid_validity}] ok\r\n* OK [UIDNEXT {uid_next}] ok\r\n")
            }
            ("NOOP", _) => self.news(),
            ("UID", "FETCH") => self.fetch(words.next().unwrap_or_default(), command),
            ("UID", "SEARCH") if command.contains("SINCE") => {
                format!(
                    "* SEARCH{}\r\n",
                    self.uids().iter().map(|uid| format!(" {uid}")).collect::<String>()
                )
            }
            ("UID", "SEARCH") => "* SEARCH\r\n".to_owned(),
            ("IDLE", _) => return self.idle(tag).await,
            ("LOGOUT", _) => "* BYE then\r\n".to_owned(),
            _ => String::new(),
        };
        self.say(&format!("{answer}{tag} OK done\r\n")).await
    }

    async fn say(&mut self, text: &str) -> Option<()> {
        self.stream.get_mut().write_all(text.as_bytes()).await.ok()
    }

    fn uids(&self) -> Vec<u32> {
        lock(&self.world).inbox.iter().map(|(uid, _)| *uid).collect()
    }

    fn status(&self) -> (u32, u32, usize) {
        let world = lock(&self.world);
        let next = world.inbox.last().map_or(1, |(uid, _)| uid.saturating_add(1));
        (world.uid_validity, next, world.inbox.len())
    }

    /// What has changed since the client was told last.
    fn news(&mut self) -> String {
        let now = self.uids();
        let mut news = String::new();
        for place in (0..self.view.len()).rev().filter(|place| !now.contains(&self.view[*place])) {
            let _ = write!(news, "* {} EXPUNGE\r\n", place + 1);
        }
        if now.iter().any(|uid| !self.view.contains(uid)) {
            let _ = write!(news, "* {} EXISTS\r\n", now.len());
        }
        self.view = now;
        news
    }

    fn fetch(&self, set: &str, command: &str) -> String {
        let world = lock(&self.world);
        let is_last = |uid: u32| self.view.last() == Some(&uid);
        let wanted = |uid: u32| {
            set.split(',').any(|range| match range.split_once(':') {
                Some((first, "*")) => first.parse().is_ok_and(|first: u32| uid >= first) || is_last(uid),
                Some((first, last)) => {
                    let bounds = first.parse::<u32>().ok().zip(last.parse::<u32>().ok());
                    bounds.is_some_and(|(first, last)| (first..=last).contains(&uid))
                }
                None => range.parse() == Ok(uid),
            })
        };
        let mut answer = String::new();
        for (place, uid) in self.view.iter().enumerate().filter(|(_, uid)| wanted(**uid)) {
            let Some((_, text)) = world.inbox.iter().find(|(of, _)| of == uid) else {
                continue;
            };
            let header = text.find("\r\n\r\n").map_or(text.as_str(), |end| &text[..end + 4]);
            let most = command.split_once("<0.").and_then(|(_, rest)| rest.split_once('>')?.0.parse().ok());
            let cut = |text: &str| text[..text.floor_char_boundary(most.unwrap_or(text.len()))].to_owned();
            let (header, whole) = (cut(header), cut(text));
            let date = "INTERNALDATE \"23-Nov-2026 10:00:00 +0000\"";
            let _ = write!(answer, "* {} FETCH (UID {uid}", place + 1);
            if command.contains("PEEK[HEADER]") {
                let _ = write!(
                    answer,
                    " {date} RFC822.SIZE {} BODY[HEADER]<0> {{{}}}\r\n{header}",
                    text.len(),
                    header.len()
                );
            } else if command.contains("PEEK[]") {
                let _ = write!(answer, " BODY[]<0> {{{}}}\r\n{whole}", whole.len());
            }
            answer += ")\r\n";
        }
        answer
    }

    async fn idle(&mut self, tag: &str) -> Option<()> {
        self.say("+ idling\r\n").await?;
        let mut line = String::new();
        loop {
            match timeout(Duration::from_millis(50), self.stream.read_line(&mut line)).await {
                Ok(Ok(read)) if read > 0 => return self.say(&format!("{tag} OK done\r\n")).await,
                Ok(_) => return None,
                Err(_) => {
                    let news = self.news();
                    if let Act::Last(text) = (self.mischief)(self.number, "IDLING") {
                        self.say(&text).await?;
                        let _ = self.stream.get_mut().shutdown().await;
                        return None;
                    }
                    self.say(&news).await?;
                }
            }
        }
    }
}
