//! `mailflow demo`: the main job on an embedded mail world. Only the world is made up: its site is an ordinary file, and all else is what `run` does.

use super::{Code, Desk, Halt, output::Target};
use crate::{
    config,
    postoffice::{Addresses, PostOffice, Settings},
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

impl Desk {
    pub(super) async fn demo(&mut self, scenario: Option<&Path>) -> Result<Code, Halt> {
        let targets = Target::all(&self.shared.report)?;
        let clock = self.clock;
        let office = PostOffice::open(Settings::new(move || clock.now())).await?;
        // Gone at the end, and with it every secret of this world; a state folder that was asked for stays.
        let folder = tempfile::Builder::new().prefix("mailflow-demo-").tempdir()?;
        self.shared.site = write_site(folder.path(), &office)?;
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
        let code = self.conclude(&mut judged, &targets, interrupted.then(gone));
        if scenario.is_some() || interrupted {
            return Ok(code);
        }
        self.output
            .remark("This was a demonstration: in its mail world the local part of an address says what becomes of its mail.");
        Ok(Code::Passed)
    }
}

/// Writes the site of this world, its CA and its secrets into a folder of its own.
fn write_site(folder: &Path, office: &PostOffice) -> Result<PathBuf, Halt> {
    let Addresses {
        submission,
        gateway_a,
        gateway_b,
        imap,
        imaps,
        ..
    } = office.addresses();
    let places = [
        ("submission", submission),
        ("gateway_a", gateway_a),
        ("gateway_b", gateway_b),
        ("imap", imap),
        ("imaps", imaps),
    ];
    let site = places.iter().fold(SITE.to_owned(), |site, (name, address)| {
        site.replace(&format!("{{{{{name}}}}}"), &address.to_string())
    });
    let path = folder.join("mailflow.yaml");
    fs::write(&path, site)?;
    fs::write(folder.join("ca.pem"), office.ca_pem())?;
    for (file, login) in [("probe.secret", "probe@sender.example"), ("watcher.secret", "watcher")] {
        let mut secret = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(folder.join(file))?;
        writeln!(secret, "{}", office.password(login))?;
    }
    Ok(path)
}
