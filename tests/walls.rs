//! The walls of the house: who may know whom. Reads the `crate::` paths of every source file and fails when a floor names what it may not.
//! A floor's own tests (`tests.rs`, and what stands below `#[cfg(test)] mod tests`) may ask whom they like: they are not in the product.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

use std::{collections::BTreeMap, fs, path::Path};

const GROUND: &[&str] = &["model"];
const PURE: &[&str] = &["model"];
const MIDDLE: &[&str] = &[
    "model", "clock", "tls", "scrub", "plan", "schedule", "compose", "evidence", "judge", "explain",
];
/// As [`MIDDLE`], and who signs in: the client for Microsoft 365 too.
const SERVICES: &[&str] = &[
    "model",
    "clock",
    "tls",
    "dns",
    "scrub",
    "credentials",
    "plan",
    "compose",
    "evidence",
    "judge",
    "explain",
    "microsoft",
];
const LOOP: &[&str] = &[
    "model", "clock", "tls", "scrub", "plan", "compose", "evidence", "judge", "explain", "send", "watch", "journal",
];
const EVERYBODY: &[&str] = &[
    "model",
    "clock",
    "tls",
    "dns",
    "scrub",
    "credentials",
    "plan",
    "compose",
    "evidence",
    "judge",
    "explain",
    "compare",
    "history",
    "microsoft",
    "schedule",
    "alert",
    "web",
    "send",
    "watch",
    "journal",
    "report",
    "config",
    "run",
    "posture",
    "postoffice",
    "cli",
];

/// Each module of the crate, and the modules that it may name. A new module must be given its floor here.
fn may_know() -> BTreeMap<&'static str, &'static [&'static str]> {
    BTreeMap::from([
        ("model", [].as_slice()),
        ("clock", GROUND),
        ("tls", GROUND),
        ("dns", &["tls"]),
        ("scrub", [].as_slice()),
        ("credentials", &["scrub"]),
        ("plan", PURE),
        ("compose", PURE),
        ("evidence", &["model", "scrub"]),
        ("schedule", GROUND),
        ("judge", PURE),
        ("explain", PURE),
        ("compare", PURE),
        ("history", PURE),
        ("microsoft", &["model", "clock", "tls", "scrub", "credentials"]),
        ("alert", SERVICES),
        ("web", [].as_slice()),
        ("send", SERVICES),
        ("watch", SERVICES),
        ("journal", MIDDLE),
        ("report", MIDDLE),
        ("config", MIDDLE),
        ("run", LOOP),
        ("posture", &["model", "clock", "tls", "dns", "credentials"]),
        ("postoffice", [].as_slice()),
        ("cli", GROUND),
        ("app", EVERYBODY),
    ])
}

#[test]
fn no_floor_names_one_above_it_or_beside_it() {
    let may_know = may_know();
    let mut seen = Vec::new();
    let mut broken = Vec::new();
    visit(Path::new("src"), &mut |path, text| {
        let module = path
            .strip_prefix("src")
            .unwrap()
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap()
            .trim_end_matches(".rs")
            .to_owned();
        if module == "lib" || module == "main" {
            return;
        }
        let allowed = may_know.get(module.as_str()).unwrap_or_else(|| {
            panic!(
                "{}: the module {module} has no floor yet: give it one in tests/walls.rs",
                path.display()
            )
        });
        if path.file_name().is_some_and(|name| name == "tests.rs") {
            return;
        }
        for name in named(&code_of(text)) {
            if name != module && may_know.contains_key(name.as_str()) && !allowed.contains(&name.as_str()) {
                broken.push(format!("{}: {module} names {name}", path.display()));
            }
        }
        seen.push(module);
    });
    for module in may_know.keys() {
        assert!(
            seen.iter().any(|seen| seen == module),
            "the floor plan has a module {module} that is not in src"
        );
    }
    assert!(broken.is_empty(), "the walls are broken:\n{}", broken.join("\n"));
}

/// The first segments after `crate::`, those of grouped imports included.
fn named(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (position, _) in code.match_indices("crate::") {
        let rest = &code[position + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut start = true;
            let mut name = String::new();
            for character in group.chars() {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => start = true,
                    character if depth == 0 && start && (character.is_alphanumeric() || character == '_') => name.push(character),
                    character if depth == 0 && start && !name.is_empty() && !character.is_whitespace() => start = false,
                    _ => {}
                }
                if !start || (character == ',' && depth == 0) {
                    names.extend((!name.is_empty()).then(|| std::mem::take(&mut name)));
                }
            }
            names.extend((!name.is_empty()).then_some(name));
        } else {
            names.push(
                rest.chars()
                    .take_while(|character| character.is_alphanumeric() || *character == '_')
                    .collect(),
            );
        }
    }
    names
}

/// Without comments, for documentation may speak of anybody, and without the module of tests at the end.
fn code_of(text: &str) -> String {
    text.split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default()
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

fn visit(folder: &Path, each: &mut impl FnMut(&Path, &str)) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            visit(&path, each);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            each(&path, &fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn the_reader_of_imports_reads_them() {
    assert_eq!(
        named("use crate::model::Time; use crate::{clock::Clock, send::{Answer, Sender}, watch};"),
        ["model", "clock", "send", "watch"]
    );
    assert_eq!(code_of("use crate::a; // crate::b"), "use crate::a; ");
    assert_eq!(
        code_of("use crate::a;\n#[cfg(test)]\nmod tests {\n use crate::b;\n}\n"),
        "use crate::a;"
    );
}
