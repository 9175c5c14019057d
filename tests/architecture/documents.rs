//! The pages keep up with the program: what it tells and what wakes somebody stands in them, and what they name is there.

use std::{fs, path::PathBuf};

use crate::sources::{CRATES, root};

/// Every page of the project.
fn pages() -> Vec<(PathBuf, String)> {
    let folders = [root(), root().join("docs"), root().join("docs/adr")];
    let files = folders.into_iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    let pages = files.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn pages_name_files_that_are_there_and_hold_no_marks_of_a_merge() {
    let pages = pages();
    assert!(pages.len() > 10);
    let mut named = 0;
    for (page, text) in &pages {
        let marked = text.lines().any(|line| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> "));
        assert!(!marked, "{} was merged by half", page.display());
        // history may name what is gone, and a recipe what is still to be
        if page.parent().is_some_and(|folder| folder.ends_with("adr")) || page.ends_with("adding.md") {
            continue;
        }
        for path in text.split('`').skip(1).step_by(2) {
            let first = path.split('/').next().unwrap();
            let is_file = path.rsplit('/').next().is_some_and(|name| name.ends_with(".rs") || name.ends_with(".sql"));
            if is_file && (CRATES.contains(&first) || first == "migrations") && !path.contains(['*', '<', '{']) {
                assert!(root().join(path).exists(), "{} names {path}", page.display());
                named += 1;
            }
        }
    }
    assert!(named > 30, "only {named} files are named");
}

fn operating() -> String {
    fs::read_to_string(root().join("docs/operating.md")).unwrap()
}

#[test]
fn each_metric_of_the_engine_has_its_row() {
    let page = operating();
    for metric in jobs::metrics::ALL {
        assert!(page.contains(&format!("\n| `{}` |", metric.name)), "docs/operating.md has no row for {}", metric.name);
    }
}

#[test]
fn each_alert_has_a_heading_that_says_what_to_do_and_a_test() {
    let (page, folder) = (operating(), root().join("ops/prometheus"));
    let rules = fs::read_to_string(folder.join("rules.yml")).unwrap();
    let tests = fs::read_to_string(folder.join("rules.test.yml")).unwrap();
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(!alerts.is_empty());
    for alert in alerts {
        assert!(page.contains(&format!("\n### {alert}\n")), "docs/operating.md has no heading {alert}");
        assert!(tests.contains(&format!("alertname: {alert}\n")), "{alert} is not tested to fire");
    }
}
