//! Evidence: what an arrived copy itself tells of its way. Read once, when the copy is fetched, and kept with it.

use super::{Alteration, AlterationKind, Filter, Hop, Signature, Survived};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a copy tells.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// Where the tag survived.
    pub survived: Vec<Survived>,
    /// What was changed on the way.
    pub alterations: Vec<Alteration>,
    /// What the mailbox does not show, so that nobody can say whether it was changed. With [`AlterationKind::Headers`] there is no header and no
    /// word of the receiving side on SPF, DKIM and DMARC either, and nothing is known of hops and filters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<AlterationKind>,
    /// What the receiving side says of SPF, DKIM, DMARC …
    pub authentication: Authentication,
    /// The hops of the Received chain, the first that took it first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hops: Vec<Hop>,
    /// What the filters on the way wrote into the header, the first on the way first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<Filter>,
    /// The DKIM signatures in the header, from the top, and what became of what they cover.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<Signature>,
    /// The header as it arrived, bounded.
    pub header: String,
}

impl Evidence {
    /// Whether the mailbox shows no header.
    pub fn is_headless(&self) -> bool {
        self.unseen.contains(&AlterationKind::Headers)
    }

    /// Every text in it that somebody else wrote.
    pub fn words_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let alterations = self.alterations.iter_mut().flat_map(|one| {
            [&mut one.sent, &mut one.arrived]
                .into_iter()
                .chain(one.added.as_mut())
                .chain(one.service.as_mut())
                .chain(one.target.as_mut())
        });
        let hops = self.hops.iter_mut().flat_map(|hop| {
            let said = [
                &mut hop.from,
                &mut hop.address,
                &mut hop.by,
                &mut hop.protocol,
                &mut hop.tls,
                &mut hop.cipher,
            ];
            said.into_iter().flatten()
        });
        let filters = self.filters.iter_mut().flat_map(|filter| {
            let said = [&mut filter.host, &mut filter.allow_listed];
            said.into_iter().flatten().chain(&mut filter.rules).chain([&mut filter.said])
        });
        let signatures = self.signatures.iter_mut().flat_map(|signature| {
            let fields = signature.fields.iter_mut().flat_map(|field| [&mut field.sent, &mut field.arrived]);
            let lines = signature
                .first_change
                .iter_mut()
                .flat_map(|line| [&mut line.sent, &mut line.arrived]);
            [&mut signature.domain, &mut signature.selector]
                .into_iter()
                .chain(fields)
                .chain(lines)
        });
        alterations
            .chain(self.authentication.values_mut())
            .chain(hops)
            .chain(filters)
            .chain(signatures)
            .chain([&mut self.header])
    }
}

/// `Authentication-Results` (RFC 8601) of the receiving side: method to result, such as `dmarc` to `pass`. What a method says beside its result
/// stands under the method's name, a dot, and the property: `compauth.reason` to `130`.
pub type Authentication = BTreeMap<String, String>;
