//! The web server: connections over TLS, requests bounded in size, replies with the headers that Microsoft's bear.
//!
//! Cannot see what a request means: everything under `/v1.0/` goes to `graph`, the rest to `token`.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::answer::{Answer, Body};
use super::call::{Call, fields};
use super::record;
use super::residents::guid;
use super::world::World;
use super::{graph, token};

/// The largest request body (a plain REST call to Graph takes no more).
const LARGEST_BODY: usize = 4 << 20;
/// The longest path and query.
const LONGEST_URL: usize = 16 * 1024;
/// Connections at the same time.
const CONNECTIONS: usize = 6_000;
/// How long a client may take to send a header, or to finish a TLS handshake.
const PATIENCE: Duration = Duration::from_secs(30);
const JSON: &str = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";

static SERIAL: AtomicU64 = AtomicU64::new(1);

/// Accepts connections until it is dropped.
pub async fn listen(world: Arc<World>, listener: TcpListener, acceptor: TlsAcceptor) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: others must close first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // A failure here only costs latency.
        let _ = stream.set_nodelay(true);
        let (world, acceptor) = (Arc::clone(&world), acceptor.clone());
        connections.spawn(async move {
            serve(world, stream, acceptor).await;
            drop(permit);
        });
    }
}

async fn serve(world: Arc<World>, stream: TcpStream, acceptor: TlsAcceptor) {
    let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await else {
        return;
    };
    let service = service_fn(move |request| {
        let world = Arc::clone(&world);
        async move { Ok::<_, Infallible>(respond(&world, request).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    // A session's end by a broken connection is the peer's business.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(world: &Arc<World>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed).to_string();
    let request_id = guid(&["request", &serial]);
    let client_id = request
        .headers()
        .get("client-request-id")
        .and_then(|v| v.to_str().ok())
        .map(str::to_owned);
    let answer = match read(request).await {
        Ok(call) => dispatch(world, call).await,
        Err(refused) => refused,
    };
    let answer = finished(answer, &request_id, client_id.as_deref(), world);
    let builder = answer
        .headers
        .iter()
        .fold(Response::builder(), |b, (name, value)| b.header(*name, value));
    let (kind, octets) = match answer.body {
        Body::Empty => (None, Vec::new()),
        Body::Json(value) => (Some(JSON), value.to_string().into_bytes()),
        Body::Mime(raw) => (Some("text/plain"), raw),
    };
    let builder = kind.into_iter().fold(builder, |b, kind| b.header("Content-Type", kind));
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let response = builder.status(status).body(Full::new(Bytes::from(octets)));
    // Only a header value that is none could fail, and then nothing but the status is said.
    response.unwrap_or_else(|_| Response::new(Full::default()))
}

async fn read(request: Request<Incoming>) -> Result<Call, Answer> {
    let (head, body) = request.into_parts();
    let url = head.uri.path_and_query().map_or("/", |pq| pq.as_str());
    if url.len() > LONGEST_URL {
        return Err(Answer::error(414, "RequestUriTooLong", "The request URI is too long."));
    }
    let mut call = Call::new(head.method.as_str(), url);
    for (name, value) in &head.headers {
        let text = value.to_str().unwrap_or_default();
        let entry = call.headers.entry(name.as_str().to_owned()).or_default();
        if !entry.is_empty() {
            entry.push_str(", ");
        }
        entry.push_str(text);
    }
    match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(collected) => call.body = collected.to_bytes().to_vec(),
        Err(_) => return Err(Answer::error(413, "RequestEntityTooLarge", "The request body is too large.")),
    }
    Ok(call)
}

async fn dispatch(world: &Arc<World>, call: Call) -> Answer {
    if call.segments.first().is_some_and(|first| first == "v1.0") {
        return graph::answer(world, call).await;
    }
    world.throttle().token_request();
    let form = fields(&String::from_utf8_lossy(&call.body));
    let answer = token::answer(world, &call);
    let mut request = recorded(world, &call, None, &answer);
    request.body = record::form(&form);
    // A token must not stay behind.
    request.reply = None;
    world.record().note(request);
    answer
}

/// A request for the record, without anything secret.
pub fn recorded(world: &World, call: &Call, app: Option<&str>, answer: &Answer) -> record::Request {
    let header = |name: &str| call.headers.get(name).cloned();
    let mut header_names: Vec<String> = call.headers.keys().cloned().collect();
    header_names.sort();
    let reply = match &answer.body {
        Body::Json(value) if world.config.keeps_replies => Some(value.to_string()),
        _ => None,
    };
    record::Request {
        at: world.now(),
        app: app.map(str::to_owned),
        method: call.method.clone(),
        path: call.path.clone(),
        query: call.query.clone(),
        prefer: header("prefer"),
        content_type: header("content-type"),
        header_names,
        body: record::body(&call.body),
        batched: call.batched,
        status: answer.status,
        reply,
    }
}

/// With the ids that support asks for.
fn finished(mut answer: Answer, request_id: &str, client_id: Option<&str>, world: &World) -> Answer {
    let client_id = client_id.unwrap_or(request_id);
    if let Body::Json(value) = &mut answer.body
        && let Some(Value::Object(error)) = value.get_mut("error")
    {
        let date = world.now().format("%Y-%m-%dT%H:%M:%S").to_string();
        let inner = json!({ "date": date, "request-id": request_id, "client-request-id": client_id });
        error.insert("innerError".to_owned(), inner);
    }
    answer.with("request-id", request_id).with("client-request-id", client_id)
}
