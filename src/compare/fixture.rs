//! A probe that arrived in the inbox, to be changed in some of its fields: the one that the explanations are tested with.

use crate::model::JudgedProbe;
use serde_json::{Value, json};

/// The probe, passed and with one hop.
pub fn probe() -> JudgedProbe {
    let text = include_str!("../../tests/explain/_probe.json");
    let probe: JudgedProbe = serde_json::from_str(text).unwrap();
    let hop = json!([{ "from": "a", "address": null, "by": "b", "protocol": null, "tls": null, "cipher": null, "encryption": "tls", "at": null,
        "spent_ms": null, "skew_ms": null }]);
    with(
        &probe,
        &[
            ("outcome", "passed".into()),
            ("verdict", "inbox".into()),
            ("basis", "seen".into()),
            ("folder", "INBOX".into()),
            ("hops", hop),
        ],
    )
}

/// The same with other values in these fields.
pub fn with(probe: &JudgedProbe, fields: &[(&str, Value)]) -> JudgedProbe {
    let mut value = serde_json::to_value(probe).unwrap();
    for (name, new) in fields {
        let known = value.as_object_mut().unwrap().insert((*name).to_owned(), new.clone());
        assert!(known.is_some() || matches!(*name, "waiver" | "later"), "there is no field {name}");
    }
    serde_json::from_value(value).unwrap()
}
