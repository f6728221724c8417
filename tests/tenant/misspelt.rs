//! The contract has teeth: a property that is misspelt breaks it, in a request and in a reply.

use serde_json::{Map, Value, json};

use super::client::world;
use crate::contract::at_hand;

/// Renames a property wherever it stands.
fn renamed(value: &Value, from: &str, to: &str) -> Value {
    match value {
        Value::Array(list) => list.iter().map(|v| renamed(v, from, to)).collect(),
        Value::Object(all) => {
            let entry = |(name, v): (&String, &Value)| (if name == from { to.to_owned() } else { name.clone() }, renamed(v, from, to));
            Value::Object(all.iter().map(entry).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

#[tokio::test]
async fn a_misspelt_property_breaks_the_contract_in_either_direction() {
    let Some(contract) = at_hand() else { return };
    let world = world().await;
    world.deliver("ok", "one");
    let url = "/users/ok@tenant.example/mailFolders/inbox/messages?$select=subject,receivedDateTime,from";
    let reply = world.get(url).await;
    let kind = reply.header("content-type").unwrap();
    let faults = |body: &Value| contract.reply("GET", url, 200, kind, body.to_string().as_bytes());
    assert_eq!(faults(&reply.json()), Vec::<String>::new());
    for (right, wrong) in [
        ("receivedDateTime", "recievedDateTime"),
        ("emailAddress", "emailAdress"),
        ("value", "values"),
    ] {
        assert!(!faults(&renamed(&reply.json(), right, wrong)).is_empty(), "{wrong} passes");
    }
    assert!(
        !faults(&json!({ "value": [{ "receivedDateTime": "yesterday" }] })).is_empty(),
        "a time that is none passes"
    );

    let request = |url: &str| contract.request("GET", url, &[], b"");
    assert_eq!(request(url), Vec::<String>::new());
    assert!(!request("/users/a/messages?$select=recievedDateTime").is_empty());
    assert!(!request("/users/a/messages?$topp=1").is_empty());
    assert!(!request("/users/a/mesages").is_empty());
    let send = |body: Value| {
        contract.request(
            "POST",
            "/users/a/sendMail",
            &[("Content-Type", "application/json")],
            body.to_string().as_bytes(),
        )
    };
    assert!(send(json!({ "message": { "subject": "x" } })).is_empty());
    assert!(!send(json!({ "message": { "subjekt": "x" } })).is_empty());
    let batch = json!({ "requests": [{ "id": "1", "method": "GET", "url": "/users/a/messages?$select=subjekt" }] });
    assert!(
        !contract
            .request(
                "POST",
                "/$batch",
                &[("Content-Type", "application/json")],
                batch.to_string().as_bytes()
            )
            .is_empty()
    );
    let answered = |name: &str| json!({ "responses": [{ "id": "1", "status": 200, "headers": { "Content-Type": "application/json" }, "body": { "value": [{ name: "x" }] } }] });
    let parts = |name: &str| contract.parts(batch.to_string().as_bytes(), answered(name).to_string().as_bytes());
    assert!(parts("subject").is_empty() && !parts("subjekt").is_empty());
    for asked in world.tenant.requests() {
        assert_eq!(contract.recorded(&asked), Vec::<String>::new(), "{asked:?}");
    }
    let mut asked = world.tenant.requests().pop().unwrap();
    asked.query[0].1 = "recievedDateTime".to_owned();
    assert!(!contract.recorded(&asked).is_empty());
}
