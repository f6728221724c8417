//! The rate of sending: as many messages over as many connections to the same sink, by Postfix's `smtp-source` and by mailflow, in turns.
//!
//! `smtp-source` writes the same bytes again and again and waits for replies: beside it stand mailflow's transactions. A further figure counts
//! everything that a run does with a message: composing it, writing it into the journal and flushing that to disk before its first byte leaves,
//! keeping the reply, judging; it is bounded by how fast the disk flushes. The sink is one process, which all share.

use super::figures::{Sample, aimed, row};
use mailflow::{
    clock::Clock,
    compose::compose,
    config,
    evidence::Recognizer,
    journal::Journal,
    model::{Endpoint, Plan, RouteKind, RunId, Site, TagKey},
    plan::{Start, plan},
    run::{Setup, run},
    send::{Conduct, Parcel, Sender, SmtpSender, Timeouts},
};
use std::{
    collections::{BTreeMap, HashMap},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread::sleep,
    time::Duration,
};
use tokio::{sync::watch, task::JoinSet, time::Instant};

/// Postfix's `smtp-sink`, until dropped.
struct Sink(Child, SocketAddr);

impl Sink {
    fn start() -> Self {
        let free = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on loopback");
        let address = free.local_addr().expect("it is bound");
        drop(free);
        let sink = Command::new("/usr/sbin/smtp-sink")
            .args(["-u", "nobody", &address.to_string(), "1024"])
            .spawn()
            .expect("smtp-sink starts");
        for _ in 0..100 {
            if TcpStream::connect(address).is_ok() {
                return Self(sink, address);
            }
            sleep(Duration::from_millis(50));
        }
        panic!("smtp-sink does not answer at {address}");
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What one comparison sends.
struct Load {
    sink: SocketAddr,
    site: Site,
    plan: Arc<Plan>,
    key: TagKey,
    connections: u16,
}

/// Sends `messages` by each sender, `rounds` times in turns, and prints the rates.
pub fn measure(messages: usize, connections: u16, rounds: usize) {
    let sink = Sink::start();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for the journal");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("tokio's runtime starts");
    let load = runtime.block_on(async { Load::new(sink.1, messages, connections) });
    let (mut theirs, mut ours, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        theirs.push(load.by_smtp_source());
        ours.push(runtime.block_on(load.by_run(&folder.path().join(round.to_string()))));
        bare.push(runtime.block_on(load.by_sender()));
    }
    let ratio = |of: &[f64]| Sample::new(of.iter().zip(&theirs).map(|(our, their)| our / their)).median();
    println!(
        "\n{messages} messages to smtp-sink over {connections} connections, {rounds} rounds in turns: messages a second (median, least to most)"
    );
    for (what, rates) in [
        ("smtp-source", &theirs),
        ("mailflow, a whole run with its journal", &ours),
        ("mailflow, its transactions alone", &bare),
    ] {
        let sample = Sample::new(rates.iter().copied());
        row(
            what,
            format!("{:.0}   ({:.0} to {:.0})", sample.median(), sample.quantile(0.0), sample.largest()),
        );
    }
    let bare = ratio(&bare);
    aimed(
        "its transactions beside smtp-source",
        format!("{bare:.2}"),
        "at least 0.8 of its rate",
        bare >= 0.8,
    );
    row("a whole run beside smtp-source", format!("{:.2}", ratio(&ours)));
}

impl Load {
    fn new(sink: SocketAddr, messages: usize, connections: u16) -> Self {
        let recipients: String = (0..messages)
            .map(|number| format!("  - {{ address: bulk-{number}@contoso.example, mailbox: none }}\n"))
            .collect();
        let text = format!(
            "sender: {{ address: probe@sender.example, mailbox: none }}\n\
             routes: {{ sink: {{ smtp: {{ url: \"smtp://{sink}\" }}, tls: none, connections: {connections} }} }}\n\
             defaults: {{ quarantine: none }}\nrecipients:\n{recipients}"
        );
        let site = config::read_site(Path::new("sink.yaml"), &text).expect("the site is right");
        let scenario =
            config::read_scenario(Path::new("sending.yaml"), "name: sending\nexpect: accepted\n").expect("the scenario is right");
        let key = TagKey::new(&[7; 32]);
        let start = Start {
            run: RunId::from_random([7; 6]),
            at: Clock::start().now(),
            key: &key,
            version: "bench",
            change: None,
            origin: mailflow::model::Origin::default(),
            only: &[],
        };
        let mut number = 0_u128;
        let mut next = || {
            number += 1;
            number.to_be_bytes()
        };
        let plan = Arc::new(plan(&site, &scenario, &start, &mut next).expect("the plan is right"));
        Self {
            sink,
            site,
            plan,
            key,
            connections,
        }
    }

    fn rate(&self, took: Duration) -> f64 {
        f64::from(u32::try_from(self.plan.probes.len()).unwrap_or(u32::MAX)) / took.as_secs_f64()
    }

    /// Connections are kept from message to message, as mailflow does.
    fn by_smtp_source(&self) -> f64 {
        let message = compose(&self.plan, &self.plan.probes[0]);
        let (messages, connections, length) = (
            self.plan.probes.len().to_string(),
            self.connections.to_string(),
            message.len().to_string(),
        );
        let started = Instant::now();
        let status = Command::new("/usr/sbin/smtp-source")
            .args(["-d", "-s", &connections, "-m", &messages, "-l", &length])
            .args(["-f", "probe@sender.example", "-t", "bulk@contoso.example", &self.sink.to_string()])
            .stdout(Stdio::null())
            .status()
            .expect("smtp-source runs");
        assert!(status.success(), "smtp-source: {status}");
        self.rate(started.elapsed())
    }

    fn sender(&self, clock: Clock) -> SmtpSender {
        let RouteKind::Smtp(smtp) = &self.site.routes[0].kind else {
            panic!("the route is SMTP")
        };
        let endpoint: &Endpoint = &smtp.endpoint;
        let conduct = Conduct {
            clock,
            host_name: "probe.sender.example".to_owned(),
            connections: self.connections,
            rate: None,
            timeouts: Timeouts::default(),
        };
        SmtpSender::new(endpoint, None, &conduct).expect("a sender to the sink")
    }

    /// A whole run, as `mailflow run` makes it; there is no mailbox to watch.
    async fn by_run(&self, state: &Path) -> f64 {
        let clock = Clock::start();
        mailflow::journal::open_state(state).expect("a folder for the journal");
        let log = Journal::open(state)
            .and_then(|journal| journal.begin(&self.plan, std::path::Path::new("mailflow.yaml")))
            .expect("the journal can be written");
        let originals = self.plan.clone();
        let original = move |_| originals.probes.first().map(|probe| compose(&originals, probe));
        let (_stopping, stop) = watch::channel(false);
        let sender: Arc<dyn Sender> = Arc::new(self.sender(clock));
        let setup = Setup {
            plan: self.plan.clone(),
            taken_up: None,
            clock,
            senders: HashMap::from([(self.site.routes[0].name.clone(), sender)]),
            watchers: Vec::new(),
            unwatched: BTreeMap::new(),
            facts: Vec::new(),
            recognizer: Arc::new(Recognizer::new(
                self.key.clone(),
                self.plan.clone(),
                Box::new(original),
                mailflow::scrub::Scrubber::default(),
            )),
            composer: Arc::new(compose),
            log: Arc::new(log),
            stop,
            view: Box::new(|_| {}),
        };
        let started = Instant::now();
        let ledger = run(setup).await.expect("the journal can be written");
        let took = started.elapsed();
        let handed_over = (0..ledger.len()).filter(|index| ledger.is_handed_over(*index)).count();
        assert_eq!(handed_over, self.plan.probes.len(), "every message is handed over");
        self.rate(took)
    }

    /// The sender alone, with messages that are composed already.
    async fn by_sender(&self) -> f64 {
        let sender = Arc::new(self.sender(Clock::start()));
        let parcel = |probe: &mailflow::model::Probe| Parcel {
            probe: probe.id,
            tag: probe.tag.clone(),
            envelope_sender: self.plan.sender(probe).envelope_for(&probe.tag),
            recipient: self.plan.recipient(probe).address.clone(),
            hop: probe.hop.clone(),
            message: compose(&self.plan, probe).into(),
        };
        let parcels: Vec<Parcel> = self.plan.probes.iter().map(parcel).collect();
        let started = Instant::now();
        let mut sending = JoinSet::new();
        for parcel in parcels {
            let sender = sender.clone();
            sending.spawn(async move {
                let permit = sender.ready().await;
                sender.send(&permit, &parcel, 0).await
            });
        }
        while let Some(sent) = sending.join_next().await {
            assert!(matches!(sent, Ok(Ok(_))), "the sink takes every message");
        }
        sender.close().await;
        self.rate(started.elapsed())
    }
}
