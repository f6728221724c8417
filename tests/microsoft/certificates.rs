//! Certificates in every form, and the assertion that they sign.

use crate::world::{APP, START, World, granted, soon};
use data_encoding::BASE64URL_NOPAD;
use mailflow::{
    microsoft::{
        Resource,
        sign_in::{Certificate, Credential},
    },
    model::Time,
};
use ring::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};
use std::fs;

/// By `openssl x509 -outform DER | openssl dgst -sha256 -binary | base64`, in the letters of URLs.
const THUMBPRINT: &str = "l65ASEidPs0G66q-qe1-1Ek-KZqcx9OOmUhbhjMWtis";

fn key(name: &str) -> Vec<u8> {
    fs::read(format!("tests/microsoft/keys/{name}")).unwrap()
}

fn pem(name: &str) -> Result<Certificate, String> {
    Certificate::from_pem(&String::from_utf8(key(name)).unwrap().into())
}

fn pfx(name: &str, password: &str) -> Result<Certificate, String> {
    Certificate::from_pfx(&key(name), &password.into())
}

#[test]
fn every_usual_form_is_read() {
    for (name, certificate) in [
        ("pkcs8.pem", pem("pkcs8.pem")),
        ("pkcs1.pem", pem("pkcs1.pem")),
        ("chain.pem", pem("chain.pem")),
        ("modern.pfx", pfx("modern.pfx", "open-sesame")),
        ("windows.pfx", pfx("windows.pfx", "open-sesame")),
        ("legacy.pfx", pfx("legacy.pfx", "open-sesame")),
    ] {
        let certificate = certificate.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(certificate.thumbprint(), THUMBPRINT, "{name}");
        assert_eq!(certificate.not_after(), "2126-10-30T14:51:44Z".parse::<Time>().unwrap(), "{name}");
    }
}

#[test]
fn what_cannot_be_used_is_named() {
    let sentence = |outcome: Result<Certificate, String>| outcome.unwrap_err();
    assert!(sentence(pem("encrypted.pem")).contains("is encrypted"));
    assert!(sentence(pem("mismatched.pem")).contains("do not belong together"));
    assert!(sentence(pem("elliptic.pem")).contains("no RSA key"));
    assert!(sentence(Certificate::from_pem(&"nothing".into())).contains("no private key"));
    assert!(sentence(pfx("modern.pfx", "wrong")).contains("the password is wrong"));
    assert!(sentence(Certificate::from_pfx(b"\x30\x80", &"".into())).contains("cannot be opened"));
    assert!(sentence(Certificate::from_pfx(&vec![0; 2 << 20], &"".into())).contains("too large"));
}

#[tokio::test]
async fn the_assertion_is_signed_with_the_certificates_key() {
    let certificate = pfx("windows.pfx", "open-sesame").unwrap();
    let world = World::with(Credential::Certificate(Box::new(certificate)), |seen| granted(seen.number)).await;
    let tokens = world.graph.tokens();
    tokens.token(Resource::Graph, soon()).await.unwrap();
    tokens.token(Resource::Exchange, soon()).await.unwrap();
    let form = world.sign_ins()[0].form();
    assert_eq!(form["grant_type"], "client_credentials");
    assert_eq!(
        form["client_assertion_type"],
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    assert!(!form.contains_key("client_secret"));

    let parts: Vec<&str> = form["client_assertion"].split('.').collect();
    let decode = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).unwrap();
    let read = |part: &str| serde_json::from_slice::<Value>(&decode(part)).unwrap();
    UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key("public.der"))
        .verify(format!("{}.{}", parts[0], parts[1]).as_bytes(), &decode(parts[2]))
        .expect("the signature holds");
    assert_eq!(read(parts[0]), json!({"alg": "PS256", "typ": "JWT", "x5t#S256": THUMBPRINT}));
    let claims = read(parts[1]);
    let now = START.parse::<Time>().unwrap().timestamp();
    assert_eq!(claims["aud"], format!("{}/contoso.example/oauth2/v2.0/token", world.server.url));
    assert_eq!((claims["iss"].as_str(), claims["sub"].as_str()), (Some(APP), Some(APP)));
    // The clock runs on in real time here.
    let issued = claims["iat"].as_i64().unwrap();
    assert!((now..now + 60).contains(&issued));
    assert_eq!((claims["nbf"].as_i64(), claims["exp"].as_i64()), (Some(issued), Some(issued + 600)));

    let second = world.sign_ins()[1].form();
    let again = read(second["client_assertion"].split('.').nth(1).unwrap());
    assert_ne!(claims["jti"], again["jti"], "a fresh id for each assertion");
}

#[test]
fn a_certificate_shows_no_key() {
    assert_eq!(format!("{:?}", pem("pkcs8.pem").unwrap()), format!("Certificate({THUMBPRINT})"));
}
