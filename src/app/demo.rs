//! `mailflow demo`: the main job on an embedded mail world. Only the world is made up: its site is an ordinary file, and all else is what `run` does.

use super::{Code, Desk, Halt};
use crate::{
    config,
    postoffice::{
        Addresses, PostOffice, Settings,
        tenant::{App, Config, Tenant},
    },
};
use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// The scenario that shows every verdict.
const SCENARIO: &str = include_str!("../../scenarios/demo.yaml");
const SITE: &str = include_str!("demo_site.yaml");
/// The app by which the site signs in to the simulated tenant.
const APP: &str = "9f20c1d2-3a4b-4c5d-8e6f-7a8b9c0d1e2f";

impl Desk {
    pub(super) async fn demo(&mut self, scenario: Option<&Path>) -> Result<Code, Halt> {
        let targets = self.targets(false)?;
        let clock = self.clock;
        let secret = data_encoding::HEXLOWER.encode(&self.random_bytes::<16>()?);
        let tenant = Config::new(App::with_secret(APP, &secret));
        let tenant_id = tenant.id.clone();
        let mut settings = Settings::new(move || clock.now());
        settings.tenant = Some(tenant);
        let office = PostOffice::open(settings).await?;
        // Gone at the end, and with it every secret of this world; a state folder that was asked for stays.
        let folder = tempfile::Builder::new().prefix("mailflow-demo-").tempdir()?;
        self.shared.site = write_site(folder.path(), &office, &tenant_id, &secret)?;
        if self.shared.state.is_none() {
            self.shared.state = Some(folder.path().join("state"));
        }
        let site = self.site()?;
        let (path, text) = match scenario {
            Some(path) => (path, config::load(path)?),
            None => (Path::new("scenarios/demo.yaml"), SCENARIO.to_owned()),
        };
        let read = config::read_scenario(path, &text)?;
        config::check_scenario_on_site(path, &text, &site)?;
        let key = self.tag_key(&site).await?;
        let (mut judged, interrupted) = self.measure(&site, &read, &key).await?;
        let gone = || "Interrupted. The demonstration's mail world ended with it, so there is nothing to go on with.".to_owned();
        self.output.cannot_go_on();
        let code = self.conclude(&mut judged, &targets, interrupted.then(gone)).await;
        // What a plugin says and what it ends with must be the same.
        if scenario.is_some() || interrupted || self.output.is_plugin() {
            return Ok(code);
        }
        self.output
            .remark("This was a demonstration: in its mail world the local part of an address says what becomes of its mail.");
        Ok(Code::Passed)
    }
}

/// Writes the site of this world, its CA and its secrets into a folder of its own.
fn write_site(folder: &Path, office: &PostOffice, tenant_id: &str, app_secret: &str) -> Result<PathBuf, Halt> {
    let Addresses {
        submission,
        gateway_a,
        gateway_b,
        imap,
        imaps,
        ..
    } = office.addresses();
    let tenant = office.tenant();
    let places = [
        ("submission", submission.to_string()),
        ("gateway_a", gateway_a.to_string()),
        ("gateway_b", gateway_b.to_string()),
        ("imap", imap.to_string()),
        ("imaps", imaps.to_string()),
        ("tenant_id", tenant_id.to_owned()),
        ("app", APP.to_owned()),
        ("authority", tenant.map(|tenant| tenant.authority().to_owned()).unwrap_or_default()),
        ("graph", tenant.map(|tenant| tenant.graph().to_owned()).unwrap_or_default()),
    ];
    let site = places.iter().fold(SITE.to_owned(), |site, (name, value)| {
        site.replace(&format!("{{{{{name}}}}}"), value)
    });
    let path = folder.join("mailflow.yaml");
    fs::write(&path, site)?;
    fs::write(folder.join("ca.pem"), office.ca_pem())?;
    fs::write(folder.join("tenant.pem"), tenant.map(Tenant::ca_pem).unwrap_or_default())?;
    for (file, text) in [
        ("probe.secret", office.password("probe@sender.example")),
        ("watcher.secret", office.password("watcher")),
        ("app.secret", app_secret.to_owned()),
    ] {
        let mut secret = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(folder.join(file))?;
        writeln!(secret, "{text}")?;
    }
    Ok(path)
}
