//! `mailflow plan`: what a scenario would send. Nothing leaves.

use super::{Code, Desk, Halt};
use crate::{
    model::Probe,
    report::{counted, escape, table},
};
use std::{collections::BTreeSet, path::Path};

impl Desk {
    pub(super) async fn plan(&mut self, path: &Path) -> Result<Code, Halt> {
        let (scenario, site) = self.scenario_and_site(path)?;
        let key = self.tag_key(&site).await?;
        let plan = self.make_plan(&site, &scenario, &key)?;
        let row = |probe: &Probe| {
            let recipient = plan.recipient(probe);
            let message = probe
                .case
                .as_ref()
                .map_or_else(|| probe.message.to_string(), |case| format!("{} in {case}", probe.message));
            let seen = recipient
                .meant
                .iter()
                .chain(recipient.quarantine.mailboxes())
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ");
            vec![
                escape(&recipient.address).into_owned(),
                escape(&probe.route).into_owned(),
                escape(&message).into_owned(),
                probe.expected.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "),
                if seen.is_empty() {
                    "nowhere".to_owned()
                } else {
                    escape(&seen).into_owned()
                },
            ]
        };
        let rows: Vec<Vec<String>> = plan.probes.iter().map(row).collect();
        let mut text = table::plain(
            &["recipient", "route", "message", "expected", "looked for in"],
            &rows,
            &self.output.list_style(),
        );
        text.push('\n');
        let hops: BTreeSet<(&str, String)> = plan.probes.iter().map(|probe| (probe.route.as_str(), next_hop(probe))).collect();
        for (route, hop) in hops {
            text.push_str(&format!("route {}: {}\n", escape(route), escape(&hop)));
        }
        let senders = plan
            .senders
            .iter()
            .map(|sender| sender.address.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        let unread = plan.traces.len();
        let traced = if unread > 0 { ", and the message trace is asked" } else { "" };
        text.push_str(&format!(
            "{} from {}; {} watched{traced}. Nothing was sent.\n",
            counted(plan.probes.len(), "probe", "probes"),
            escape(&senders),
            counted(plan.mailboxes.len() - unread, "mailbox is", "mailboxes are")
        ));
        self.output.print(text.as_bytes())?;
        Ok(Code::Passed)
    }
}

fn next_hop(probe: &Probe) -> String {
    match &probe.hop {
        Some((host, None)) => host.clone(),
        Some((host, Some(connect))) => format!("{host}, at {connect}"),
        None => "the hosts that the DNS names".to_owned(),
    }
}
