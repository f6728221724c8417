//! Metrics and traces that are sent to where they are gathered: a push gateway of Prometheus, a collector of OTLP.
//!
//! Tried again a little where that can help, for a run that has ended cannot wait for its listeners. What it cannot see: whether anybody looks
//! there. Credentials of a URL go along as HTTP wants them, and are never shown.

use crate::{
    cli::Shared,
    model::Judged,
    report::{self, Format, Style, escape, prometheus},
    tls,
};
use data_encoding::BASE64URL_NOPAD;
use percent_encoding::percent_decode_str;
use reqwest::{
    Client, Method, Url,
    header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
    redirect,
};
use std::{error::Error as _, time::Duration};

/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pauses before each further try.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];
/// A service that asks for a longer pause is not waited for.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// So much of an answer is read.
const ANSWER: usize = 16 << 10;
/// So much of it is shown.
const SHOWN: usize = 200;

/// Where the collector listens if nobody says otherwise (OTLP specification, *OTLP/HTTP default port*).
const DEFAULT_COLLECTOR: &str = "http://localhost:4318";

/// One place that wants to be told.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    kind: Kind,
    url: Url,
    /// What else is sent; may hold a secret, so it is marked and never shown.
    headers: HeaderMap,
    client: Client,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    PushGateway,
    Collector,
}

/// What is sent.
struct Parcel {
    method: Method,
    url: Url,
    content: &'static str,
    body: Vec<u8>,
}

/// What one try brought.
enum Setback {
    /// Another try may help, after this pause if one was asked for.
    Again(String, Option<Duration>),
    End(String),
}

impl Upload {
    /// What the command line and the environment ask for.
    ///
    /// # Errors
    /// A sentence, without the URL: it may hold a password.
    pub fn all(shared: &Shared, environment: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Self>, String> {
        let said = |name: &str| environment(name).filter(|value| !value.trim().is_empty());
        let mut all = Vec::new();
        if let Some(asked) = shared.push.clone().or_else(|| said("MAILFLOW_PUSH")) {
            let url = address("--push", &asked)?;
            all.push(Self::new(Kind::PushGateway, url, HeaderMap::new())?);
        }
        if let Some(asked) = &shared.otlp {
            let headers = said("OTEL_EXPORTER_OTLP_TRACES_HEADERS").or_else(|| said("OTEL_EXPORTER_OTLP_HEADERS"));
            let headers = headers.map_or_else(|| Ok(HeaderMap::new()), |headers| listed(&headers))?;
            all.push(Self::new(Kind::Collector, collector(asked, &said)?, headers)?);
        }
        Ok(all)
    }

    fn new(kind: Kind, url: Url, headers: HeaderMap) -> Result<Self, String> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls::client_config(None)?)
            .user_agent(concat!("mailflow/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .map_err(|error| format!("HTTP cannot be set up: {}", reason(error)))?;
        Ok(Self {
            kind,
            url,
            headers,
            client,
        })
    }

    /// Tells of the judged runs; each sentence that comes back is a failure.
    pub async fn send(&self, judged: &Judged) -> Vec<String> {
        let parcels = match self.kind {
            Kind::PushGateway => Ok(self.metrics(judged)),
            Kind::Collector => self.traces(judged),
        };
        let parcels = match parcels {
            Ok(parcels) => parcels,
            Err(error) => return vec![error],
        };
        let mut failed = Vec::new();
        for parcel in parcels {
            failed.extend(self.deliver(&parcel).await.err());
        }
        failed
    }

    /// A group of metrics for each scenario on each site: what is put there replaces what stood there of it before, and nothing else.
    fn metrics(&self, judged: &Judged) -> Vec<Parcel> {
        let groups = prometheus::groups(judged);
        let parcel = |group: &prometheus::Group<'_>| {
            let mut url = self.url.clone();
            let mut path = url.path().trim_end_matches('/').to_owned();
            path.push_str("/metrics/job/mailflow");
            for (name, value) in [("scenario", &group.run.scenario), ("site", &group.run.site)] {
                path.push('/');
                path.push_str(&grouping(name, value));
            }
            url.set_path(&path);
            Parcel {
                method: Method::PUT,
                url,
                content: "text/plain; version=0.0.4; charset=utf-8",
                body: group.metrics().into_bytes(),
            }
        };
        groups.iter().map(parcel).collect()
    }

    fn traces(&self, judged: &Judged) -> Result<Vec<Parcel>, String> {
        if judged.runs.is_empty() {
            return Ok(Vec::new());
        }
        let body = report::render(Format::Otlp, judged, &Style::default()).map_err(|error| error.to_string())?;
        Ok(vec![Parcel {
            method: Method::POST,
            url: self.url.clone(),
            content: "application/json",
            body,
        }])
    }

    async fn deliver(&self, parcel: &Parcel) -> Result<(), String> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let why = match self.try_once(parcel).await {
                Ok(()) => return Ok(()),
                Err(Setback::Again(why, asked)) => match (pauses.next(), asked) {
                    (Some(_), Some(asked)) if asked > LONGEST_PAUSE => why,
                    (Some(pause), asked) => {
                        tokio::time::sleep(asked.unwrap_or(pause)).await;
                        continue;
                    }
                    (None, _) => why,
                },
                Err(Setback::End(why)) => why,
            };
            let what = match self.kind {
                Kind::PushGateway => "the metrics could not be pushed",
                Kind::Collector => "the trace could not be sent",
            };
            return Err(format!(
                "{what} to {}: {why}\n  help: `mailflow report` sends it again, with the same option",
                shown(&self.url)
            ));
        }
    }

    async fn try_once(&self, parcel: &Parcel) -> Result<(), Setback> {
        let request = self
            .client
            .request(parcel.method.clone(), parcel.url.clone())
            .headers(self.headers.clone())
            .header("content-type", parcel.content)
            .body(parcel.body.clone());
        let mut response = request.send().await.map_err(|error| Setback::Again(reason(error), None))?;
        let status = response.status();
        let asked = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        let mut answer = Vec::new();
        while answer.len() < ANSWER
            && let Ok(Some(chunk)) = response.chunk().await
        {
            answer.extend_from_slice(&chunk);
        }
        answer.truncate(ANSWER);
        if status.is_success() {
            return match self.kind {
                Kind::Collector => rejected(&answer).map_or(Ok(()), |why| Err(Setback::End(why))),
                Kind::PushGateway => Ok(()),
            };
        }
        let why = format!("it answered {status}{}", quoted(&answer));
        // Those that OTLP's specification names; a push gateway has no others.
        if matches!(status.as_u16(), 429 | 502 | 503 | 504) {
            Err(Setback::Again(why, asked.map(Duration::from_secs)))
        } else {
            Err(Setback::End(why))
        }
    }
}

/// A URL of HTTP.
fn address(option: &str, text: &str) -> Result<Url, String> {
    // Without quoting it: it may hold a password.
    Url::parse(text.trim())
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
        .ok_or_else(|| format!("{option}: this is no URL\n  help: write http://HOST:PORT or https://HOST"))
}

/// Where the traces go: a URL that was given, that of the traces, or that of all signals with their path behind it.
fn collector(asked: &str, said: &dyn Fn(&str) -> Option<String>) -> Result<Url, String> {
    if asked.is_empty()
        && let Some(url) = said("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    {
        // By the specification this one is taken as it is.
        return address("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &url);
    }
    let (option, base) = if asked.is_empty() {
        let base = said("OTEL_EXPORTER_OTLP_ENDPOINT");
        ("OTEL_EXPORTER_OTLP_ENDPOINT", base.unwrap_or_else(|| DEFAULT_COLLECTOR.to_owned()))
    } else {
        ("--otlp", asked.to_owned())
    };
    let mut url = address(option, &base)?;
    if !url.path().ends_with("/v1/traces") {
        url.set_path(&format!("{}/v1/traces", url.path().trim_end_matches('/')));
    }
    Ok(url)
}

/// `name=value,name=value`, the values percent-encoded (OTLP exporter specification).
fn listed(text: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        let header = pair.split_once('=').and_then(|(name, value)| {
            let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
            let value: Vec<u8> = percent_decode_str(value.trim()).collect();
            let mut value = HeaderValue::from_bytes(&value).ok()?;
            value.set_sensitive(true);
            Some((name, value))
        });
        let (name, value) = header.ok_or(
            "OTEL_EXPORTER_OTLP_HEADERS: one of them cannot be read\n  help: write name=value,name=value, with the values percent-encoded",
        )?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// A label of a push gateway's group in its path. A slash, and an empty value, can only be said in base64.
fn grouping(name: &str, value: &str) -> String {
    if value.is_empty() {
        format!("{name}@base64/=")
    } else {
        format!("{name}@base64/{}", BASE64URL_NOPAD.encode(value.as_bytes()))
    }
}

/// The URL without its credentials and its query.
fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

/// Why spans were refused though the answer is a success (`ExportTracePartialSuccess`).
fn rejected(answer: &[u8]) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_slice(answer).ok()?;
    let partial = answer.get("partialSuccess")?;
    let spans = partial.get("rejectedSpans")?;
    let spans = spans.as_i64().or_else(|| spans.as_str()?.parse().ok()).filter(|spans| *spans > 0)?;
    let said = partial.get("errorMessage").and_then(serde_json::Value::as_str).unwrap_or_default();
    Some(format!("it refused {spans} of the spans{}", quoted(said.as_bytes())))
}

/// The beginning of what a service said, as one harmless line.
fn quoted(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let text = escape(text.trim());
    if text.is_empty() {
        return String::new();
    }
    let end = text.char_indices().nth(SHOWN).map_or(text.len(), |(end, _)| end);
    format!(": {}", text[..end].trim_end())
}

/// The innermost reason, and never the URL: it may hold a password.
fn reason(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", PATIENCE.as_secs());
    }
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    text
}
