//! A run as a trace of `OpenTelemetry`, in the JSON of OTLP (opentelemetry-proto, `ExportTraceServiceRequest`): the file holds one line, as the
//! collector's file exporter writes it, and the same bytes may be posted to `/v1/traces`.
//!
//! The run is the root; below it stands a span for each probe; below that, one for each attempt to send, each hop, each arrival. JSON and not
//! protobuf: both are part of OTLP over HTTP, and this one needs no generated code. The ids are made of those of run and probe, so that a
//! report made again is the same trace.
//!
//! What it cannot tell: the moment of an arrival. Its span is the interval in which it lies. Hops are told by other machines' clocks; their spans
//! are marked as estimates, and may lie outside their parents'.

use super::{ReportError, escape, text::visible_json};
use crate::model::{Attempt, Basis, HopRecord, Judged, JudgedProbe, Outcome, RunInfo, SightingRecord, Summary, Time, time};
use chrono::TimeDelta;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

/// The kinds of span (`SpanKind`).
const INTERNAL: u8 = 1;
const CLIENT: u8 = 3;
const CONSUMER: u8 = 5;

/// `StatusCode.STATUS_CODE_ERROR`. The other spans stay unset: only who watches a run knows whether it is *ok*.
const ERROR: u8 = 2;

/// Of many attempts, hops or copies this many have a span.
const SPANS: usize = 64;

/// The report.
pub fn render(judged: &Judged) -> Result<Vec<u8>, ReportError> {
    let mut bytes = visible_json(serde_json::to_vec(&traces(judged))?);
    bytes.push(b'\n');
    Ok(bytes)
}

fn traces(judged: &Judged) -> Value {
    let resources: Vec<Value> = judged.runs.iter().map(|run| resource(run, judged)).collect();
    json!({ "resourceSpans": resources })
}

/// One run: whose spans these are, and the spans.
fn resource(run: &RunInfo, judged: &Judged) -> Value {
    let probes: Vec<&JudgedProbe> = judged.probes.iter().filter(|probe| probe.run == run.id).collect();
    let trace = Trace::of(run, &probes);
    let mut spans = vec![trace.root(&probes)];
    spans.extend(probes.iter().flat_map(|probe| trace.probe(probe)));
    json!({
        "resource": { "attributes": attributes(&[
            ("service.name", text("mailflow")),
            ("service.version", text(&run.version)),
            ("mailflow.site", text(&run.site)),
        ]) },
        "scopeSpans": [{ "scope": { "name": "mailflow", "version": run.version }, "spans": spans }],
    })
}

struct Trace<'a> {
    run: &'a RunInfo,
    /// 16 bytes in hexadecimal.
    id: String,
    root: String,
    end: Time,
}

/// What a span is made of beside its ids.
struct Span<'a> {
    name: &'a str,
    kind: u8,
    from: Time,
    to: Time,
    attributes: Vec<(&'a str, Option<Value>)>,
    events: Vec<Value>,
    error: Option<String>,
}

impl<'a> Trace<'a> {
    fn of(run: &'a RunInfo, probes: &[&JudgedProbe]) -> Self {
        // The start too: the run's id alone is short.
        let of_run = format!("{} {}", run.id.as_str(), time::shown(run.started_at));
        let last = probes.iter().filter_map(|probe| last_known(probe)).max();
        Self {
            run,
            id: hashed(&["trace", &of_run], 16),
            root: hashed(&["run", &of_run], 8),
            end: run.finished_at.or(last).unwrap_or(run.started_at).max(run.started_at),
        }
    }

    fn root(&self, probes: &[&JudgedProbe]) -> Value {
        let counted: Vec<JudgedProbe> = probes.iter().map(|probe| (*probe).clone()).collect();
        let Summary {
            probes: all,
            passed,
            failed,
            waived,
            unknown,
            ..
        } = Summary::of(&counted);
        let number = |number: u32| Some(integer(i64::from(number)));
        self.span(
            &self.root,
            None,
            Span {
                name: "mailflow run",
                kind: INTERNAL,
                from: self.run.started_at,
                to: self.end,
                attributes: vec![
                    ("mailflow.run.id", text(self.run.id.as_str())),
                    ("mailflow.scenario", text(&self.run.scenario)),
                    ("mailflow.change", self.run.change.as_deref().and_then(text)),
                    ("mailflow.probes", number(all)),
                    ("mailflow.probes.passed", number(passed)),
                    ("mailflow.probes.failed", number(failed)),
                    ("mailflow.probes.waived", number(waived)),
                    ("mailflow.probes.unknown", number(unknown)),
                    (
                        "mailflow.run.finished",
                        Some(json!({ "boolValue": self.run.finished_at.is_some() })),
                    ),
                ],
                events: Vec::new(),
                error: (failed > 0).then(|| format!("{failed} of {all} failed")),
            },
        )
    }

    /// The span of a probe, and those below it.
    fn probe(&self, probe: &JudgedProbe) -> Vec<Value> {
        let id = hashed(&["probe", &probe.id.to_string()], 8);
        let from = probe.sent_at.unwrap_or(self.run.started_at);
        // What was not seen was looked for until the run ended; what was never sent took no time.
        let to = match (probe.arrived_at, probe.sent_at) {
            (Some(arrived), _) => arrived,
            (None, Some(_)) => self.end,
            (None, None) => from,
        };
        let mut spans = vec![self.span(
            &id,
            Some(&self.root),
            Span {
                name: "mailflow probe",
                kind: INTERNAL,
                from,
                to: to.max(from),
                attributes: about(probe),
                events: events(probe, to.max(from)),
                error: (probe.outcome == Outcome::Failed).then(|| probe.explanation.clone()),
            },
        )];
        for (index, attempt) in probe.attempts.iter().take(SPANS).enumerate() {
            let own = hashed(&["attempt", &probe.id.to_string(), &index.to_string()], 8);
            spans.push(self.span(&own, Some(&id), of_attempt(attempt)));
        }
        for (index, hop) in probe.hops.iter().take(SPANS).enumerate() {
            let Some(at) = hop.hop.at else { continue };
            let own = hashed(&["hop", &probe.id.to_string(), &index.to_string()], 8);
            spans.push(self.span(&own, Some(&id), of_hop(hop, at)));
        }
        for (index, sighting) in probe.sightings.iter().take(SPANS).enumerate() {
            let own = hashed(&["arrival", &probe.id.to_string(), &index.to_string()], 8);
            spans.push(self.span(&own, Some(&id), of_sighting(sighting)));
        }
        spans
    }

    fn span(&self, id: &str, parent: Option<&str>, span: Span<'_>) -> Value {
        let mut value = json!({
            "traceId": self.id,
            "spanId": id,
            "name": span.name,
            "kind": span.kind,
            "startTimeUnixNano": nanoseconds(span.from),
            "endTimeUnixNano": nanoseconds(span.to),
            "attributes": attributes(&span.attributes),
        });
        if let Some(fields) = value.as_object_mut() {
            if let Some(parent) = parent {
                fields.insert("parentSpanId".to_owned(), parent.into());
            }
            if !span.events.is_empty() {
                fields.insert("events".to_owned(), span.events.into());
            }
            if let Some(message) = span.error {
                fields.insert("status".to_owned(), json!({ "code": ERROR, "message": escape(&message) }));
            }
        }
        value
    }
}

/// What is said of a probe.
fn about(probe: &JudgedProbe) -> Vec<(&'static str, Option<Value>)> {
    let some = |said: &Option<String>| said.as_deref().and_then(text);
    vec![
        ("mailflow.probe.id", text(&probe.id.to_string())),
        ("mailflow.message_id", text(&probe.message_id)),
        ("mailflow.recipient", text(&probe.recipient)),
        ("mailflow.role", some(&probe.role)),
        ("mailflow.owner", some(&probe.owner)),
        ("mailflow.route", text(&probe.route)),
        ("mailflow.message", text(&probe.message)),
        ("mailflow.case", some(&probe.case)),
        ("mailflow.expected", text(&probe.expected.join(" "))),
        ("mailflow.outcome", text(probe.outcome.word())),
        ("mailflow.verdict", text(probe.verdict.word())),
        ("mailflow.basis", probe.basis.map(Basis::word).and_then(text)),
        ("mailflow.latency_ms", probe.latency_ms.and_then(number)),
        ("mailflow.latency_uncertainty_ms", probe.latency_uncertainty_ms.and_then(number)),
        ("mailflow.within_ms", number(probe.within_ms)),
        ("mailflow.path", some(&probe.path)),
        ("mailflow.explanation", text(&probe.explanation)),
        ("mailflow.remedy", some(&probe.remedy)),
    ]
}

/// What else is true of a probe, and what came back.
fn events(probe: &JudgedProbe, end: Time) -> Vec<Value> {
    let event = |name: &str, at: Time, said: &[(&str, Option<Value>)]| json!({ "name": name, "timeUnixNano": nanoseconds(at), "attributes": attributes(said) });
    let flags = probe
        .flags
        .iter()
        .map(|flag| event("mailflow.flag", end, &[("mailflow.flag", text(flag.word()))]));
    let notice = probe.dsn.iter().map(|dsn| {
        let status = dsn.status.as_deref().and_then(text);
        let by = dsn.reporting_mta.as_deref().and_then(text);
        let diagnostic = dsn.diagnostic.as_deref().and_then(text);
        event(
            "mailflow.dsn",
            dsn.at,
            &[
                ("mailflow.dsn.status", status),
                ("mailflow.dsn.reporting_mta", by),
                ("mailflow.dsn.diagnostic", diagnostic),
            ],
        )
    });
    let altered = probe.alterations.iter().take(SPANS).map(|alteration| {
        event(
            "mailflow.alteration",
            end,
            &[("mailflow.alteration.kind", text(alteration.kind.word()))],
        )
    });
    flags.chain(notice).chain(altered).collect()
}

fn of_attempt(attempt: &Attempt) -> Span<'_> {
    let tls = attempt.tls.as_ref();
    // `TLSv1.3`, as the semantic conventions split it.
    let version = tls.and_then(|tls| tls.version.strip_prefix("TLSv")).and_then(text);
    let certificate = tls.and_then(|tls| tls.certificate.as_ref().err()).and_then(|why| text(why));
    Span {
        name: "mailflow send",
        kind: CLIENT,
        from: attempt.at,
        to: attempt.ended_at.max(attempt.at),
        attributes: vec![
            ("server.address", text(&attempt.host)),
            ("tls.protocol.version", version),
            ("mailflow.tls.certificate", certificate),
            ("mailflow.stage", text(&attempt.stage)),
            ("mailflow.reply.code", attempt.reply.code.map(|code| integer(i64::from(code)))),
            ("mailflow.reply.enhanced", attempt.reply.enhanced.as_deref().and_then(text)),
            ("mailflow.reply.text", text(&attempt.reply.text)),
            ("mailflow.reply.ours", Some(json!({ "boolValue": attempt.reply.ours }))),
            ("mailflow.in_doubt", Some(json!({ "boolValue": attempt.in_doubt }))),
        ],
        events: Vec::new(),
        error: (!attempt.reply.is_positive()).then(|| attempt.reply.to_string()),
    }
}

fn of_hop(record: &HopRecord, at: Time) -> Span<'_> {
    let hop = &record.hop;
    let some = |said: &'_ Option<String>| said.as_deref().and_then(text);
    #[expect(clippy::cast_possible_truncation, reason = "a float becomes the nearest integer there is")]
    let stayed = record.spent_ms.map_or(0, |spent| spent.max(0.0) as i64);
    Span {
        name: "mailflow hop",
        kind: INTERNAL,
        from: at,
        to: TimeDelta::try_milliseconds(stayed)
            .and_then(|stayed| at.checked_add_signed(stayed))
            .unwrap_or(at),
        attributes: vec![
            ("mailflow.estimate", Some(json!({ "boolValue": true }))),
            ("mailflow.clock", text("the host's own")),
            ("mailflow.clock.skew_ms", record.skew_ms.and_then(number)),
            ("mailflow.hop.by", some(&hop.by)),
            ("mailflow.hop.from", some(&hop.from)),
            ("mailflow.hop.address", some(&hop.address)),
            ("mailflow.hop.protocol", some(&hop.protocol)),
            ("mailflow.hop.tls", some(&hop.tls)),
        ],
        events: Vec::new(),
        error: None,
    }
}

fn of_sighting(sighting: &SightingRecord) -> Span<'_> {
    Span {
        name: "mailflow arrival",
        kind: CONSUMER,
        from: sighting.after.min(sighting.at),
        to: sighting.at,
        attributes: vec![
            ("mailflow.mailbox", text(sighting.mailbox.as_str())),
            ("mailflow.folder", text(&sighting.folder)),
            ("mailflow.placement", text(sighting.placement.word())),
            ("mailflow.gone_at", sighting.until.and_then(|until| text(&time::shown(until)))),
            (
                "mailflow.internal_date",
                sighting.internal_date.and_then(|date| text(&time::shown(date))),
            ),
        ],
        events: Vec::new(),
        error: None,
    }
}

/// The last that is known of a probe, by our clock.
fn last_known(probe: &JudgedProbe) -> Option<Time> {
    let attempts = probe.attempts.iter().map(|attempt| attempt.ended_at);
    let sightings = probe.sightings.iter().map(|sighting| sighting.until.unwrap_or(sighting.at));
    attempts.chain(sightings).chain(probe.sent_at).max()
}

/// The attributes that have a value.
fn attributes(given: &[(&str, Option<Value>)]) -> Value {
    let given = given
        .iter()
        .filter_map(|(key, value)| Some(json!({ "key": key, "value": value.as_ref()? })));
    given.collect()
}

/// `None` if it is empty: an attribute that says nothing is left out.
fn text(said: &str) -> Option<Value> {
    (!said.is_empty()).then(|| json!({ "stringValue": escape(said) }))
}

/// 64-bit integers are strings in protobuf's JSON.
fn integer(number: i64) -> Value {
    json!({ "intValue": number.to_string() })
}

fn number(number: f64) -> Option<Value> {
    number.is_finite().then(|| json!({ "doubleValue": number }))
}

/// Nanoseconds since 1970, as a string: see [`integer`].
fn nanoseconds(time: Time) -> String {
    time.timestamp_nanos_opt().unwrap_or_default().max(0).to_string()
}

/// The first `bytes` of a hash of all `parts`, in hexadecimal.
fn hashed(parts: &[&str], bytes: usize) -> String {
    let whole = digest(&SHA256, format!("mailflow {}", parts.join("\n")).as_bytes());
    let start = whole.as_ref().get(..bytes).unwrap_or_default();
    data_encoding::HEXLOWER.encode(start)
}
