//! Of other people's mail, nothing is asked for but that it is there, and nothing is told.

use super::world::{World, address};
use mailflow::model::What;
use std::collections::BTreeSet;

const OUR_FIELD: &str =
    "singleValueExtendedProperties($filter=id eq 'String {00020386-0000-0000-C000-000000000046} Name X-Mailflow-Probe')";

#[tokio::test]
async fn of_foreign_messages_only_the_id_and_our_field_are_asked_for() {
    let mut world = World::new(&["ok-1", "rule-moved", "junk"]).await;
    let locals = ["ok-1", "rule-moved", "junk"];
    for local in locals {
        world.foreign(local, &format!("{local}-before"));
    }
    world.open(&locals).await;
    for (number, local) in locals.into_iter().enumerate() {
        world.foreign(local, &format!("{local}-while"));
        world.deliver(number);
        world.desk.seen(number, &address(local)).await;
    }
    for local in locals {
        world.desk.look(&address(local)).await;
    }
    let keys: BTreeSet<String> = world
        .desk
        .heard
        .iter()
        .filter_map(|event| match &event.what {
            What::Seen { copy, .. } => Some(copy.id.key.clone()),
            _ => None,
        })
        .collect();
    let mut read = 0;
    for local in locals {
        for request in world.asked(local) {
            assert_eq!(request.method, "GET", "{request:?}");
            let option = |name: &str| request.query.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
            if let Some(id) = request.path.strip_suffix("/$value") {
                let id = id.rsplit('/').next().unwrap();
                assert!(keys.contains(id), "read whole, and not ours: {request:?}");
                read += 1;
            } else if request.path.contains("/messages") && option("$deltatoken").is_none() && option("$skiptoken").is_none() {
                let selected = option("$select").unwrap_or_else(|| panic!("everything is asked for: {request:?}"));
                for name in selected.split(',') {
                    assert!(["id", "parentFolderId", "receivedDateTime"].contains(&name), "{request:?}");
                }
                assert!(option("$expand").is_none_or(|expand| expand == OUR_FIELD), "{request:?}");
            }
            assert!(
                request.prefer.as_deref().unwrap_or_default().contains("IdType=\"ImmutableId\""),
                "{request:?}"
            );
        }
    }
    assert_eq!(read, 3, "each of ours once");
    let heard = world.desk.stop().await;
    let told = format!("{heard:?}");
    for word in ["-before", "-while", "fabrikam", "Confidential"] {
        assert!(!told.contains(word), "{word} is not ours to tell");
    }
}
