//! The pages for operators keep up with the program: what it tells and what wakes somebody stands in them.

use std::fs;

use crate::sources::root;

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
