//! The header fields that Exchange Online puts on a message it delivers, so that a reader of placements and filter verdicts finds what it knows.
//!
//! Pure. Cannot see the message: the caller says what became of it. Addresses come from the ranges for documentation (RFC 5737).

use chrono::{DateTime, Utc};

use super::super::headers;

/// What the stamp says.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    /// The tenant's id.
    pub tenant: &'a str,
    /// The network message id, which is the trace's id.
    pub network_id: &'a str,
    /// Whether the sender is one of the tenant.
    pub internal: bool,
    /// Whether the filter thinks it spam.
    pub spam: bool,
    /// Where the mailbox puts it: `I`, `J` or `C`.
    pub destination: char,
    /// The sender's domain.
    pub domain: &'a str,
    /// The address of who brought it.
    pub from_ip: &'a str,
    /// Now.
    pub now: DateTime<Utc>,
}

/// The message as it is stored. Fields of this organisation that came from outside are taken off at the border.
pub fn stamped(raw: &[u8], stamp: &Stamp<'_>) -> Vec<u8> {
    let raw = headers::without(raw, |name| {
        let name = name.to_ascii_lowercase();
        name == "bcc" || (!stamp.internal && name.starts_with("x-ms-exchange-organization-"))
    });
    [header(stamp).as_bytes(), &raw].concat()
}

fn header(stamp: &Stamp<'_>) -> String {
    let Stamp {
        tenant,
        network_id,
        destination,
        domain,
        from_ip,
        ..
    } = stamp;
    let date = stamp.now.to_rfc2822();
    let (scl, sfv, cat) = match (stamp.internal, stamp.spam) {
        (true, _) => ("-1", "SKI", "NONE"),
        (false, true) => ("5", "SPM", "SPM"),
        (false, false) => ("1", "NSPM", "NONE"),
    };
    let (auth_as, direction) = if stamp.internal {
        ("Internal", "INT")
    } else {
        ("Anonymous", "INB")
    };
    let authentication = if stamp.internal {
        String::new()
    } else {
        format!(
            "Authentication-Results: spf=pass (sender IP is {from_ip}) smtp.mailfrom={domain};\r\n\tdkim=none (message not signed) \
             header.d=none;dmarc=pass action=none\r\n\theader.from={domain};compauth=pass reason=100\r\n"
        )
    };
    format!(
        "Received: from edge.prod.tenant.example (203.0.113.25) by store.prod.tenant.example\r\n\twith HTTPS; {date}\r\n\
         {authentication}\
         X-MS-Exchange-Organization-Network-Message-Id: {network_id}\r\n\
         X-MS-Exchange-Organization-SCL: {scl}\r\n\
         X-MS-Exchange-Organization-AuthAs: {auth_as}\r\n\
         X-MS-Exchange-CrossTenant-Network-Message-Id: {network_id}\r\n\
         X-MS-Exchange-CrossTenant-Id: {tenant}\r\n\
         X-Forefront-Antispam-Report: CIP:{from_ip};CTRY:;LANG:en;SCL:{scl};SRV:;IPV:NLI;SFV:{sfv};CAT:{cat};DIR:{direction};\r\n\
         X-Microsoft-Antispam: BCL:0;\r\n\
         X-Microsoft-Antispam-Mailbox-Delivery: ucf:0;jmr:0;auth:0;dest:{destination};\r\n\
         X-MS-Exchange-Transport-EndToEndLatency: 00:00:00.5000000\r\n"
    )
}
