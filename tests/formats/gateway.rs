//! A real Prometheus that gathers the metrics, from a real push gateway and from the file as the textfile collector would serve it.

use super::world::{DEMO, demo, report, said};
use serde_json::Value;
use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

/// A server that ends with its test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn start(program: &str, arguments: &[String]) -> Server {
    let child = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} is missing ({error}); tests/run installs it"));
    Server(child)
}

/// The body of an answer; `None` while nobody answers with 200.
fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.lines().next()?.contains(" 200 ").then(|| body.to_owned())
}

/// Asks until there is an answer that will do.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..300 {
        if let Some(found) = ask() {
            return found;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("{what} has not come in half a minute");
}

/// Serves the file of metrics as `node_exporter` does, to whoever asks, as long as the test runs.
fn serve_file() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let metrics = fs::read_to_string(DEMO.path().join("prometheus")).unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n\r\n";
            let _ = stream.write_all(format!("{head}{metrics}").as_bytes());
        }
    });
    port
}

fn series(prometheus: u16, query: &str) -> Vec<Value> {
    let query: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let answer = get(prometheus, &format!("/api/v1/query?query={query}")).unwrap_or_default();
    let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
    answer["data"]["result"].as_array().cloned().unwrap_or_default()
}

#[test]
fn a_real_prometheus_answers_with_what_was_measured() {
    let (gateway_port, prometheus_port, file_port) = (free_port(), free_port(), serve_file());
    let folder = tempfile::tempdir().unwrap();
    let _gateway = start(
        "prometheus-pushgateway",
        &[format!("--web.listen-address=127.0.0.1:{gateway_port}")],
    );
    until("the push gateway", || get(gateway_port, "/-/ready"));
    let push = format!("http://127.0.0.1:{gateway_port}/");
    let pushed = report(&["--push", &push, "--quiet"]);
    assert_eq!(pushed.status.code(), Some(1), "{}", said(&pushed));
    // Again, which replaces and does not double.
    assert!(!said(&report(&["--push", &push, "--quiet"])).contains("pushed"));

    let config = folder.path().join("prometheus.yml");
    fs::write(
        &config,
        format!(
            "global: {{ scrape_interval: 1s }}\nscrape_configs:\n\
             - {{ job_name: gateway, honor_labels: true, static_configs: [{{ targets: ['127.0.0.1:{gateway_port}'] }}] }}\n\
             - {{ job_name: node, static_configs: [{{ targets: ['127.0.0.1:{file_port}'] }}] }}\n"
        ),
    )
    .unwrap();
    let _prometheus = start(
        "prometheus",
        &[
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", folder.path().join("data").display()),
            format!("--web.listen-address=127.0.0.1:{prometheus_port}"),
        ],
    );
    let judged = demo();
    let probe = judged.probes.iter().find(|probe| probe.latency_ms.is_some()).unwrap();
    for job in ["mailflow", "node"] {
        let query = format!(
            "mailflow_probe_latency_seconds{{job=\"{job}\",recipient=\"{}\",route=\"{}\",message=\"{}\",case=\"\"}}",
            probe.recipient, probe.route, probe.message
        );
        let found = until(&query, || Some(series(prometheus_port, &query)).filter(|found| !found.is_empty()));
        assert_eq!(found.len(), 1, "{found:?}");
        let value: f64 = found[0]["value"][1].as_str().unwrap().parse().unwrap();
        assert!((value * 1000.0 - probe.latency_ms.unwrap()).abs() < 0.001, "{value}");
        let failed = series(
            prometheus_port,
            &format!("sum(mailflow_probe_outcome{{job=\"{job}\",outcome=\"failed\"}})"),
        );
        assert_eq!(failed[0]["value"][1], judged.summary.failed.to_string());
        let unknown = series(prometheus_port, &format!("count(mailflow_probe_success{{job=\"{job}\"}})"));
        let known = judged.summary.probes - judged.summary.unknown;
        assert_eq!(unknown[0]["value"][1], known.to_string(), "what is unknown has no success");
    }
    // The rules of the examples find the failures of a real run.
    let rule = "(mailflow_probe_outcome{outcome=\"failed\"} == 1) * on (job, instance, scenario, site, recipient, role, route, message, case) \
                group_left (verdict) mailflow_probe_verdict_info";
    let failing = series(prometheus_port, rule);
    assert_eq!(failing.len(), usize::try_from(judged.summary.failed).unwrap() * 2);
    assert!(failing.iter().all(|found| found["metric"]["verdict"].is_string()));
}
