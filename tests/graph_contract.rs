//! Each request of our own client, made by the real binary in `check`, `run` and `clean`, and each reply of the simulated tenant to it, held
//! against Microsoft's description of Graph; and that this has teeth: whatever in them is misspelt, one name at a time, breaks the contract.
//!
//! Where the description is not at hand (see `contract`), nothing can be held against it, and the test says that it is skipped.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot go on ends"
)]

#[allow(dead_code, reason = "shared with the tests of the simulated tenant, which use all of it")]
mod contract;
#[allow(dead_code, reason = "shared with the tests of an app's permissions, which use all of it")]
mod lone;
mod misspelling;

use contract::{Contract, at_hand};
use lone::{Lone, READER};
use mailflow::postoffice::tenant::{App, Request};
use std::collections::BTreeSet;

/// What the client must have asked for at least; otherwise the test has seen less than it says.
const ASKED: [&str; 12] = [
    "POST /$batch",
    "POST /users/{user-id}/sendMail",
    "GET /users/{user-id}/mailFolders",
    "GET /users/{user-id}/mailFolders/{mailFolder-id}",
    "GET /users/{user-id}/mailFolders/{mailFolder-id}/messages/delta",
    "GET /users/{user-id}/messages",
    "GET /users/{user-id}/messages/{message-id}",
    "GET /users/{user-id}/messages/{message-id}/$value",
    "DELETE /users/{user-id}/messages/{message-id}",
    "GET /admin/exchange/tracing/messageTraces",
    "POST /security/runHuntingQuery",
    "GET /security/collaboration/analyzedEmails",
];
/// The queries with names in them that the client must have written.
const NAMED: [&str; 4] = ["$select", "$filter", "$expand", "$orderby"];

/// Everything that the client asks of Graph in its life, with the replies.
async fn asked() -> Vec<Request> {
    let world = Lone::start(vec![App::with_secret(READER, lone::SECRET)], |config| config.keeps_replies = true).await;
    let recipients = [
        "ok",
        "junk-de",
        "rule-moved",
        "rule-deleted",
        "zap",
        "shared",
        "twice",
        "ndr-5.1.10",
        "out-of-scope",
        "quarantined",
    ];
    world.site(&[("lab", READER, ", trace: { delay: 5s, explain: hunting }")], &recipients);
    for (arguments, code) in [
        // One mailbox is out of the app's reach; what is returned or lies elsewhere than in the inbox has failed.
        (&["check"][..], 1),
        (&["run", "scenario.yaml"], 1),
        (&["clean", "--yes"], 1),
    ] {
        let told = world.mailflow(arguments).await;
        assert_eq!(told.code, code, "{arguments:?}\n{}", told.text);
    }
    world.site(
        &[("lab", READER, ", trace: { delay: 5s, explain: analyzed-emails }")],
        &["ok", "quarantined"],
    );
    for (arguments, code) in [(&["check"][..], 0), (&["run", "scenario.yaml"], 1)] {
        let told = world.mailflow(arguments).await;
        assert_eq!(told.code, code, "{arguments:?}\n{}", told.text);
    }
    let requests = world.tenant.requests();
    requests.into_iter().filter(|request| request.path.starts_with("/v1.0/")).collect()
}

fn template(contract: &Contract, request: &Request) -> String {
    let path = request.path.strip_prefix("/v1.0").unwrap();
    let (template, _) = contract.operation(&request.method, path).unwrap();
    format!("{} {template}", request.method)
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_our_client_asks_is_as_microsoft_describes_it_and_nothing_can_be_misspelt() {
    let Some(contract) = at_hand() else { return };
    let requests = asked().await;
    for request in &requests {
        let faults = contract.recorded(request);
        assert!(faults.is_empty(), "{request:?}\n{}", faults.join("\n"));
    }
    let templates: BTreeSet<String> = requests.iter().map(|request| template(contract, request)).collect();
    for wanted in ASKED {
        assert!(templates.contains(wanted), "{wanted} was not asked for: {templates:?}");
    }
    for wanted in NAMED {
        assert!(
            requests.iter().any(|r| r.query.iter().any(|(name, _)| name == wanted)),
            "no {wanted}"
        );
    }
    assert!(requests.iter().any(|request| request.batched), "batches have parts");
    assert!(requests.iter().any(|request| request.status == 403), "a refusal is a reply too");

    let mut tried = BTreeSet::new();
    for request in &requests {
        for wrong in misspelling::of_request(contract, request) {
            let kind = format!("{}: {}", template(contract, request), wrong.what);
            // The same thing in the same place of many requests is tried once.
            if tried.insert(kind.clone()) {
                assert!(!contract.recorded(&wrong.request).is_empty(), "{kind} passes: {:?}", wrong.request);
            }
        }
    }
    for sort in misspelling::SORTS {
        assert!(tried.iter().any(|what| what.contains(sort)), "no {sort} was misspelt: {tried:#?}");
    }
}
