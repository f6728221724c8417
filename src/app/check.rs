//! `mailflow check`: parse, log in everywhere, find the folders; send nothing.

use super::{Code, Desk, Halt, world::World};
use crate::{
    model::Plan,
    plan::hops,
    report::{counted, escape},
};
use std::{collections::BTreeSet, path::Path};

impl Desk {
    pub(super) async fn check(&mut self, scenario: Option<&Path>) -> Result<Code, Halt> {
        let site = match scenario {
            Some(path) => {
                let (scenario, site) = self.scenario_and_site(path)?;
                let key = self.tag_key(&site).await?;
                let plan = self.make_plan(&site, &scenario, &key)?;
                self.output.remark(&format!(
                    "{}: {}, by {}",
                    path.display(),
                    counted(plan.probes.len(), "probe", "probes"),
                    counted(routes_of(&plan), "route", "routes")
                ));
                site
            }
            None => self.site()?,
        };
        self.tag_key(&site).await?;
        self.output.remark(&format!(
            "{}: senders {}, routes {}, mailboxes {}, recipients {}",
            site.file,
            site.senders.len(),
            site.routes.len(),
            site.mailboxes.len(),
            site.recipients.len()
        ));
        let world = World::to_check(&site, self.clock).await;
        let mut findings: Vec<(String, Result<String, String>)> = Vec::new();
        let mut asked = tokio::task::JoinSet::new();
        for (route, hop, recipient) in hops(&site) {
            if let Some(sender) = world.senders.get(&route).cloned() {
                asked.spawn(async move {
                    let found = sender.check(hop.as_ref(), &recipient).await;
                    sender.close().await;
                    let to = hop.map_or_else(|| recipient.rsplit('@').next().unwrap_or_default().to_owned(), |(host, _)| host);
                    (format!("route {route} to {to}"), found)
                });
            }
        }
        let mut opened = tokio::task::JoinSet::new();
        for watcher in world.watchers {
            opened.spawn(watcher.check());
        }
        while let Some(Ok(found)) = asked.join_next().await {
            findings.push(found);
        }
        while let Some(Ok(found)) = opened.join_next().await {
            findings.extend(found.into_iter().map(|(name, found)| (format!("mailbox {name}"), found)));
        }
        findings.extend(
            world
                .unsendable
                .into_iter()
                .map(|(route, reason)| (format!("route {route}"), Err(reason))),
        );
        findings.extend(
            world
                .unwatched
                .into_iter()
                .map(|(name, reason)| (format!("mailbox {name}"), Err(reason))),
        );
        self.show(findings)
    }

    fn show(&self, mut findings: Vec<(String, Result<String, String>)>) -> Result<Code, Halt> {
        // What is wrong comes last, next to the prompt.
        findings.sort_by_key(|(what, found)| (found.is_err(), what.clone()));
        let wrong = findings.iter().filter(|(_, found)| found.is_err()).count();
        let (green, red, off) = if self.output.style().color {
            ("\x1b[32m", "\x1b[31m", "\x1b[0m")
        } else {
            ("", "", "")
        };
        let mut text = String::new();
        for (what, found) in &findings {
            let (paint, sign, said) = match found {
                Ok(said) => (green, "ok", said),
                Err(said) => (red, "WRONG", said),
            };
            text.push_str(&format!("{paint}{sign:<5}{off} {}\n      {}\n", escape(what), escape(said)));
        }
        text.push_str(&match wrong {
            0 => "Every route and mailbox answers. Nothing was sent.\n".to_owned(),
            _ => format!(
                "{wrong} of {} do not answer as they should. Nothing was sent.\n",
                counted(findings.len(), "route or mailbox", "routes and mailboxes")
            ),
        });
        self.output.print(text.as_bytes())?;
        Ok(if wrong == 0 { Code::Passed } else { Code::Failed })
    }
}

fn routes_of(plan: &Plan) -> usize {
    plan.probes.iter().map(|probe| probe.route.as_str()).collect::<BTreeSet<_>>().len()
}
