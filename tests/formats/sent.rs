//! Pushed metrics and sent traces: tried again where that helps, told where it does not, and never with a password in what is shown.

use super::world::{DEMO, demo, mailflow, python, report, said};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::Stdio,
    thread::{self, JoinHandle},
};

/// Answers each request with the next of `answers`, and gives back what was asked.
fn answering(answers: &'static [&'static str]) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            asked.push(request(&mut stream));
            write!(stream, "HTTP/1.1 {answer}").unwrap();
        }
        asked
    });
    (port, asked)
}

fn request(stream: &mut TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

#[test]
fn a_busy_gateway_is_asked_again() {
    const BUSY: &str = "503 Service Unavailable\r\nretry-after: 0\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    const GOOD: &str = "200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let (port, asked) = answering(&[BUSY, GOOD]);
    let output = report(&["--quiet", "--push", &format!("http://prober:se%20cret@127.0.0.1:{port}/base/")]);
    assert!(!said(&output).contains("pushed"), "{}", said(&output));
    let asked = asked.join().unwrap();
    let [first, second] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(first, second);
    let path = first.split(' ').nth(1).unwrap();
    let groups = path.strip_prefix("/base/metrics/job/mailflow/scenario@base64/").unwrap();
    let (scenario, site) = groups.split_once("/site@base64/").unwrap();
    let decoded = |text: &str| String::from_utf8(data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).unwrap()).unwrap();
    let run = &demo().runs[0];
    assert_eq!((decoded(scenario), decoded(site)), (run.scenario.clone(), run.site.clone()));
    assert!(
        first.starts_with("PUT ") && first.contains("authorization: Basic cHJvYmVyOnNlIGNyZXQ=\r\n"),
        "{first}"
    );
    assert!(first.contains("\n# TYPE mailflow_run_info gauge\n"));
}

#[test]
fn a_refusal_is_told_without_the_password() {
    const NO: &str = "400 Bad Request\r\ncontent-length: 9\r\nconnection: close\r\n\r\nno \x1b[2Jway";
    let (port, asked) = answering(&[NO]);
    let output = report(&[
        "--push",
        &format!("http://prober:hunter2@127.0.0.1:{port}/?token=hunter2"),
        "--format",
        "nagios",
    ]);
    assert_eq!(asked.join().unwrap().len(), 1, "asking again would not help");
    let text = said(&output);
    assert!(text.contains("the metrics could not be pushed to http://127.0.0.1:"), "{text}");
    assert!(text.contains("400 Bad Request: no \\x1b[2Jwa"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn a_gateway_that_is_not_there_is_told_and_the_exit_code_says_so() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://a:hunter2@127.0.0.1:{port}");
    // One that passes.
    let output = mailflow(
        folder.path(),
        &["demo", "--state", "state", "--only", "recipient:ok@contoso.example"],
    )
    .arg(scenario(folder.path()))
    .args(["--push", &url])
    .output()
    .unwrap();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(
        text.contains("could not be pushed") && text.contains("Connection refused") && !text.contains("hunter2"),
        "{text}"
    );
    // The environment is heeded where probes are real, and refused where it is of no use, without being shown.
    let output = mailflow(folder.path(), &["report", "--state", "state", "--quiet"])
        .env("MAILFLOW_PUSH", "hunter2")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("this is no URL") && !said(&output).contains("hunter2"));
    let output = mailflow(folder.path(), &["report", "--state", "state", "--format", "nagios"])
        .env("MAILFLOW_PUSH", &url)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(
        said(&output).starts_with("MAILFLOW UNKNOWN - 1 of 1 probe passed"),
        "{}",
        said(&output)
    );
}

fn scenario(folder: &std::path::Path) -> std::path::PathBuf {
    let path = folder.join("one.yaml");
    std::fs::write(&path, "name: one\nexpect: inbox\nwithin: 20s\ngive_up_after: 20s\nsettle: 1s\n").unwrap();
    path
}

#[test]
fn a_collector_gets_the_run_as_a_trace() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/formats/read.py");
    let mut collector = python().args([script, "collector"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(collector.stdout.take().unwrap()).lines();
    let port = lines.next().unwrap().unwrap();
    let output = mailflow(DEMO.path(), &["report", "last", "--state", "state", "--quiet", "--otlp"])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{port}"))
        .env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20kept,x-other=1")
        .output()
        .unwrap();
    assert!(!said(&output).contains("could not be sent"), "{}", said(&output));
    let found: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert!(collector.wait().unwrap().success());
    assert_eq!(
        (&found["path"], &found["content"], &found["authorization"], &found["traces"]),
        (&json!("/v1/traces"), &json!("application/json"), &json!("Bearer kept"), &json!(1))
    );
    assert_eq!(found["spans"]["mailflow probe"], json!(demo().probes.len()));
}

#[test]
fn a_collector_that_refuses_some_spans_is_told() {
    const PARTLY: &str = "200 OK\r\ncontent-length: 74\r\nconnection: close\r\n\r\n{\"partialSuccess\":{\"rejectedSpans\":\"3\",\"errorMessage\":\"too many at once\"}}";
    let (port, asked) = answering(&[PARTLY]);
    let output = report(&["--quiet", &format!("--otlp=http://127.0.0.1:{port}/v1/traces")]);
    let text = said(&output);
    assert!(text.contains("it refused 3 of the spans: too many at once"), "{text}");
    assert!(asked.join().unwrap()[0].starts_with("POST /v1/traces "));
}
