//! A service that means harm: too much, elsewhere, nonsense, our own secrets back; and one whose certificate does not hold.

use crate::{
    server::{Canned, serve},
    world::{APP, SECRET, TENANT, World, bearer, granted, graph, messages, refusal, soon},
};
use mailflow::microsoft::{Cloud, Error, Http, HttpSettings, Kind, Malformed, Random, Request, SignIn, Toll, sign_in::Credential};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use std::{io::Write, sync::Arc, time::Duration};
use tokio::{net::TcpListener, time::Instant};
use tokio_rustls::TlsAcceptor;

#[tokio::test]
async fn a_reply_without_end_is_given_up_at_its_bound() {
    for reply in [
        Canned {
            endless: true,
            ..Canned::new(200, "")
        },
        Canned::new(200, "").header("content-length", "99999999999"),
        Canned::new(200, vec![b' '; 70_000]),
        // 70,000 zero bytes in gzip.
        Canned::new(200, gzip_of_zeros()).header("content-encoding", "gzip"),
    ] {
        let world = World::new(move |_| reply.clone()).await;
        let error = world.graph.call(&messages("a").at_most(65_536), soon()).await.unwrap_err();
        assert_eq!(error, Error::Malformed(Malformed::TooLarge(65_536)));
        assert_eq!(world.calls().len(), 1);
    }
}

/// Made by hand, so that nothing is needed to make it: a fixed Huffman block of a zero and matches of length 258 (RFC 1951 section 3.2.6).
fn gzip_of_zeros() -> Vec<u8> {
    let mut bits: Vec<bool> = vec![true, true, false];
    let huffman = |bits: &mut Vec<bool>, code: u32, length: u32| bits.extend((0..length).rev().map(|bit| code >> bit & 1 == 1));
    huffman(&mut bits, 0b0011_0000, 8);
    for _ in 0..271 {
        // Length 258 (symbol 285), distance 1 (symbol 0).
        huffman(&mut bits, 0b1100_0101, 8);
        huffman(&mut bits, 0, 5);
    }
    huffman(&mut bits, 0, 7);
    let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    for byte in bits.chunks(8) {
        gzip.push(byte.iter().enumerate().map(|(place, bit)| u8::from(*bit) << place).sum());
    }
    // The checksum and the length stand here; nobody reads that far.
    gzip.extend([0; 8]);
    gzip
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for status in [301, 302, 307, 308] {
        let elsewhere = crate::server::Server::start(|_| Canned::new(200, "{}")).await;
        let target = format!("{}/v1.0/stolen", elsewhere.url);
        let world = World::new(move |_| Canned::new(status, "").header("location", &target)).await;
        let error = world.graph.call(&messages("a"), soon()).await.unwrap_err();
        assert_eq!(error.kind(), Some(Kind::Redirected));
        assert!(elsewhere.seen().is_empty());
        assert_eq!(world.calls().len(), 1);
    }
}

#[tokio::test]
async fn a_sign_in_that_redirects_gets_no_secret_sent_elsewhere() {
    let elsewhere = crate::server::Server::start(|_| granted(0)).await;
    let target = format!("{}/token", elsewhere.url);
    let world = World::with(Credential::Secret(SECRET.into()), move |_| {
        Canned::new(307, "").header("location", &target)
    })
    .await;
    let error = world.graph.call(&messages("a"), soon()).await.unwrap_err();
    assert_eq!(error.to_string(), "Microsoft refused the sign-in (HTTP 307)");
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn nonsense_is_not_quoted() {
    let world = World::new(|_| Canned::new(200, "{\"value\": \"somebody else's subject\"}")).await;
    let error = world.graph.fetch::<Vec<u8>>(&messages("a"), soon()).await.unwrap_err();
    assert!(matches!(error, Error::Malformed(Malformed::Json { line: 1, .. })));
    assert!(!format!("{error} {error:?}").contains("somebody"));
}

#[tokio::test]
async fn a_token_that_comes_back_is_masked() {
    let world = World::new(|_| refusal(400, &bearer(0), &format!("what is Authorization: Bearer {}?\u{1b}[2J", bearer(0)))).await;
    let error = world.graph.call(&messages("a"), soon()).await.unwrap_err();
    let shown = format!("{error} {error:?} {:?}", world.graph);
    assert!(shown.contains("[secret]"), "{shown}");
    for part in bearer(0).split('.') {
        assert!(!shown.contains(part), "{part} in {shown}");
    }
    assert!(!shown.contains('\u{1b}'));
}

#[tokio::test]
async fn an_id_from_outside_stays_within_its_segment() {
    let world = World::new(|_| Canned::new(200, "{}")).await;
    for id in ["..", ".", ""] {
        let request = Request::get(&["users", "u", "messages", id], Toll::Other);
        assert_eq!(
            world.graph.call(&request, soon()).await.unwrap_err(),
            Error::Malformed(Malformed::Request)
        );
    }
    assert!(world.calls().is_empty());
    for id in [
        "../../evil",
        "@evil.example/",
        "a?b=c#d",
        "x\r\nEvil: 1",
        "%2e%2e",
        "//evil.example",
    ] {
        let request = Request::get(&["users", "u", "messages", id], Toll::Other);
        world.graph.call(&request, soon()).await.unwrap();
    }
    for seen in world.calls() {
        let rest = seen.target.strip_prefix("/v1.0/users/u/messages/").unwrap();
        assert!(!rest.contains(['/', '?', '#']), "{}", seen.target);
        assert_eq!(seen.header("evil"), "");
    }
}

#[tokio::test]
async fn a_certificate_that_does_not_hold_ends_the_call_before_a_secret_is_sent() {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])
        .unwrap()
        .signed_by(&key, &ca)
        .unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(ca.pem().as_bytes()).unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let seen: Arc<std::sync::Mutex<Vec<_>>> = Arc::default();
    let all = Arc::clone(&seen);
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(serve(
                    stream,
                    Arc::clone(&all),
                    Arc::new(|seen: &crate::server::Seen| granted(seen.number)),
                    Arc::default(),
                ));
            }
        }
    });
    let call = |settings: HttpSettings| {
        let cloud = Cloud::loopback(&url, &url).unwrap();
        let sign_in = SignIn::new(TENANT, APP, Credential::Secret(SECRET.into())).unwrap();
        let graph = graph(cloud, Http::new(&settings).unwrap(), sign_in);
        async move { graph.call(&messages("a"), Instant::now() + Duration::from_millis(500)).await }
    };
    let error = call(HttpSettings::default()).await.unwrap_err();
    assert!(error.to_string().contains("no connection: "), "{error}");
    assert!(seen.lock().unwrap().is_empty());
    let trusting = HttpSettings {
        ca: Some(file.path().to_owned()),
        ..HttpSettings::default()
    };
    call(trusting).await.unwrap();
    assert_eq!(seen.lock().unwrap().len(), 2);
}

#[test]
fn a_source_of_randomness_says_nothing_of_it() {
    assert_eq!(format!("{:?}", Random::new(|| [7; 16])), "Random");
    assert_eq!(Random::new(|| [0; 16]).uuid(), "00000000-0000-4000-8000-000000000000");
}

#[test]
fn a_proxy_that_cannot_be_used_is_not_quoted() {
    let settings = HttpSettings {
        proxy: Some("http://user:hunter2@[".into()),
        ..HttpSettings::default()
    };
    let error = Http::new(&settings).unwrap_err();
    assert_eq!(error, "the proxy's URL cannot be used");
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_batch_is_bounded_as_a_whole() {
    let endless = Canned {
        endless: true,
        ..Canned::new(200, "")
    };
    let world = World::new(move |_| endless.clone()).await;
    let answers = world
        .graph
        .batch(&[messages("a").at_most(100), messages("b").at_most(100)], soon())
        .await;
    for answer in answers {
        assert_eq!(answer.unwrap_err(), Error::Malformed(Malformed::TooLarge(65_536 + 200)));
    }
}
