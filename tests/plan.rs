//! Plans: which probes a site and a scenario give. Sites are built here as values; how they are read from files is the configuration's test.

#[path = "plan/build.rs"]
mod build;

use build::{expecting, mailbox, mx, recipient, round, scenario, site, smtp, with_role};
use mailflow::{
    model::{
        Case, Expectation, KEY_LENGTH, Limits, MailboxName, MessageKind, Place, Plan, QuarantinePolicy, Recipient, RecipientFilter, Route,
        RunId, Scenario, Site, Subset, TagKey, Time, Verdict,
    },
    plan::{PlanError, Start, hops, plan},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

fn key() -> TagKey {
    TagKey::new(&[7; KEY_LENGTH])
}

fn planned(site: &Site, scenario: &Scenario, only: &[Subset]) -> Result<Plan, PlanError> {
    let key = key();
    let start = Start {
        run: RunId::from_random([1, 2, 3, 4, 5, 6]),
        at: Time::UNIX_EPOCH,
        key: &key,
        version: "1.2.3",
        change: Some("CHG-4711".to_owned()),
        origin: mailflow::model::Origin::default(),
        only,
    };
    let mut count = 0_u128;
    plan(site, scenario, &start, &mut || {
        count += 1;
        count.to_be_bytes()
    })
}

/// Recipient, route and case of each probe.
fn shown(plan: &Plan) -> Vec<String> {
    let show = |probe: &mailflow::model::Probe| {
        let case = probe.case.as_deref().map(|case| format!(" in {case}")).unwrap_or_default();
        format!("{} by {}{case}", plan.recipient(probe).address, probe.route)
    };
    plan.probes.iter().map(show).collect()
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.mailboxes.iter().map(MailboxName::as_str).collect()
}

#[test]
fn a_case_wins_over_the_recipient_and_that_over_the_scenario() {
    let junk = vec![Expectation::Verdict(Verdict::Junk)];
    let folder = vec![Expectation::Folder("Alerts".to_owned())];
    let site = site(vec![recipient("plain@x.example"), expecting("filed@x.example", &folder)]);
    let strict = Case {
        expect: Some(junk.clone()),
        ..round(Some("strict"))
    };
    let plan = planned(&site, &scenario(vec![round(None), round(Some("lenient")), strict]), &[]).unwrap();
    let found: Vec<_> = plan
        .probes
        .iter()
        .map(|probe| (probe.expected.clone(), probe.expected_at.line))
        .collect();
    let inbox = vec![Expectation::Verdict(Verdict::Inbox)];
    let own = [(inbox, 2), (folder, 7)];
    let of_case = (junk, 3);
    assert_eq!(found, [own.as_slice(), &own, &[of_case.clone(), of_case]].concat());
}

#[test]
fn who_must_refuse_takes_no_part_in_cases_that_do_not_name_it() {
    let rejected = Expectation::Verdict(Verdict::Rejected);
    let site = site(vec![
        expecting("nobody@x.example", &[Expectation::Returned]),
        expecting("refuses@x.example", &[rejected.clone(), Expectation::Verdict(Verdict::Bounced)]),
        expecting("either@x.example", &[rejected, Expectation::Verdict(Verdict::Inbox)]),
    ]);
    let case = |name: &str, addresses: &[&str]| Case {
        recipients: RecipientFilter {
            addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
            ..RecipientFilter::default()
        },
        ..round(Some(name))
    };
    let rounds = vec![
        round(None),
        case("all", &[]),
        case("pattern", &["*@x.example"]),
        case("named", &["Nobody@X.example"]),
    ];
    let plan = planned(&site, &scenario(rounds), &[]).unwrap();
    let expected = [
        "nobody@x.example by internet",
        "refuses@x.example by internet",
        "either@x.example by internet",
        "either@x.example by internet in all",
        "either@x.example by internet in pattern",
        "nobody@x.example by internet in named",
    ];
    assert_eq!(shown(&plan), expected);
}

#[test]
fn only_narrows_by_each_kind_and_widens_within_one() {
    let mut site = site(vec![
        with_role("a@x.example", "Global Administrator"),
        with_role("b@x.example", "Billing Administrator"),
        with_role("c@y.example", "Global Administrator"),
        recipient("d@y.example"),
    ]);
    site.routes.push(smtp("old", "old.example", None));
    let rounds = Case {
        routes: vec!["internet".to_owned(), "old".to_owned()],
        ..round(None)
    };
    let scenario = scenario(vec![rounds]);
    let recipient = |pattern: &str| Subset::Recipient(pattern.to_owned());
    let role = |pattern: &str| Subset::Role(pattern.to_owned());
    let route = |pattern: &str| Subset::Route(pattern.to_owned());
    let domain = |pattern: &str| Subset::Domain(pattern.to_owned());
    for (only, expected) in [
        (vec![route("old")], "a@x b@x c@y d@y"),
        (vec![route("old"), recipient("A@x.example")], "a@x"),
        (vec![route("old"), recipient("a@x.example"), recipient("d@*")], "a@x d@y"),
        (vec![route("old"), role("global*")], "a@x c@y"),
        (vec![route("old"), role("global*"), domain("Y.example")], "c@y"),
        (vec![route("old"), role("*")], "a@x b@x c@y"),
    ] {
        let plan = planned(&site, &scenario, &only).unwrap();
        let expected: Vec<_> = expected.split(' ').map(|address| format!("{address}.example by old")).collect();
        assert_eq!(shown(&plan), expected, "{only:?}");
    }
    assert_eq!(planned(&site, &scenario, &[]).unwrap().probes.len(), 8);
    for (only, words) in [
        (vec![recipient("z@*")], "none of the 4 recipients in mailflow.yaml fits `--only`"),
        (vec![recipient("a@*"), domain("y.example")], "fits `--only`"),
        (vec![route("new")], "none of the scenario's routes fits `--only`"),
    ] {
        let error = planned(&site, &scenario, &only).unwrap_err().to_string();
        assert!(error.contains(words), "{only:?}: {error}");
    }
}

#[test]
fn a_scenario_chooses_recipients_by_role_address_domain_and_tag() {
    let tagged = Recipient {
        tags: vec!["vip".to_owned()],
        ..with_role("b@y.example", "Owner")
    };
    let site = site(vec![with_role("a@x.example", "Owner"), tagged, recipient("c@x.example")]);
    let filter = |roles: &[&str], addresses: &[&str], domains: &[&str], tags: &[&str]| {
        let all = |patterns: &[&str]| patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        RecipientFilter {
            roles: all(roles),
            addresses: all(addresses),
            domains: all(domains),
            tags: all(tags),
        }
    };
    for (recipients, expected) in [
        (filter(&["own*"], &[], &[], &[]), "a@x b@y"),
        (filter(&["*"], &[], &[], &[]), "a@x b@y"),
        (filter(&[], &["a@*", "c@*"], &[], &[]), "a@x c@x"),
        (filter(&[], &[], &["x.*"], &[]), "a@x c@x"),
        (filter(&[], &[], &[], &["VIP"]), "b@y"),
        (filter(&["Owner"], &[], &["x.example"], &[]), "a@x"),
    ] {
        let round = Case {
            recipients: recipients.clone(),
            ..round(None)
        };
        let plan = planned(&site, &scenario(vec![round]), &[]).unwrap();
        let expected: Vec<_> = expected
            .split(' ')
            .map(|address| format!("{address}.example by internet"))
            .collect();
        assert_eq!(shown(&plan), expected, "{recipients:?}");
    }
}

#[test]
fn a_route_with_domain_values_serves_only_domains_that_have_them() {
    let mut site = site(vec![
        recipient("a@Contoso.example"),
        recipient("b@fabrikam.example"),
        recipient("c@other.example"),
    ]);
    let values = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    };
    site.domains = BTreeMap::from([
        ("contoso.example".to_owned(), values(&[("old", "mxa.example"), ("at", "192.0.2.1")])),
        ("fabrikam.example".to_owned(), values(&[("old", "mxb.example")])),
    ]);
    site.routes = vec![
        smtp("old", "{domain.old}", None),
        smtp("tried", "mx.{domain.old}", Some("{domain.at}:2525")),
        mx(),
    ];
    let all = Case {
        routes: vec!["old".to_owned(), "tried".to_owned(), "mx".to_owned()],
        ..round(None)
    };
    let plan = planned(&site, &scenario(vec![all]), &[]).unwrap();
    let taken: Vec<_> = plan
        .probes
        .iter()
        .map(|probe| (plan.recipient(probe).address.as_str(), probe.hop.clone()))
        .collect();
    let host = |host: &str| Some((host.to_owned(), None));
    assert_eq!(
        taken,
        [
            ("a@Contoso.example", host("mxa.example")),
            ("b@fabrikam.example", host("mxb.example")),
            (
                "a@Contoso.example",
                Some(("mx.mxa.example".to_owned(), Some("192.0.2.1:2525".to_owned())))
            ),
            ("a@Contoso.example", None),
            ("b@fabrikam.example", None),
            ("c@other.example", None),
        ]
    );
    let once: Vec<_> = hops(&site)
        .into_iter()
        .map(|(route, hop, recipient)| (route, hop.is_some(), recipient))
        .collect();
    let expected = [
        ("mx", false, "a@Contoso.example"),
        ("mx", false, "b@fabrikam.example"),
        ("mx", false, "c@other.example"),
        ("old", true, "a@Contoso.example"),
        ("old", true, "b@fabrikam.example"),
        ("tried", true, "a@Contoso.example"),
    ];
    assert_eq!(
        once,
        expected.map(|(route, named, recipient)| (route.to_owned(), named, recipient.to_owned()))
    );
    site.routes = vec![smtp("old", "{domain.new}", None)];
    let error = planned(&site, &scenario(vec![round(None)]), &[]).unwrap_err().to_string();
    assert!(error.contains("no route serves any of them"), "{error}");
}

#[test]
fn the_default_route_is_the_one_that_says_so_or_the_only_one() {
    let mut site = site(vec![recipient("a@x.example")]);
    let scenario = scenario(vec![round(None)]);
    assert_eq!(shown(&planned(&site, &scenario, &[]).unwrap()), ["a@x.example by internet"]);
    site.routes.push(mx());
    let error = planned(&site, &scenario, &[]).unwrap_err();
    assert_eq!(
        error,
        PlanError::NoDefaultRoute {
            routes: "internet, mx".to_owned()
        }
    );
    site.routes[1].default = true;
    assert_eq!(shown(&planned(&site, &scenario, &[]).unwrap()), ["a@x.example by mx"]);
}

#[test]
fn a_plan_beyond_its_limits_is_refused() {
    let site = site(vec![recipient("a@x.example"), recipient("b@x.example")]);
    let two = Case {
        messages: vec![MessageKind::Plain, MessageKind::Link],
        ..round(None)
    };
    let limited = |probes, per_mailbox| Scenario {
        limits: Limits {
            probes,
            per_mailbox,
            spacing: None,
        },
        ..scenario(vec![two.clone(), round(Some("more"))])
    };
    let plan = |probes, per_mailbox| planned(&site, &limited(probes, per_mailbox), &[]);
    assert_eq!(plan(Some(6), Some(3)).unwrap().probes.len(), 6);
    assert_eq!(plan(Some(5), None).unwrap_err(), PlanError::TooManyProbes { planned: 6, limit: 5 });
    let too_many = PlanError::TooManyForOne {
        address: "a@x.example".to_owned(),
        planned: 3,
        limit: 2,
    };
    for _ in 0..20 {
        assert_eq!(plan(None, Some(2)).unwrap_err(), too_many, "the first of several that are alike");
    }
}

#[test]
fn impersonating_messages_go_to_the_sites_own_domains_only() {
    let own = Site {
        own_domains: vec!["contoso.example".to_owned()],
        ..site(vec![recipient("a@Contoso.example"), recipient("b@sub.contoso.example")])
    };
    for (message, word) in [
        (MessageKind::SelfSpoof, "self-spoof"),
        (MessageKind::DisplayName("Kim Lee".to_owned()), "display-name"),
    ] {
        let pretends = Case {
            messages: vec![MessageKind::Plain, message.clone()],
            messages_place: Place {
                file: "scenario.yaml".to_owned(),
                line: 7,
            },
            ..round(None)
        };
        let scenario = scenario(vec![pretends]);
        let refused = planned(&own, &scenario, &[]).unwrap_err();
        assert!(
            matches!(&refused, PlanError::NotOwn { message, domain, .. } if *message == word && domain == "sub.contoso.example"),
            "{refused:?}"
        );
        assert!(refused.to_string().starts_with("scenario.yaml:7: "), "{refused}");
        let narrowed = planned(&own, &scenario, &[Subset::Domain("contoso.example".to_owned())]).unwrap();
        assert_eq!(narrowed.probes.len(), 2, "what does not take part is not refused");
        let nothing_own = Site {
            own_domains: vec![],
            ..own.clone()
        };
        assert!(planned(&nothing_own, &scenario, &[Subset::Domain("contoso.example".to_owned())]).is_err());
    }
}

#[test]
fn a_plan_holds_the_templates_that_its_probes_name() {
    let site = site(vec![recipient("a@x.example")]);
    let noticed = Scenario {
        templates: [("a.eml", "Subject: a\n\n"), ("b.eml", "Subject: b\n\n")]
            .map(|(file, text)| (file.to_owned(), text.to_owned()))
            .into(),
        ..scenario(vec![Case {
            messages: vec![MessageKind::Template("a.eml".to_owned())],
            ..round(None)
        }])
    };
    let plan = planned(&site, &noticed, &[]).unwrap();
    assert_eq!(plan.templates.keys().collect::<Vec<_>>(), ["a.eml"]);
    let stored: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(stored, plan);
}

#[test]
fn probes_to_one_address_keep_their_distance_and_the_earliest_leaves_first() {
    let site = site(vec![recipient("a@x.example"), recipient("b@x.example")]);
    let twice = Case {
        messages: vec![MessageKind::Plain, MessageKind::Link],
        ..round(None)
    };
    let spaced = Scenario {
        limits: Limits {
            spacing: Some(Duration::from_secs(2)),
            ..Limits::default()
        },
        ..scenario(vec![twice, round(Some("more"))])
    };
    let plan = planned(&site, &spaced, &[]).unwrap();
    let times: Vec<_> = plan.probes.iter().map(|probe| probe.not_before.as_secs()).collect();
    assert_eq!(times, [0, 0, 2, 2, 4, 4]);
    let expected = ["", "", " in more"].map(|case| ["a", "b"].map(|name| format!("{name}@x.example by internet{case}")));
    assert_eq!(shown(&plan), expected.concat());
}

#[test]
fn watched_are_all_places_and_every_mailbox_that_the_site_names() {
    let meant = |address: &str, mailboxes: &[&str]| Recipient {
        meant: mailboxes.iter().map(|name| (*name).into()).collect(),
        ..recipient(address)
    };
    let mut site = site(vec![
        meant("a@x.example", &["a@x.example"]),
        meant("b@x.example", &["b@x.example"]),
        meant("billing@x.example", &["billing"]),
        Recipient {
            group: true,
            quarantine: QuarantinePolicy::Mailboxes(vec!["held".into()]),
            ..meant("all@x.example", &["billing", "b@x.example"])
        },
    ]);
    site.mailboxes = [
        "returns",
        "inside-returns",
        "a@x.example",
        "b@x.example",
        "billing",
        "held",
        "catch-all",
    ]
    .map(|name| mailbox(name, name, None))
    .into();
    let scenario = scenario(vec![round(None)]);
    let watched = |only: &str| {
        let plan = planned(&site, &scenario, &[Subset::Recipient(only.to_owned())]).unwrap();
        names(&plan).join(" ")
    };
    assert_eq!(
        watched("*"),
        "returns inside-returns a@x.example b@x.example billing held catch-all"
    );
    assert_eq!(
        watched("a@*"),
        "returns inside-returns a@x.example billing held catch-all",
        "not what the defaults give to others"
    );
    assert_eq!(
        watched("all@*"),
        "returns inside-returns b@x.example billing held catch-all",
        "a member's is needed"
    );
}

#[test]
fn the_plan_knows_whose_address_a_mailbox_has() {
    let mut site = site(vec![
        Recipient {
            meant: vec!["boss".into()],
            ..recipient("CEO@x.example")
        },
        Recipient {
            meant: vec!["boss".into()],
            group: true,
            ..recipient("all@x.example")
        },
    ]);
    site.mailboxes = vec![
        mailbox("boss", "u17", None),
        mailbox("returns", "Probe@sender.example", None),
        mailbox("shared", "overseer@x.example", Some("All/shared")),
    ];
    let plan = planned(&site, &scenario(vec![round(None)]), &[]).unwrap();
    let addresses: Vec<_> = plan.addresses.iter().map(|(address, name)| format!("{address} {name}")).collect();
    // The overseer signs in for others; its address is not theirs, and a list's address is no member's.
    assert_eq!(addresses, ["ceo@x.example boss", "probe@sender.example returns"]);
}

#[test]
fn each_probe_has_a_verified_tag_and_a_message_id_of_its_senders_domain() {
    let mut site = site(vec![recipient("a@x.example"), recipient("b@x.example")]);
    site.routes.push(Route {
        sender: "inside".to_owned(),
        ..smtp("m365", "smtp.contoso.example", None)
    });
    let both = Case {
        routes: vec!["internet".to_owned(), "m365".to_owned()],
        ..round(None)
    };
    let plan = planned(&site, &scenario(vec![both]), &[]).unwrap();
    let ids: BTreeSet<_> = plan.probes.iter().map(|probe| probe.message_id.clone()).collect();
    assert_eq!(ids.len(), 4);
    for (probe, domain) in plan.probes.iter().zip(["sender", "sender", "contoso", "contoso"]) {
        assert_eq!(key().verify(probe.tag.as_str()), Some(probe.id));
        assert_eq!(probe.id.run(), plan.run.id);
        assert_eq!(probe.message_id, format!("<{}@{domain}.example>", probe.tag));
        assert!(plan.sender(probe).address.ends_with(&format!("@{domain}.example")));
    }
}

#[test]
fn the_same_input_gives_the_same_plan() {
    let site = site((0..50).map(|number| recipient(&format!("r{number}@x.example"))).collect());
    let scenario = scenario(vec![round(None), round(Some("again"))]);
    let first = planned(&site, &scenario, &[]).unwrap();
    assert_eq!(first, planned(&site, &scenario, &[]).unwrap());
    assert_eq!(
        (first.run.scenario.as_str(), first.run.site.as_str()),
        ("scenario", "mailflow.yaml")
    );
    assert_eq!(
        (first.run.version.as_str(), first.run.change.as_deref()),
        ("1.2.3", Some("CHG-4711"))
    );
    assert_eq!((first.run.started_at, first.run.finished_at), (Time::UNIX_EPOCH, None));
    let read: Plan = serde_json::from_str(&serde_json::to_string(&first).unwrap()).unwrap();
    assert_eq!(read, first, "as the journal keeps it");
}
