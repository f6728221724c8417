//! Sites and scenarios, built as values.

use mailflow::model::{
    Case, Endpoint, Expectation, ImapAccess, Limits, Mailbox, MailboxAccess, MessageKind, MxRoute, Place, QuarantinePolicy, Recipient,
    RecipientFilter, Route, RouteKind, Scenario, SecretSource, Sender, SignIn, Site, SmtpRoute, TlsMode, Verdict,
};
use std::{collections::BTreeMap, time::Duration};

pub fn place(line: u32) -> Place {
    Place {
        file: "test.yaml".to_owned(),
        line,
    }
}

pub fn recipient(address: &str) -> Recipient {
    Recipient {
        address: address.to_owned(),
        role: None,
        owner: None,
        backup: None,
        tags: Vec::new(),
        meant: Vec::new(),
        group: false,
        quarantine: QuarantinePolicy::Unsaid,
        expect: None,
        covered_by: None,
        known: None,
        place: place(1),
    }
}

pub fn with_role(address: &str, role: &str) -> Recipient {
    Recipient {
        role: Some(role.to_owned()),
        ..recipient(address)
    }
}

pub fn expecting(address: &str, expect: &[Expectation]) -> Recipient {
    Recipient {
        expect: Some(expect.to_vec()),
        place: place(7),
        ..recipient(address)
    }
}

pub fn smtp(name: &str, host: &str, connect: Option<&str>) -> Route {
    Route {
        name: name.to_owned(),
        kind: RouteKind::Smtp(SmtpRoute {
            endpoint: Endpoint {
                host: host.to_owned(),
                port: 25,
                connect: connect.map(str::to_owned),
                tls: TlsMode::Opportunistic,
                ca: None,
            },
            sign_in: None,
        }),
        sender: "outside".to_owned(),
        default: false,
        connections: 1,
        rate: None,
        place: place(1),
    }
}

pub fn mx() -> Route {
    let kind = RouteKind::Mx(MxRoute {
        resolver: None,
        port: 25,
        tls: TlsMode::Opportunistic,
        ca: None,
    });
    Route {
        kind,
        ..smtp("mx", "", None)
    }
}

pub fn sender(name: &str, address: &str, mailbox: &str) -> Sender {
    Sender {
        name: name.to_owned(),
        address: address.to_owned(),
        envelope: address.to_owned(),
        display_name: None,
        contact: None,
        mailbox: Some(mailbox.into()),
        subaddress: None,
        sending_addresses: vec![],
    }
}

pub fn mailbox(name: &str, user: &str, root: Option<&str>) -> Mailbox {
    Mailbox {
        name: name.into(),
        access: MailboxAccess::Imap(ImapAccess {
            endpoint: Endpoint {
                host: "imap.example".to_owned(),
                port: 993,
                connect: None,
                tls: TlsMode::Implicit,
                ca: None,
            },
            sign_in: SignIn::Password {
                user: user.to_owned(),
                password: SecretSource::Env("PASSWORD".to_owned()),
            },
            root: root.map(str::to_owned),
        }),
        folders: BTreeMap::new(),
        placement: None,
        peek_bodies: false,
        place: place(1),
    }
}

pub fn site(recipients: Vec<Recipient>) -> Site {
    Site {
        file: "mailflow.yaml".to_owned(),
        senders: vec![
            sender("outside", "probe@sender.example", "returns"),
            sender("inside", "probe@contoso.example", "inside-returns"),
        ],
        domains: BTreeMap::new(),
        paths: Vec::new(),
        tenants: vec![],
        alerts: vec![],
        schedules: vec![],
        serve_token: None,
        routes: vec![smtp("internet", "smtp.sender.example", None)],
        mailboxes: vec![mailbox("returns", "probe@sender.example", None)],
        recipients,
        tag_key: None,
        resolver: None,
        own_domains: vec![],
        dkim: std::collections::BTreeMap::new(),
    }
}

pub fn round(name: Option<&str>) -> Case {
    Case {
        name: name.map(str::to_owned),
        routes: Vec::new(),
        recipients: RecipientFilter::default(),
        messages: vec![MessageKind::Plain],
        messages_place: Place::default(),
        expect: None,
        within: Duration::from_mins(5),
        give_up_after: Duration::from_mins(30),
        settle: Duration::from_secs(20),
        require: Vec::new(),
        place: place(3),
    }
}

pub fn scenario(rounds: Vec<Case>) -> Scenario {
    Scenario {
        file: "scenario.yaml".to_owned(),
        name: "scenario".to_owned(),
        description: None,
        rounds,
        expect: vec![Expectation::Verdict(Verdict::Inbox)],
        expect_place: place(2),
        limits: Limits::default(),
        templates: std::collections::BTreeMap::new(),
        recheck: Vec::new(),
        compare: None,
        site: None,
    }
}
