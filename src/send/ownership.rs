//! Whether a domain is the site's own: its DNS must carry a record that only the holder of the site's tag key can name. Messages that pretend to
//! come from the recipient's own people go to such domains only.
//!
//! What it cannot see: whether the answer is authentic (no DNSSEC is asked for), and who may write into that DNS.

use crate::{dns, model::TagKey};
use futures::future::join_all;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use std::{fmt, net::SocketAddr, time::Duration};
use tokio::time::timeout;

/// The TXT record by which a domain is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnershipRecord {
    /// The domain.
    pub domain: String,
    /// The record's name.
    pub name: String,
    /// The record's value.
    pub value: String,
}

impl OwnershipRecord {
    /// The record of `domain` for the site with this key.
    pub fn of(key: &TagKey, domain: &str) -> Self {
        Self {
            domain: domain.to_owned(),
            name: format!("_mailflow.{domain}"),
            value: format!("mailflow-own={}", key.ownership(domain)),
        }
    }
}

impl fmt::Display for OwnershipRecord {
    /// As a zone file has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. TXT \"{}\"", self.name, self.value)
    }
}

/// Asks the DNS server at `at`, or the system's, whether each record is there; `limit` bounds the answer to each. In the order of the records.
pub async fn prove(at: Option<SocketAddr>, records: &[OwnershipRecord], limit: Duration) -> Vec<Result<(), String>> {
    let resolver = match dns::asking(at).and_then(dns::built) {
        Ok(resolver) => resolver,
        Err(trouble) => return records.iter().map(|_| Err(trouble.clone())).collect(),
    };
    let server = at.map_or_else(|| "the DNS".to_owned(), |at| format!("the DNS server {at}"));
    let asked = records.iter().map(|record| async {
        let mut name = Name::from_utf8(&record.name).map_err(|_| format!("{} is no name of the DNS", record.name))?;
        name.set_fqdn(true);
        let answer = timeout(limit, resolver.lookup(name, RecordType::TXT))
            .await
            .map_err(|_| format!("{server} did not answer within {limit:?}"))?;
        let found = match answer {
            Ok(found) => found,
            Err(error) if error.is_nx_domain() || error.is_no_records_found() => return Err("the record is not there".to_owned()),
            Err(error) => return Err(format!("{server} could not be asked: {error}")),
        };
        // The strings of one record belong together (RFC 7208 section 3.3 says so of SPF, and everybody does it).
        let is_ours = found.answers().iter().any(|answer| match &answer.data {
            RData::TXT(text) => text.txt_data.concat() == record.value.as_bytes(),
            _ => false,
        });
        if is_ours {
            Ok(())
        } else {
            Err("there is a record, but with another value".to_owned())
        }
    });
    join_all(asked).await
}
