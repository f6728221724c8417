//! A simulated tenant that stands alone, and the real binary on a site of it: probes go from inside to inside, by Graph.

use mailflow::{
    clock::Clock,
    postoffice::tenant::{App, Config, Tenant},
};
use std::{fs, path::Path, process::Command};
use tempfile::TempDir;

/// The app that most sites sign in with.
pub const READER: &str = "9f20c1d2-3a4b-4c5d-8e6f-7a8b9c0d1e2f";
pub const SECRET: &str = "kept between the tenant and us";
const SCENARIO: &str = "name: inside\nexpect: inbox\nwithin: 12s\ngive_up_after: 12s\nsettle: 2s\nrecipients: { addresses: ['*'] }\n";

pub struct Lone {
    pub tenant: Tenant,
    pub folder: TempDir,
}

/// What the binary said, and how it ended.
pub struct Told {
    pub code: i32,
    pub text: String,
}

/// An app with these permissions.
pub fn app(id: &str, roles: &[&str]) -> App {
    App {
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        ..App::with_secret(id, SECRET)
    }
}

impl Lone {
    pub async fn start(apps: Vec<App>, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(App::default());
        config.apps = apps;
        // Each fate as if the mail came from outside.
        config.filters_internal = true;
        change(&mut config);
        let clock = Clock::start();
        let tenant = Tenant::start(config, move || clock.now()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("tenant.pem"), tenant.ca_pem()).unwrap();
        fs::write(folder.path().join("app.secret"), SECRET).unwrap();
        fs::write(folder.path().join("scenario.yaml"), SCENARIO).unwrap();
        Self { tenant, folder }
    }

    /// A site with these tenant entries, each with its app and what else it says, and these recipients; the first entry reads and sends.
    pub fn site(&self, tenants: &[(&str, &str, &str)], recipients: &[&str]) {
        let entry = |(name, client, more): &(&str, &str, &str)| {
            format!(
                "  {name}: {{ tenant_id: {id}, client_id: {client}, secret: {{ file: app.secret }}, \
                 cloud: {{ authority: \"{authority}\", graph: \"{graph}\", ca: {{ file: tenant.pem }} }}{more} }}\n",
                id = Config::new(App::default()).id,
                authority = self.tenant.authority(),
                graph = self.tenant.graph(),
            )
        };
        let first = tenants[0].0;
        let quarantine = if tenants[0].2.contains("trace:") { "trace" } else { "none" };
        let text = format!(
            "sender: {{ address: probe@tenant.example, mailbox: {{ graph: {{ tenant: {first}, user: probe@tenant.example }} }} }}\n\
             routes: {{ m365: {{ graph: {{ tenant: {first}, user: probe@tenant.example }} }} }}\n\
             tenants:\n{}defaults: {{ mailbox: {{ graph: {{ tenant: {first}, user: \"{{address}}\" }} }}, quarantine: {quarantine} }}\n\
             recipients:\n{}",
            tenants.iter().map(entry).collect::<String>(),
            recipients
                .iter()
                .map(|local| format!("  - {{ address: {local}@tenant.example }}\n"))
                .collect::<String>(),
        );
        fs::write(self.folder.path().join("mailflow.yaml"), text).unwrap();
    }

    /// Lets the binary do something on the site.
    pub async fn mailflow(&self, arguments: &[&str]) -> Told {
        let folder = self.folder.path().to_owned();
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        tokio::task::spawn_blocking(move || run(&folder, &arguments)).await.unwrap()
    }
}

fn run(folder: &Path, arguments: &[String]) -> Told {
    let output = Command::new(env!("CARGO_BIN_EXE_mailflow"))
        .current_dir(folder)
        .args(arguments)
        .args(["--state", "state", "--color", "never"])
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    Told {
        code: output.status.code().unwrap_or(-1),
        text: String::from_utf8(text).unwrap(),
    }
}
