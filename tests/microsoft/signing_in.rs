//! Each way of signing in, as it goes over the wire.

use crate::{
    server::{Canned, Server},
    world::{APP, SECRET, TENANT, World, granted, soon},
};
use mailflow::microsoft::{
    Resource, SignInError,
    sign_in::{Credential, DeviceCode, Federated, Identity, Managed},
};
use serde_json::json;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

#[tokio::test]
async fn a_secret_is_posted_as_a_form() {
    let world = World::new(|_| Canned::new(500, "")).await;
    let token = world.graph.tokens().token(Resource::Exchange, soon()).await.unwrap();
    assert_eq!(token.roles().unwrap(), ["Mail.Send"]);
    let seen = &world.server.seen()[0];
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("POST", "/contoso.example/oauth2/v2.0/token")
    );
    assert_eq!(seen.header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(seen.header("client-request-id").len(), 36);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", APP),
        ("scope", "https://outlook.office365.com/.default"),
        ("client_secret", SECRET),
    ];
    assert_eq!(seen.form(), form.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[tokio::test]
async fn a_token_file_is_read_anew_each_time() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "first.outside.token\n").unwrap();
    let world = World::with(Credential::Federated(Federated::TokenFile(file.path().to_owned())), |seen| {
        granted(seen.number)
    })
    .await;
    let tokens = world.graph.tokens();
    tokens.token(Resource::Graph, soon()).await.unwrap();
    std::fs::write(file.path(), "second.outside.token").unwrap();
    tokens.token(Resource::Exchange, soon()).await.unwrap();
    let forms: Vec<_> = world.sign_ins().iter().map(super::server::Seen::form).collect();
    assert_eq!(forms[0]["client_assertion"], "first.outside.token");
    assert_eq!(forms[1]["client_assertion"], "second.outside.token");
    assert_eq!(
        forms[0]["client_assertion_type"],
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    assert_eq!(forms[0]["scope"], format!("{}/.default", world.server.url));
    assert!(!forms[0].contains_key("client_secret"));
}

#[tokio::test]
async fn a_file_without_a_token_is_not_sent_nor_shown() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "hunter2-is-no-token").unwrap();
    let world = World::with(Credential::Federated(Federated::TokenFile(file.path().to_owned())), |seen| {
        granted(seen.number)
    })
    .await;
    let error = world.graph.tokens().token(Resource::Graph, soon()).await.unwrap_err();
    assert!(
        matches!(&error, SignInError::Credential(text) if text.contains("holds no token")),
        "{error}"
    );
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    assert!(world.server.seen().is_empty());
}

#[tokio::test]
async fn github_is_asked_for_a_token_of_the_job() {
    let github = Server::start(|_| Canned::json(200, &json!({"count": 1, "value": "github.job.token"}))).await;
    let federated = Federated::GitHub {
        url: format!("{}/idtoken?api-version=2.0", github.url),
        token: "request-token-of-the-job".into(),
    };
    let world = World::with(Credential::Federated(federated), |seen| granted(seen.number)).await;
    world.graph.tokens().token(Resource::Graph, soon()).await.unwrap();
    let seen = &github.seen()[0];
    assert_eq!(seen.method, "GET");
    assert_eq!(seen.target, "/idtoken?api-version=2.0&audience=api%3A%2F%2FAzureADTokenExchange");
    assert_eq!(seen.header("authorization"), "bearer request-token-of-the-job");
    assert_eq!(world.sign_ins()[0].form()["client_assertion"], "github.job.token");
}

#[tokio::test]
async fn a_job_without_the_permission_is_told_so() {
    let github = Server::start(|_| Canned::new(403, "no request-token-of-the-job")).await;
    let federated = Federated::GitHub {
        url: github.url.clone(),
        token: "request-token-of-the-job".into(),
    };
    let world = World::with(Credential::Federated(federated), |seen| granted(seen.number)).await;
    let error = world.graph.tokens().token(Resource::Graph, soon()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "GitHub issued no token (HTTP 403): the job needs `permissions: id-token: write`"
    );
}

/// As Azure writes it: numbers in quotation marks.
fn imds() -> Canned {
    let body =
        json!({"access_token": "opaque", "client_id": APP, "expires_in": "86399", "expires_on": "1795510800", "token_type": "Bearer"});
    Canned::json(200, &body)
}

#[tokio::test]
async fn the_metadata_service_is_asked_for_a_resource() {
    let azure = Server::start(|_| imds()).await;
    let endpoint = format!("{}/metadata/identity/oauth2/token", azure.url);
    let managed = Managed::imds(Identity::Client("some-identity".to_owned()), Some(&endpoint)).unwrap();
    let world = World::with(Credential::Managed(managed), |_| Canned::new(500, "")).await;
    let token = world.graph.tokens().token(Resource::Exchange, soon()).await.unwrap();
    assert_eq!(token.roles(), None, "opaque");
    assert!(token.ends() - world.start > Duration::from_hours(23));
    let seen = &azure.seen()[0];
    assert_eq!((seen.method.as_str(), seen.header("metadata")), ("GET", "true"));
    assert_eq!(
        seen.target,
        "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Foutlook.office365.com%2F&client_id=some-identity"
    );
}

#[tokio::test]
async fn app_service_is_asked_with_its_header() {
    let azure = Server::start(|_| imds()).await;
    let managed = Managed::app_service(Identity::System, &format!("{}/msi/token", azure.url), "the-header".into()).unwrap();
    let world = World::with(Credential::Managed(managed), |_| Canned::new(500, "")).await;
    world.graph.tokens().token(Resource::Exchange, soon()).await.unwrap();
    let seen = &azure.seen()[0];
    assert_eq!(seen.header("x-identity-header"), "the-header");
    assert_eq!(seen.header("metadata"), "");
    assert_eq!(
        seen.target,
        "/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Foutlook.office365.com%2F"
    );
}

#[tokio::test]
async fn a_machine_without_an_identity_is_told_so() {
    let azure = Server::start(|_| Canned::json(400, &json!({"error": "invalid_request", "error_description": "Identity not found"}))).await;
    let managed = Managed::imds(Identity::System, Some(&azure.url)).unwrap();
    let world = World::with(Credential::Managed(managed), |_| Canned::new(500, "")).await;
    let error = world.graph.tokens().token(Resource::Graph, soon()).await.unwrap_err().to_string();
    assert!(
        error.contains("no managed identity") && error.contains("Identity not found"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_person_types_the_code_while_we_ask_at_the_pace_we_are_told() {
    let shown = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&shown);
    let device = DeviceCode::new(move |prompt| kept.lock().unwrap().push(prompt.clone()));
    let world = World::with(Credential::DeviceCode(device), |seen| {
        let pending = |error: &str| Canned::json(400, &json!({"error": error, "error_codes": [70016]}));
        let token = json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "a.e30.c", "refresh_token": "refresh-me-later"});
        match (seen.target.ends_with("/devicecode"), seen.number) {
            (true, _) => Canned::json(
                200,
                &json!({"device_code": "GMMhmHCXhWEzkobqIHGG", "user_code": "A1B2C3D4E", "verification_uri": "https://microsoft.com/devicelogin",
                    "expires_in": 900, "interval": 5, "message": "Open the page and enter the code A1B2C3D4E."}),
            ),
            (_, 1) => pending("authorization_pending"),
            (_, 2) => pending("slow_down"),
            (_, 3) => Canned::new(503, ""),
            _ => Canned::json(200, &token),
        }
    })
    .await;
    let tokens = world.graph.tokens();
    tokens.token(Resource::Graph, soon()).await.unwrap();
    tokens.token(Resource::Exchange, soon()).await.unwrap();

    assert_eq!(shown.lock().unwrap().len(), 1, "a person is asked once");
    assert_eq!(shown.lock().unwrap()[0].code, "A1B2C3D4E");
    let start = &world.server.seen()[0];
    assert_eq!(start.target, format!("/{TENANT}/oauth2/v2.0/devicecode"));
    assert_eq!(start.form()["scope"], format!("{}/.default offline_access", world.server.url));
    let asked: Vec<u64> = world.sign_ins().iter().map(|seen| (seen.at - world.start).as_secs()).collect();
    assert_eq!(
        asked,
        [5, 10, 20, 35, 35],
        "5 s, then 10 s after slow_down, then 15 s after the 503; the last renews"
    );
    let forms: Vec<_> = world.sign_ins().iter().map(super::server::Seen::form).collect();
    assert_eq!(forms[0]["grant_type"], "urn:ietf:params:oauth:grant-type:device_code");
    assert_eq!(forms[0]["device_code"], "GMMhmHCXhWEzkobqIHGG");
    assert_eq!(
        (forms[4]["grant_type"].as_str(), forms[4]["refresh_token"].as_str()),
        ("refresh_token", "refresh-me-later")
    );
    assert_eq!(
        forms[4]["scope"],
        "https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send offline_access"
    );
}

#[tokio::test(start_paused = true)]
async fn a_code_that_nobody_enters_ends() {
    let device = DeviceCode::new(|_| {});
    let world = World::with(Credential::DeviceCode(device), |seen| {
        if seen.target.ends_with("/devicecode") {
            Canned::json(
                200,
                &json!({"device_code": "d", "user_code": "u", "verification_uri": "v", "expires_in": 60, "interval": 0}),
            )
        } else {
            Canned::json(400, &json!({"error": "authorization_pending"}))
        }
    })
    .await;
    let error = world.graph.tokens().token(Resource::Graph, soon()).await.unwrap_err();
    assert!(matches!(error, SignInError::Unfinished(_)), "{error}");
    assert_eq!(world.sign_ins().len(), 60, "an interval of 0 is one of 1 s");
}
