//! Signing in: each way to prove to be an app, and each way to fail, with the code that an administrator searches for.

use chrono::TimeDelta;
use data_encoding::BASE64URL_NOPAD;
use mailflow::postoffice::tenant::{App, Config, Decision, Federation};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use serde_json::{Value, json};

use super::client::{APP, PROBE, Reply, SECRET, World, encoded, world, world_with};

const KEY: &[u8] = include_bytes!("app.key.der");
const CERTIFICATE: &[u8] = include_bytes!("app.crt.der");
const BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

fn number(reply: &Reply) -> u64 {
    let json = reply.json();
    let number = json["error_codes"][0].as_u64().unwrap();
    assert!(
        json["error_description"]
            .as_str()
            .unwrap()
            .starts_with(&format!("AADSTS{number}: ")),
        "{json}"
    );
    number
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap()).unwrap()
}

fn by_secret(client: &str, secret: &str, scope: &str) -> String {
    format!(
        "grant_type=client_credentials&client_id={client}&client_secret={secret}&scope={}",
        encoded(scope)
    )
}

#[tokio::test]
async fn a_secret_gives_a_token_with_roles() {
    let world = world().await;
    let claims = claims(&world.token);
    assert!(claims["roles"].as_array().unwrap().contains(&json!("Mail.Send")), "{claims}");
    assert_eq!(claims["appid"], APP);
    let scope = format!("{}/.default", world.tenant.graph());
    assert_eq!(world.token_request(&by_secret(APP, SECRET, &scope)).await.status, 200);
}

#[tokio::test]
async fn what_is_wrong_has_its_number() {
    let world = world_with(|config| {
        config.apps.push(App {
            secret_expired: true,
            ..App::with_secret("expired", "x")
        });
        config.apps.push(App {
            disabled: true,
            ..App::with_secret("disabled", "x")
        });
    })
    .await;
    let scope = "https://graph.microsoft.com/.default";
    for (form, status, error, code) in [
        (by_secret(APP, "wrong", scope), 401, "invalid_client", 7_000_215),
        (by_secret("expired", "x", scope), 401, "invalid_client", 7_000_222),
        (by_secret("disabled", "x", scope), 401, "unauthorized_client", 7_000_112),
        (by_secret("nobody", "x", scope), 400, "unauthorized_client", 700_016),
        (by_secret(APP, SECRET, "Mail.Read"), 400, "invalid_scope", 1_002_012),
        (by_secret(APP, SECRET, ""), 400, "invalid_scope", 1_002_012),
        (
            by_secret(APP, SECRET, "https://a/.default https://b/.default"),
            400,
            "invalid_scope",
            700_022,
        ),
        (
            by_secret(APP, SECRET, "https://graph.microsoft.us/.default"),
            400,
            "invalid_resource",
            500_011,
        ),
        (
            format!("grant_type=client_credentials&client_id={APP}"),
            401,
            "invalid_client",
            7_000_218,
        ),
        (
            format!("grant_type=password&client_id={APP}"),
            400,
            "unsupported_grant_type",
            70_003,
        ),
    ] {
        let reply = world.token_request(&form).await;
        assert_eq!(
            (reply.status, reply.json()["error"].as_str(), number(&reply)),
            (status, Some(error), code)
        );
    }
    let elsewhere = world.post_form("/contosoo.com/oauth2/v2.0/token", "").await;
    assert_eq!(number(&elsewhere), 90_002);
    let kept = format!("{:?}", world.tenant.requests());
    assert!(!kept.contains(SECRET) && kept.contains("client_secret=***"), "{kept}");
}

fn audience(world: &World) -> String {
    format!("{}/tenant.example/oauth2/v2.0/token", world.tenant.authority())
}

fn assertion(world: &World, change: impl FnOnce(&mut Value, &mut Value)) -> String {
    let now = world.time.now().timestamp();
    let mut header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": BASE64URL_NOPAD.encode(digest(&SHA256, CERTIFICATE).as_ref()) });
    let mut claims = json!({ "aud": audience(world), "iss": APP, "sub": APP, "jti": "1", "nbf": now, "iat": now, "exp": now + 300 });
    change(&mut header, &mut claims);
    let signed = [&header, &claims]
        .map(|part| BASE64URL_NOPAD.encode(part.to_string().as_bytes()))
        .join(".");
    let key = RsaKeyPair::from_pkcs8(KEY).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .unwrap();
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
}

async fn by_assertion(world: &World, jwt: &str) -> Reply {
    let form = format!(
        "grant_type=client_credentials&client_id={APP}&client_assertion_type={}&client_assertion={jwt}&scope={}",
        encoded(BEARER),
        encoded("https://graph.microsoft.com/.default")
    );
    world.token_request(&form).await
}

#[tokio::test]
async fn a_certificate_signs_an_assertion_that_is_good_once() {
    let world = world_with(|config: &mut Config| config.apps[0].certificate = Some(CERTIFICATE.to_vec())).await;
    let good = assertion(&world, |_, _| ());
    assert_eq!(by_assertion(&world, &good).await.status, 200);
    assert_eq!(number(&by_assertion(&world, &good).await), 700_027, "it was used");
    for (what, code, jwt) in [
        (
            "another thumbprint",
            700_027,
            assertion(&world, |h, _| h["x5t#S256"] = json!("AAAA")),
        ),
        ("no thumbprint", 700_027, assertion(&world, |h, _| h["x5t#S256"] = Value::Null)),
        ("another algorithm", 700_027, assertion(&world, |h, _| h["alg"] = json!("none"))),
        ("another padding", 700_027, assertion(&world, |h, _| h["alg"] = json!("RS256"))),
        (
            "another audience",
            700_027,
            assertion(&world, |_, c| c["aud"] = json!("https://login.microsoftonline.com/x")),
        ),
        ("another subject", 700_027, assertion(&world, |_, c| c["sub"] = json!("x"))),
        ("no jti", 700_027, assertion(&world, |_, c| c["jti"] = json!(""))),
        ("expired", 700_024, assertion(&world, |_, c| c["exp"] = json!(1))),
        ("not yet", 700_024, assertion(&world, |_, c| c["nbf"] = json!(9_999_999_999_i64))),
        ("another issuer", 70_021, assertion(&world, |_, c| c["iss"] = json!("https://x"))),
        ("no JWT", 700_027, "x".to_owned()),
    ] {
        assert_eq!(number(&by_assertion(&world, &jwt).await), code, "{what}");
    }
    let (start, signature) = good.rsplit_once('.').unwrap();
    let forged = format!("{start}.{}", signature.chars().rev().collect::<String>());
    assert_eq!(number(&by_assertion(&world, &forged).await), 700_027);
    assert!(!format!("{:?}", world.tenant.requests()).contains(&good));
}

#[tokio::test]
async fn a_federated_assertion_must_fit_letter_by_letter() {
    let world = world_with(|config: &mut Config| {
        config.apps[0].federation = Some(Federation {
            issuer: "https://issuer.example".to_owned(),
            subject: "repo:contoso/probes".to_owned(),
            audience: "api://AzureADTokenExchange".to_owned(),
        });
    })
    .await;
    let outside = |name: &'static str, value: &'static str| {
        assertion(&world, move |_, c| {
            c["iss"] = json!("https://issuer.example");
            c["sub"] = json!("repo:contoso/probes");
            c["aud"] = json!("api://AzureADTokenExchange");
            c[name] = json!(value);
        })
    };
    assert_eq!(by_assertion(&world, &outside("jti", "7")).await.status, 200);
    assert_eq!(
        number(&by_assertion(&world, &outside("iss", "https://Issuer.example")).await),
        700_211
    );
    assert_eq!(number(&by_assertion(&world, &outside("aud", "x")).await), 700_212);
    assert_eq!(number(&by_assertion(&world, &outside("sub", "repo:contoso/Probes")).await), 700_213);
}

#[tokio::test]
async fn a_device_code_waits_for_somebody() {
    let mut world = world_with(|config: &mut Config| config.apps[0].public = true).await;
    let begin = async |world: &World| {
        let form = format!(
            "client_id={APP}&scope={}",
            encoded("https://graph.microsoft.com/Mail.Read offline_access")
        );
        world.post_form("/organizations/oauth2/v2.0/devicecode", &form).await.json()
    };
    let poll = async |world: &World, code: &Value| {
        let form = format!(
            "grant_type={}&client_id={APP}&device_code={}",
            encoded(DEVICE),
            code["device_code"].as_str().unwrap()
        );
        world.token_request(&form).await
    };
    let error = |reply: &Reply| reply.json()["error"].as_str().unwrap().to_owned();
    let code = begin(&world).await;
    assert_eq!((code["expires_in"].as_u64(), code["interval"].as_u64()), (Some(900), Some(5)));
    assert_eq!(error(&poll(&world, &code).await), "authorization_pending");
    assert_eq!(error(&poll(&world, &code).await), "slow_down");
    world.time.pass(10);
    assert!(
        world
            .tenant
            .sign_in(code["user_code"].as_str().unwrap(), Decision::SignedIn(PROBE.to_owned()))
    );
    let reply = poll(&world, &code).await.json();
    assert_eq!(claims(reply["access_token"].as_str().unwrap())["scp"], "Mail.Read");
    assert_eq!(error(&poll(&world, &code).await), "bad_verification_code", "a code is good once");

    world.token = reply["access_token"].as_str().unwrap().to_owned();
    assert_eq!(world.get("/users/probe@tenant.example/messages").await.status, 200);
    assert_eq!(
        world.get("/users/ok@tenant.example/messages").await.refusal(),
        (403, "ErrorAccessDenied".to_owned())
    );
    let form = format!(
        "grant_type=refresh_token&client_id={APP}&refresh_token={}",
        reply["refresh_token"].as_str().unwrap()
    );
    assert_eq!(world.token_request(&form).await.status, 200);

    for (decision, word) in [(Decision::Declined, "authorization_declined"), (Decision::Blocked, "invalid_grant")] {
        let code = begin(&world).await;
        world.tenant.sign_in(code["user_code"].as_str().unwrap(), decision);
        assert_eq!(error(&poll(&world, &code).await), word);
    }
    let code = begin(&world).await;
    world.time.pass(901);
    assert_eq!(error(&poll(&world, &code).await), "expired_token");
}

#[tokio::test]
async fn a_managed_identity_answers_numbers_as_strings() {
    let world = world_with(|config: &mut Config| config.managed_identity = Some(APP.to_owned())).await;
    let url = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://graph.microsoft.com/";
    let reply = world.raw("GET", url, &[("Metadata", "true")], b"").await;
    assert_eq!(reply.json()["expires_in"], "3599");
    assert_eq!(world.raw("GET", url, &[], b"").await.status, 400);
}

#[tokio::test]
async fn tokens_end_while_a_run_goes_on() {
    let mut world = world_with(|config| config.token_life = TimeDelta::seconds(60)).await;
    let url = "/users/ok@tenant.example/messages";
    assert_eq!(world.get(url).await.status, 200);
    world.time.pass(60);
    assert_eq!(world.get(url).await.refusal(), (401, "InvalidAuthenticationToken".to_owned()));
    world.token = world.sign_in().await;
    assert_eq!(world.get(url).await.status, 200);
    world.tenant.expire_tokens();
    assert_eq!(world.get(url).await.status, 401);
    world.token = "invented".to_owned();
    assert_eq!(world.get(url).await.status, 401);
}
