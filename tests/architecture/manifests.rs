//! The manifests: which crate may depend on which, one version of what must be one, licences that fit ours.

use std::{collections::BTreeMap, fs, process::Command};

use serde_json::Value;

use crate::sources::{CRATES, root};

/// What a crate may not depend on (architecture.md section 2); `ours` is every crate of the workspace.
const FORBIDDEN: [(&str, &[&str]); 8] = [
    ("db", &["ours", "axum", "reqwest"]),
    ("jobs", &["crm", "clients", "api", "cli", "sim", "axum", "reqwest"]),
    ("clients", &["ours", "sqlx", "axum"]),
    ("crm", &["api", "cli", "sim", "axum", "reqwest"]),
    ("api", &["sqlx", "clients", "cli", "sim", "reqwest"]),
    ("worker", &["sqlx", "axum", "api", "cli", "clients", "sim"]),
    ("scheduler", &["sqlx", "axum", "api", "cli", "clients", "sim"]),
    ("sim", &["ours", "sqlx"]),
];
const ONE_VERSION: [&str; 6] = ["sqlx", "reqwest", "rustls", "hyper", "tokio", "axum"];
const NOT_BUILT: [&str; 4] = ["aws-lc-rs", "aws-lc-sys", "native-tls", "openssl-sys"];
const LICENCES: [&str; 16] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unlicense",
    "Unicode-3.0",
    "0BSD",
    "CC0-1.0",
    "BSL-1.0",
    "MPL-2.0",
    "CDLA-Permissive-2.0",
    "MIT-0",
    "AGPL-3.0-or-later",
];

fn dependencies(name: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            inside = line == "[dependencies]";
        } else if inside && !line.trim_start().starts_with('#') {
            found.extend(line.split(['.', '=', ' ']).next().filter(|name| !name.is_empty()).map(str::to_owned));
        }
    }
    found
}

fn locked() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let value = |block: &str, key: &str| {
        block.lines().find_map(|line| Some(line.strip_prefix(key)?.trim_matches(['"', ' ', '=']).to_owned()))
    };
    text.split("[[package]]").filter_map(|block| Some((value(block, "name")?, value(block, "version")?))).collect()
}

#[test]
fn dependencies_point_one_way() {
    for (name, forbidden) in FORBIDDEN {
        for used in dependencies(name) {
            let ours = forbidden.contains(&"ours") && CRATES.contains(&used.as_str());
            assert!(!ours && !forbidden.contains(&used.as_str()), "{name} may not depend on {used}");
        }
    }
}

#[test]
fn there_is_one_version_of_what_must_be_one_and_one_tls_stack() {
    let locked = locked();
    assert!(locked.len() > 100);
    for name in ONE_VERSION {
        let versions: Vec<&str> =
            locked.iter().filter(|(found, _)| found == name).map(|(_, version)| &version[..]).collect();
        assert_eq!(versions.len(), 1, "{name}: {versions:?}");
    }
    for name in NOT_BUILT {
        assert!(
            locked.iter().all(|(found, _)| found != name),
            "{name} is in Cargo.lock: the TLS stack is rustls with ring"
        );
    }
}

/// The system that this is, as rustc names it.
fn host() -> String {
    let version = Command::new("rustc").arg("-vV").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    version.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host").to_owned()
}

#[test]
fn every_dependency_has_a_licence_that_fits_ours() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["metadata", "--offline", "--locked", "--format-version", "1"]);
    // a fresh machine has fetched what it builds, not what other systems would
    cargo.args(["--filter-platform", &host()]);
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut odd = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let licence = package["license"].as_str().unwrap_or("none");
        // one alternative of each needed part must be on the list
        let fits = licence
            .replace('/', " OR ")
            .split(" AND ")
            .all(|part| part.split(" OR ").any(|one| LICENCES.contains(&one.trim_matches(['(', ')', ' ']))));
        if !fits {
            odd.insert(package["name"].to_string(), licence.to_owned());
        }
    }
    assert!(odd.is_empty(), "{odd:#?}");
}
