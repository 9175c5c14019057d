//! The source files: where they are, how long they may be, what they may be called, and which feature may know which.

use std::{
    fs,
    path::{Path, PathBuf},
};

pub const CRATES: [&str; 10] = ["db", "jobs", "clients", "crm", "api", "worker", "scheduler", "cli", "sim", "tests"];
const BANNED: [&str; 5] = ["util", "common", "helpers", "types", "misc"];
/// Imports go one way: a feature may know those before it.
const ORDER: [&str; 6] = ["tenancy", "access", "contacts", "messaging", "inbox", "campaigns"];

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is inside the workspace").to_owned()
}

/// One source file: its path from the root of the workspace, and its text.
pub struct Source {
    pub path: String,
    pub text: String,
}

/// Every Rust file of a crate.
pub fn of(name: &str) -> Vec<Source> {
    let (root, mut found) = (root(), Vec::new());
    let mut folders = vec![root.join(name)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push(Source { path: path.strip_prefix(&root).unwrap().display().to_string(), text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn all() -> Vec<Source> {
    CRATES.into_iter().flat_map(of).collect()
}

#[test]
fn files_stay_small() {
    let mut lengths: Vec<(usize, String)> =
        all().into_iter().map(|source| (source.text.lines().count(), source.path)).collect();
    lengths.sort();
    let (longest, name) = lengths.last().unwrap();
    assert!(*longest <= 600, "{name} has {longest} lines");
    let at = |share: f64| lengths[(lengths.len() as f64 * share) as usize].0;
    assert!(at(0.5) <= 150, "the median file has {} lines", at(0.5));
    assert!(at(0.95) <= 450, "the 95th of a hundred files has {} lines", at(0.95));
}

#[test]
fn no_file_has_a_name_that_says_nothing() {
    for source in all() {
        let path = Path::new(&source.path);
        for part in path.iter().map(|part| part.to_string_lossy().replace(".rs", "")) {
            assert!(!BANNED.contains(&part.as_str()), "{}: {part} names nothing", source.path);
        }
    }
}

#[test]
fn each_module_says_what_it_is_for() {
    let silent: Vec<String> = all()
        .into_iter()
        // the unit tests of a module belong to its own first line
        .filter(|source| !source.path.ends_with("/tests.rs") && !source.text.trim_start().starts_with("//!"))
        .map(|source| source.path)
        .collect();
    assert!(silent.is_empty(), "without a first line in words: {silent:#?}");
}

#[test]
fn features_know_only_those_before_them() {
    let mut backwards = Vec::new();
    for (rank, feature) in ORDER.iter().enumerate() {
        for source in of("crm").iter().filter(|source| source.path.starts_with(&format!("crm/src/{feature}/"))) {
            let code = source.text.split("#[cfg(test)]").next().unwrap_or_default();
            for later in &ORDER[rank + 1..] {
                for (number, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
                {
                    if line.contains(&format!("crate::{later}")) {
                        backwards.push(format!("{}:{}: {feature} knows {later}", source.path, number + 1));
                    }
                }
            }
        }
    }
    assert!(backwards.is_empty(), "{backwards:#?}");
}

#[test]
fn lints_are_expected_with_a_reason_and_never_allowed() {
    let needle = ["#[", "allow("].concat();
    for source in all() {
        assert!(!source.text.contains(&needle), "{}: use expect with a reason", source.path);
    }
}
