//! Mailboxes that cannot be looked at, and what is said of that.

use super::world::{SECRET, World, address};
use mailflow::model::What;
use std::collections::HashMap;

impl World {
    /// Watches a mailbox that cannot be opened, and returns what is said of it.
    async fn blind(&mut self, local: &str) -> String {
        let watcher = self.watcher(local, false);
        self.desk.start(watcher, HashMap::new());
        let name = address(local);
        let event = self
            .desk
            .until(|what| matches!(what, What::Blind { mailbox, .. } if mailbox.as_str() == name))
            .await;
        match event.what {
            What::Blind { reason, .. } => reason,
            _ => unreachable!("only that was waited for"),
        }
    }
}

#[tokio::test]
async fn a_mailbox_without_licence_or_out_of_scope_says_so_to_every_wish() {
    let mut world = World::new(&["unlicensed"]).await;
    let reason = world.blind("unlicensed").await;
    assert!(
        reason.starts_with("unlicensed@tenant.example has no mailbox in Exchange Online: give the account a licence"),
        "{reason}"
    );
    let reason = world.blind("out-of-scope").await;
    assert!(
        reason.contains("not that of out-of-scope@tenant.example: add the mailbox to the app's scope"),
        "{reason}"
    );
    let reason = world.blind("nobody").await;
    assert!(reason.starts_with("nobody@tenant.example has no mailbox"), "{reason}");
    // Each wish for a look is answered, although it cannot be made.
    for wish in 1..=2 {
        let before = world.count(|what| matches!(what, What::Blind { mailbox, .. } if mailbox.as_str() == address("unlicensed")));
        world.desk.want_look(&address("unlicensed"));
        while world.count(|what| matches!(what, What::Blind { mailbox, .. } if mailbox.as_str() == address("unlicensed"))) == before {
            world.desk.until_new().await;
        }
        assert!(before >= wish);
    }
    assert_eq!(world.count(|what| matches!(what, What::Baseline { .. } | What::Looked { .. })), 0);
    world.desk.stop().await;
}

#[tokio::test]
async fn a_missing_consent_is_called_by_its_name() {
    let mut world = World::with(&["ok-1"], SECRET, |config| {
        config.apps[0].roles = ["Mail.ReadBasic.All".to_owned()].into();
    })
    .await;
    let reason = world.blind("ok-1").await;
    assert!(reason.contains("no consent for Mail.Read:"), "{reason}");
    let checked = world.watcher("ok-1", false).check().await;
    assert!(
        checked[0]
            .1
            .as_ref()
            .is_err_and(|reason| reason.contains("no consent for Mail.Read:")),
        "{checked:?}"
    );
    world.desk.stop().await;
}

#[tokio::test]
async fn a_refused_sign_in_says_what_to_do_and_shows_no_secret() {
    let mut world = World::with(&["ok-1"], "wrong-secret-of-the-app", |_| {}).await;
    let reason = world.blind("ok-1").await;
    assert!(
        reason.contains("AADSTS7000215") && reason.contains("Copy the secret's value"),
        "{reason}"
    );
    assert!(!reason.contains("wrong-secret"), "{reason}");
    world.desk.stop().await;
}
