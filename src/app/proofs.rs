//! What must be proven before anything is sent: that domains which get impersonating probes are the site's own, and that the keys that sign are keys.

use super::{
    Desk, Halt,
    check::{Finding, State},
    environment, folder_of,
};
use crate::{
    config::secrets,
    model::{Plan, Probe, Site, TagKey},
    send::{OwnershipRecord, Signer, Timeouts, prove},
};
use std::collections::{BTreeMap, BTreeSet};

/// The signers of a site, by the name of the sender.
pub(super) type Signers = BTreeMap<String, Signer>;

impl Desk {
    /// Asks the DNS whether every domain that the plan's impersonating probes go to is proven to be the site's own.
    ///
    /// # Errors
    /// If one is not, or the DNS cannot be asked: then nothing may be sent.
    pub(super) async fn prove_own_domains(&self, site: &Site, plan: &Plan, key: &TagKey) -> Result<(), Halt> {
        let pretends = plan.probes.iter().filter(|probe| probe.message.impersonates());
        let domains: BTreeSet<String> = pretends.map(|probe| plan.recipient(probe).domain()).collect();
        if domains.is_empty() {
            return Ok(());
        }
        let records: Vec<OwnershipRecord> = domains.iter().map(|domain| OwnershipRecord::of(key, domain)).collect();
        let proven = prove(site.resolver, &records, Timeouts::default().connect).await;
        for (record, proof) in records.iter().zip(proven) {
            proof.map_err(|why| {
                Halt::Sentence(format!(
                    "{} is not proven to be this site's own, so nothing that pretends to come from it is sent to it: {why}\n  help: publish this record: \
                     {record}",
                    record.domain
                ))
            })?;
        }
        Ok(())
    }

    /// What `check` says of each domain under `own_domains`, and of each key that signs.
    pub(super) async fn proofs(&self, site: &Site, key: &TagKey) -> Vec<Finding> {
        let records: Vec<OwnershipRecord> = site.own_domains.iter().map(|domain| OwnershipRecord::of(key, domain)).collect();
        let proven = prove(site.resolver, &records, Timeouts::default().connect).await;
        let mut findings: Vec<Finding> = Vec::new();
        for (record, proof) in records.iter().zip(proven) {
            let what = format!("own domain {}", record.domain);
            findings.push(match proof {
                Ok(()) => Finding::new(&what, State::Right, &format!("proven by the record {record}")),
                Err(why) => Finding::new(&what, State::Wrong, &format!("{why}; publish this one: {record}")),
            });
        }
        for sender in site.dkim.keys() {
            let what = format!("signing key of sender {sender}");
            findings.push(match signer(site, sender).await {
                Ok(signer) => Finding::new(&what, State::Right, &format!("signs for {}", signer.record_name())),
                Err(why) => Finding::new(&what, State::Wrong, &why),
            });
        }
        findings
    }
}

/// The signers of the senders that a plan uses.
///
/// # Errors
/// If a key cannot be had or cannot sign: then nothing may be sent.
pub(super) async fn signers(site: &Site, plan: &Plan) -> Result<Signers, Halt> {
    let mut signers = Signers::new();
    for sender in plan.senders.iter().filter(|sender| site.dkim.contains_key(&sender.name)) {
        let signer = signer(site, &sender.name)
            .await
            .map_err(|why| Halt::Sentence(format!("sender {}: {why}", sender.name)))?;
        signers.insert(sender.name.clone(), signer);
    }
    Ok(signers)
}

async fn signer(site: &Site, sender: &str) -> Result<Signer, String> {
    let dkim = site.dkim.get(sender).ok_or_else(|| "it has no key".to_owned())?;
    let wrong = |why: String| format!("{}: dkim: {why}", dkim.place);
    let pem = secrets::resolve_whole(&dkim.key, &folder_of(&site.file), &environment)
        .await
        .map_err(|error| wrong(error.to_string()))?;
    Signer::new(&dkim.domain, &dkim.selector, &pem).map_err(wrong)
}

/// The message of a probe as it leaves: signed, where its sender has a key.
pub(super) fn sealed(signers: &Signers, plan: &Plan, probe: &Probe, message: Vec<u8>) -> Vec<u8> {
    match signers.get(&plan.sender(probe).name) {
        Some(signer) => signer.sign(message),
        None => message,
    }
}
