//! The message trace: whose rows are told, by what they are found, and what is not told.

use super::world::World;
use mailflow::{
    model::{MailboxName, TraceAccess, TraceReading, TraceStatus, What},
    watch::{Watcher, trace::TraceWatcher},
};
use std::{collections::HashMap, time::Duration};

const PLACE: &str = "message trace of contoso";

/// A world whose trace is watched, and shows what happened within four seconds.
async fn world(recipients: &[&str]) -> World {
    let mut world = World::new(recipients).await;
    let access = TraceAccess {
        tenant: "contoso".to_owned(),
        reading: TraceReading {
            delay: Duration::from_secs(4),
            explain: None,
        },
    };
    assert_eq!(access.place().as_str(), PLACE);
    let places: Vec<MailboxName> = vec![access.place()];
    let watcher: Box<dyn Watcher> = Box::new(TraceWatcher::new(world.graph.clone(), &world.desk.plan.senders, &access, places));
    world.desk.start(watcher, HashMap::new());
    world.desk.baselines(&[PLACE]).await;
    world.desk.send();
    world
}

fn told(world: &World) -> Vec<(String, TraceStatus)> {
    let row = |what: &What| match what {
        What::Traced { row, .. } => Some((row.recipient.clone(), row.status.clone())),
        _ => None,
    };
    world.desk.heard.iter().filter_map(|event| row(&event.what)).collect()
}

fn deliver(world: &World, number: usize, sender: &str, message: &str) {
    let message = format!("Return-Path: <{sender}>\r\n{message}");
    world
        .tenant
        .deliver(&world.desk.plan.recipients[number].address, message.as_bytes());
}

#[tokio::test]
async fn a_probe_whose_sender_was_rewritten_is_found_before_the_worst_is_said() {
    let mut world = world(&["quarantined"]).await;
    let message = world.desk.message(0);
    deliver(&world, 0, "SRS0=x1=y2=sender.example=probe@gateway.example", &message);
    world.desk.look(PLACE).await;
    assert_eq!(
        told(&world),
        [("quarantined@tenant.example".to_owned(), TraceStatus::Quarantined)],
        "told by its Message-ID, whoever it says sent it"
    );
}

#[tokio::test]
async fn of_other_mail_nothing_is_told_whatever_its_subject_says() {
    let mut world = world(&["quarantined"]).await;
    let sender = world.desk.plan.senders[0].envelope.clone();
    let tag = world.desk.probe(0).tag.clone();
    let forged = format!("{}aaaa", &tag.as_str()[..38]);
    for (from, subject) in [
        ("kim@fabrikam.example", format!("Re: {tag}")),
        ("", format!("Undeliverable: {tag}")),
        (sender.as_str(), "Confidential: quarterly figures".to_owned()),
        (sender.as_str(), format!("probe {forged}")),
    ] {
        let message = format!(
            "From: <x@fabrikam.example>\r\nSubject: {subject}\r\nMessage-ID: <{}@x.example>\r\n\r\nx\r\n",
            subject.len()
        );
        deliver(&world, 0, from, &message);
    }
    world.desk.look(PLACE).await;
    assert_eq!(told(&world), []);
    assert!(!format!("{:?}", world.desk.heard).contains("Confidential"));
    let details = world
        .tenant
        .requests()
        .iter()
        .filter(|asked| asked.path.contains("getDetailsByRecipient"))
        .count();
    assert_eq!(details, 0, "nor is anything further asked of it");
}

#[tokio::test]
async fn a_row_is_told_again_only_when_its_status_changes() {
    let mut world = world(&["late-3s"]).await;
    let message = world.desk.message(0);
    let sender = world.desk.plan.senders[0].envelope.clone();
    deliver(&world, 0, &sender, &message);
    for _ in 0..2 {
        world.desk.look(PLACE).await;
    }
    let statuses: Vec<TraceStatus> = told(&world).into_iter().map(|(_, status)| status).collect();
    assert_eq!(statuses.last(), Some(&TraceStatus::Delivered), "{statuses:?}");
    let mut once = statuses.clone();
    once.dedup();
    assert_eq!(statuses, once);
}
