//! Contracts kept as text: a change of one is a diff that someone reads. `UPDATE_SNAPSHOTS=1` writes them anew.

use std::fs;

use crate::sources::{of, root};

/// Places that may see every tenant. A new one takes another's scope instead, or replaces one.
const MOST_PLATFORM_USES: usize = 30;

fn check(name: &str, mut lines: Vec<String>) {
    lines.sort();
    let (path, text) = (root().join("tests/snapshots").join(name), format!("{}\n", lines.join("\n")));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(path, text).unwrap();
        return;
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let gone: Vec<&str> = kept.lines().filter(|line| !text.lines().any(|other| other == *line)).collect();
    let new: Vec<&str> = text.lines().filter(|line| !kept.lines().any(|other| other == *line)).collect();
    assert!(
        kept == text,
        "tests/snapshots/{name} is out of date; if this change is meant, run with UPDATE_SNAPSHOTS=1\ngone: {gone:#?}\nnew: {new:#?}"
    );
}

#[test]
fn the_kinds_of_jobs() {
    check("jobs.txt", crm::registry().lines());
}

#[test]
fn the_schedules() {
    check("schedules.txt", crm::schedules().iter().map(jobs::schedule::Schedule::line).collect());
}

#[test]
fn the_routes_and_their_permissions() {
    check("routes.txt", api::route_list());
}

#[test]
fn the_events() {
    check("events.txt", crm::events::Event::KINDS.map(str::to_owned).to_vec());
}

#[test]
fn the_uses_of_the_platform_s_scope() {
    let mut lines = Vec::new();
    for name in ["jobs", "crm", "api", "worker", "scheduler", "cli"] {
        for source in of(name).iter().filter(|source| !source.path.contains("/tests")) {
            for used in source.text.split("Why::").skip(1) {
                let why: String = used.chars().take_while(|c| c.is_alphanumeric()).collect();
                lines.push(format!("{}: Why::{why}", source.path));
            }
        }
    }
    assert!(lines.len() <= MOST_PLATFORM_USES, "{} places see every tenant: {lines:#?}", lines.len());
    check("platform_uses.txt", lines);
}
