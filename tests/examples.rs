//! The examples for schedulers and monitoring, each by its own tool: systemd-analyze, promtool, the schemas of GitHub, GitLab and Kubernetes; and the
//! commands in them by the parser of the real command line.
//!
//! What they cannot show: that Nagios, Icinga and Checkmk themselves take their files; of those only the commands are checked. Needs what
//! `tests/formats.rs` needs. What is missing fails.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

use clap::Parser;
use mailflow::{
    cli::Cli,
    config,
    report::{metrics, read_json},
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn example(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(example(path)).unwrap()
}

/// A program that `tests/formats/requirements.txt` brings.
fn tool(name: &str) -> Command {
    let below = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let program = below.join("formats/bin").join(name);
    assert!(program.exists(), "{} is missing; tests/run installs it", program.display());
    Command::new(program)
}

/// Whether a command succeeded, and what it said.
fn tells(command: &mut Command) -> (bool, String) {
    let output: Output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; tests/run installs it"));
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn passes(command: &mut Command) -> String {
    let (success, said) = tells(command);
    assert!(success, "{command:?}: {said}");
    said
}

/// The documents of a YAML file.
fn documents(path: &str) -> Vec<Value> {
    let script = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1], encoding='utf-8'))), default=str))";
    let json = passes(tool("python").args(["-c", script]).arg(example(path)));
    serde_json::from_str(&json).unwrap()
}

/// A command line of a shell, as far as the examples use one: words, quotes, and where it ends.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for character in line.chars() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '|' | ';' | '>' | '&') => break,
            (None, character) if character.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(character),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// The command lines of mailflow in a text, from its name on.
fn commands(text: &str) -> Vec<Vec<String>> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().filter(|line| !line.trim_start().starts_with(['#', '/']));
    lines
        .filter_map(|line| {
            let start = ["/usr/local/bin/mailflow ", " mailflow "]
                .iter()
                .find_map(|name| Some(line.rfind(name)? + name.len()))?;
            Some(["mailflow".to_owned()].into_iter().chain(words(&line[start..])).collect())
        })
        .collect()
}

fn parses(command: &[String]) {
    if let Err(error) = Cli::try_parse_from(command) {
        panic!("{command:?}: {error}");
    }
}

#[test]
fn every_command_is_one_that_the_binary_takes() {
    for (path, count) in [
        ("systemd/mailflow.service", 2),
        ("cron/mailflow", 2),
        ("github-actions/mailflow.yml", 1),
        ("gitlab-ci/gitlab-ci.yml", 1),
        ("nagios/nagios.cfg", 1),
        ("nagios/mrpe.cfg", 1),
    ] {
        let commands = commands(&text(path));
        assert_eq!(commands.len(), count, "{path}: {commands:?}");
        for command in &commands {
            parses(command);
        }
    }
    assert!(Cli::try_parse_from(words("mailflow report last --formt nagios")).is_err());
}

#[test]
fn icinga_puts_together_a_command_that_the_binary_takes() {
    let text = text("nagios/icinga2.conf");
    let mut command: Vec<String> = ["mailflow", "report", "last"].map(str::to_owned).to_vec();
    assert!(text.contains(r#"command = [ "/usr/local/bin/mailflow", "report", "last" ]"#));
    for (option, value) in [("--format", "nagios"), ("--state", "/var/lib/mailflow"), ("--max-age", "8d")] {
        assert!(
            text.contains(&format!("\"{option}\" = ")) && text.contains(&format!("\"{value}\"")),
            "{option}"
        );
        command.extend([option.to_owned(), value.to_owned()]);
    }
    assert_eq!(text.matches("\"--").count(), 3);
    parses(&command);
}

#[test]
fn systemd_has_nothing_to_say_of_the_units() {
    let folder = tempfile::tempdir().unwrap();
    for unit in ["mailflow.service", "mailflow.timer"] {
        // The one thing that a machine without mailflow lacks.
        let text = text(&format!("systemd/{unit}")).replace("/usr/local/bin/mailflow", env!("CARGO_BIN_EXE_mailflow"));
        fs::write(folder.path().join(unit), text).unwrap();
    }
    let verify = |unit: &str| {
        tells(
            Command::new("systemd-analyze")
                .args(["verify", "--man=no", "--recursive-errors=one"])
                .arg(folder.path().join(unit)),
        )
    };
    assert_eq!(verify("mailflow.service"), (true, String::new()));
    assert_eq!(verify("mailflow.timer"), (true, String::new()));
    let broken = text("systemd/mailflow.timer").replace("Persistent=", "Persistant=");
    fs::write(
        folder.path().join("broken.timer"),
        broken.replace("[Install]", "Unit=mailflow.service\n[Install]"),
    )
    .unwrap();
    assert!(verify("broken.timer").1.contains("Persistant"), "it would have told");
}

#[test]
fn the_schemas_of_github_gitlab_and_kubernetes_take_the_files() {
    let check = |schema: &str, more: &[&str], path: &str| {
        passes(
            tool("check-jsonschema")
                .args(["--builtin-schema", schema])
                .args(more)
                .arg(example(path)),
        )
    };
    check("vendor.github-workflows", &[], "github-actions/mailflow.yml");
    check("vendor.gitlab-ci", &["--data-transform", "gitlab-ci"], "gitlab-ci/gitlab-ci.yml");
    passes(tool("kubernetes-validate").arg("--strict").arg(example("kubernetes/mailflow.yaml")));
}

#[test]
fn the_pod_runs_what_its_own_files_hold() {
    let documents = documents("kubernetes/mailflow.yaml");
    let [map, _, _, job] = documents.as_slice() else {
        panic!("{documents:?}")
    };
    let file = |name: &str| map["data"][name].as_str().unwrap().to_owned();
    let site = file("mailflow.yaml");
    let site = config::read_site(Path::new("mailflow.yaml"), &site).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)));
    let weekly = file("weekly.yaml");
    let path = Path::new("weekly.yaml");
    config::read_scenario(path, &weekly).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)));
    assert!(config::check_scenario_on_site(path, &weekly, &site).is_ok());
    let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    let said = |container: &Value| -> Vec<String> {
        let command = container["command"].as_array().unwrap();
        command.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    parses(&said(&pod["containers"][0]));
    let [_, _, script] = said(&pod["initContainers"][0]).try_into().unwrap();
    parses(&words(&script));
}

#[test]
fn promtool_takes_the_rules_and_they_fire_as_they_should() {
    passes(
        Command::new("promtool")
            .args(["check", "rules"])
            .arg(example("prometheus/alerts.yaml")),
    );
    passes(
        Command::new("promtool")
            .args(["test", "rules"])
            .arg(example("prometheus/alerts_test.yaml")),
    );
}

/// The names that the metrics of a run have.
fn exported() -> BTreeSet<String> {
    let mut judged = read_json(include_bytes!("report/judged.json")).unwrap();
    judged.blind.insert("somewhere".to_owned(), "no".to_owned());
    let text = metrics(&judged);
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    names.map(str::to_owned).collect()
}

#[test]
fn rules_and_dashboard_name_only_metrics_that_there_are() {
    let exported = exported();
    for path in ["prometheus/alerts.yaml", "prometheus/alerts_test.yaml", "grafana/mailflow.json"] {
        let text = text(path);
        let mut named = BTreeSet::new();
        for (at, _) in text.match_indices("mailflow_") {
            let end = text[at..].find(|character: char| character != '_' && !character.is_ascii_lowercase());
            named.insert(text[at..][..end.unwrap_or_default()].to_owned());
        }
        assert!(named.len() > 5, "{path}");
        let unknown: Vec<&String> = named.difference(&exported).collect();
        assert!(unknown.is_empty(), "{path}: {unknown:?}");
    }
}

#[test]
fn every_query_of_the_dashboard_is_one() {
    let dashboard: Value = serde_json::from_str(&text("grafana/mailflow.json")).unwrap();
    let mut rules = "groups:\n- name: dashboard\n  rules:\n".to_owned();
    let mut queries = 0;
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()) && !panel["title"].as_str().unwrap().is_empty());
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"]
                .as_str()
                .unwrap()
                .replace("$scenario", "weekly")
                .replace("$route", "internet");
            assert!(!query.contains('$'), "{query}");
            // JSON is YAML: quoted so, nothing in it is markup.
            rules += &format!("  - record: query_{queries}\n    expr: {}\n", Value::from(query));
            queries += 1;
        }
    }
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    fs::write(file.path(), rules).unwrap();
    let said = passes(Command::new("promtool").args(["check", "rules"]).arg(file.path()));
    assert!(said.contains(&format!("{queries} rules found")), "{said}");
}
