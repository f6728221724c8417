//! A second witness: Microsoft's official Python SDK reads the tenant and gets what it should.
//!
//! Runs where `MAILFLOW_GRAPH_SDK` names a Python with `msgraph-sdk` and `azure-identity`; elsewhere the test says that it is skipped.

use std::io::Write;

use mailflow::postoffice::tenant::Config;
use serde_json::{Value, json};
use tokio::process::Command;

use super::client::{APP, SECRET, world_with};

#[tokio::test]
async fn the_official_sdk_reads_the_tenant() {
    let Some(python) = std::env::var_os("MAILFLOW_GRAPH_SDK") else {
        // Past the harness, which shows nothing that a passing test prints.
        let _ = writeln!(std::io::stderr(), "SKIPPED: MAILFLOW_GRAPH_SDK names no Python with msgraph-sdk");
        return;
    };
    let world = world_with(|config: &mut Config| {
        config.trace_delay = chrono::TimeDelta::zero();
        config.status_lag = chrono::TimeDelta::zero();
    })
    .await;
    for local in ["ok", "junk-de", "quarantined", "ndr-5.1.10"] {
        world.deliver(local, "a-probe");
    }
    let ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca.path(), world.tenant.ca_pem()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tenant/witness.py");
    let output = Command::new(python)
        .arg(script)
        .env("ROOT", world.tenant.graph())
        .env("CA", ca.path())
        .env("TENANT", "6c1e6a2e-5d5b-4c39-9d6e-0a4b7f1d2c3e")
        .env("APP", APP)
        .env("SECRET", SECRET)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        seen,
        json!({
            "inbox": ["a-probe", "from the SDK"],
            "times": true,
            "tags": ["a-probe", "sdk"],
            "junk": "Junk-E-Mail",
            "folders": 7,
            "removed": [true],
            "mime": true,
            "trace": [
                "junk-de@tenant.example delivered",
                "ndr-5.1.10@tenant.example failed",
                "ok@tenant.example delivered",
                "ok@tenant.example delivered",
                "quarantined@tenant.example quarantined",
            ],
            "events": ["Receive", "Fail"],
            "error": [404, "MailboxNotEnabledForRESTAPI"],
        })
    );
}
