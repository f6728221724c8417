//! How tokens are kept, renewed and given up.

use crate::{
    server::Canned,
    world::{SECRET, World, granted, messages, refusal, soon},
};
use futures::future::join_all;
use mailflow::microsoft::{Error, Kind, Resource, SignInError, sign_in::Credential};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_five_minutes_before_its_end() {
    let world = World::new(|_| Canned::json(200, &json!({"value": []}))).await;
    let tokens = world.graph.tokens();
    for (after, granted) in [(0, 1), (3298, 1), (2, 2), (3298, 2), (2, 3)] {
        sleep(Duration::from_secs(after)).await;
        tokens.token(Resource::Graph, soon()).await.unwrap();
        assert_eq!(world.sign_ins().len(), granted, "after {:?}", world.start.elapsed());
    }
}

#[tokio::test]
async fn one_renews_and_the_others_wait() {
    let world = World::new(|_| Canned::json(200, &json!({"value": []}))).await;
    let tokens = world.graph.tokens();
    let until = soon();
    let all = join_all((0..50).map(|_| tokens.token(Resource::Graph, until))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(world.sign_ins().len(), 1);
    tokens.token(Resource::Exchange, until).await.unwrap();
    assert_eq!(world.sign_ins().len(), 2, "each resource has its own");
}

#[tokio::test(start_paused = true)]
async fn an_old_token_serves_while_the_sign_in_is_down() {
    let down = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&down);
    let world = World::with(Credential::Secret(SECRET.into()), move |seen| {
        if switch.load(Ordering::Relaxed) {
            Canned::new(503, "")
        } else {
            granted(seen.number)
        }
    })
    .await;
    let tokens = world.graph.tokens();
    let first = tokens.token(Resource::Graph, soon()).await.unwrap();
    down.store(true, Ordering::Relaxed);
    sleep(Duration::from_secs(3400)).await;
    assert!(tokens.token(Resource::Graph, soon()).await.unwrap().is(&first));
    assert!(tokens.token(Resource::Graph, soon()).await.unwrap().is(&first));
    assert_eq!(world.sign_ins().len(), 2, "and the sign-in is not pressed");
    sleep(Duration::from_secs(200)).await;
    let error = tokens.token(Resource::Graph, soon()).await.unwrap_err();
    assert!(error.is_passing(), "{error}");
    down.store(false, Ordering::Relaxed);
    sleep(Duration::from_secs(6)).await;
    assert!(!tokens.token(Resource::Graph, soon()).await.unwrap().is(&first));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_stands_for_a_minute_and_shows_no_secret() {
    let world = World::with(Credential::Secret(SECRET.into()), |_| {
        Canned::json(
            401,
            &json!({"error": "invalid_client", "error_description": format!("AADSTS7999999: no such secret {SECRET}. Trace ID: t Correlation ID: c"),
                "error_codes": [7_999_999], "correlation_id": "c-1", "timestamp": "2026-11-23 09:02:12Z"}),
        )
    })
    .await;
    for _ in 0..3 {
        let error = world.graph.call(&messages("a"), soon()).await.unwrap_err();
        let shown = format!("{error} {error:?} {:?}", world.graph);
        assert!(
            shown.contains("AADSTS7999999") && shown.contains("c-1") && shown.contains("[secret]"),
            "{shown}"
        );
        assert!(!shown.to_ascii_lowercase().contains("hunter2"), "{shown}");
        assert!(matches!(error, Error::SignIn(SignInError::Refused(_))));
    }
    assert_eq!(world.sign_ins().len(), 1);
    sleep(Duration::from_secs(61)).await;
    world.graph.call(&messages("a"), soon()).await.unwrap_err();
    assert_eq!(world.sign_ins().len(), 2);
    assert!(world.calls().is_empty());
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let world = World::new(|seen| {
        if seen.header("authorization").ends_with("-0") {
            refusal(
                401,
                "InvalidAuthenticationToken",
                "Lifetime validation failed, the token is expired.",
            )
        } else {
            Canned::json(200, &json!({"value": []}))
        }
    })
    .await;
    let until = soon();
    let request = messages("a");
    let answers = join_all((0..3).map(|_| world.graph.call(&request, until))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(world.sign_ins().len(), 2, "for all three together");
    assert_eq!(world.calls().len(), 6);
}

#[tokio::test]
async fn a_service_that_refuses_every_token_is_believed() {
    let world = World::new(|_| {
        refusal(
            401,
            "InvalidAuthenticationToken",
            "Access token validation failure. Invalid audience.",
        )
    })
    .await;
    let error = world.graph.call(&messages("a"), soon()).await.unwrap_err();
    assert_eq!(error.kind(), Some(Kind::TokenRefused));
    assert_eq!((world.calls().len(), world.sign_ins().len()), (2, 2));
    world.graph.call(&messages("b"), soon()).await.unwrap_err();
    assert_eq!(
        (world.calls().len(), world.sign_ins().len()),
        (3, 2),
        "no token is asked for again within the minute"
    );
}

#[tokio::test]
async fn replies_of_the_sign_in_that_cannot_be_used_are_not_quoted() {
    for body in [
        r#"{"access_token":"the-token","expires_in":"soon"}"#,
        r#"{"access_token":"the-token"}"#,
        r#"{"access_token":"the-token\r\nX: y","expires_in":1}"#,
        r#"{"access_token":"","expires_in":1}"#,
        r#"{"access_token":"the-token","expires_in":1,"token_type":"mac"}"#,
        r#"["the-token"]"#,
    ] {
        let world = World::with(Credential::Secret(SECRET.into()), move |_| Canned::new(200, body)).await;
        let error = world.graph.tokens().token(Resource::Graph, soon()).await.unwrap_err();
        assert!(matches!(error, SignInError::Malformed(_)), "{error}");
        assert!(!format!("{error:?}").contains("the-token"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_sign_in_is_asked_again_until_the_deadline() {
    let world = World::with(Credential::Secret(SECRET.into()), |_| {
        Canned::json(400, &json!({"error": "server_error", "error_codes": [50196]}))
    })
    .await;
    let until = Instant::now() + Duration::from_secs(3);
    let error = world.graph.tokens().token(Resource::Graph, until).await.unwrap_err();
    assert!(error.is_passing() && error.to_string().contains("AADSTS50196"), "{error}");
    assert_eq!(world.sign_ins().len(), 3, "at 0, 0.75 and 2.25 s");
    assert!(Instant::now() <= until);
}

#[tokio::test]
async fn a_caller_out_of_time_does_not_hold_up_the_others() {
    let world = World::with(Credential::Secret(SECRET.into()), |seen| Canned {
        silent: seen.number == 0,
        ..granted(seen.number)
    })
    .await;
    let tokens = world.graph.tokens();
    let error = tokens
        .token(Resource::Graph, Instant::now() + Duration::from_millis(50))
        .await
        .unwrap_err();
    assert!(matches!(error, SignInError::Transport(_)), "{error}");
    tokens.token(Resource::Graph, soon()).await.unwrap();
}

#[tokio::test]
async fn a_token_that_ends_at_once_is_not_asked_for_with_each_call() {
    let world = World::with(Credential::Secret(SECRET.into()), |_| {
        Canned::json(200, &json!({"access_token": "a.b.c", "expires_in": 0}))
    })
    .await;
    for _ in 0..5 {
        world.graph.tokens().token(Resource::Graph, soon()).await.unwrap();
    }
    assert_eq!(world.sign_ins().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_that_says_when_to_come_back_is_obeyed() {
    let world = World::with(Credential::Secret(SECRET.into()), |seen| match seen.number {
        0 => Canned::new(429, "").header("retry-after", "20"),
        1 => Canned::new(429, "").header("retry-after", "3000"),
        _ => granted(seen.number),
    })
    .await;
    let tokens = world.graph.tokens();
    for _ in 0..3 {
        tokens.token(Resource::Graph, soon()).await.unwrap_err();
    }
    let asked: Vec<u64> = world.sign_ins().iter().map(|seen| (seen.at - world.start).as_secs()).collect();
    assert_eq!(
        asked,
        [0, 20],
        "fifty minutes are beyond the deadline, and nobody asks before they are over"
    );
    sleep(Duration::from_secs(3001)).await;
    tokens.token(Resource::Graph, soon()).await.unwrap();
}
