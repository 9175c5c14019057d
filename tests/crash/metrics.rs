//! What the processes tell Prometheus, and what it is told to make of that: judged by promtool where there is one (`.ci/run` sees to it).

use std::{
    collections::HashSet,
    path::Path,
    process::{Command, Stdio},
};

use e2e::{World, eventually};
use jobs::metrics::ALL;

use crate::process::{Process, free_address, spawn};

async fn scrape(url: &str) -> Option<String> {
    reqwest::get(url).await.ok()?.error_for_status().ok()?.text().await.ok()
}

/// Runs promtool with that on its standard input; none: it is not installed.
fn promtool(arguments: &[&str], input: &str) -> Option<(bool, String)> {
    let ops = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops/prometheus");
    let mut promtool = Command::new("promtool");
    promtool.args(arguments).current_dir(ops).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut promtool) = promtool.spawn() else {
        e2e::leave_out("promtool is not installed (Debian's package prometheus)");
        return None;
    };
    std::io::Write::write_all(&mut promtool.stdin.take().expect("it is piped"), input.as_bytes()).expect("it reads");
    let output = promtool.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

/// Every sample belongs to a family with help and a type, and promtool has nothing to say.
fn assert_clean(text: &str) {
    let family = |line: &str| line.split(' ').nth(2).unwrap_or_default().to_owned();
    let helped: HashSet<String> = text.lines().filter(|line| line.starts_with("# HELP")).map(family).collect();
    for sample in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let name = sample.split(['{', ' ']).next().unwrap_or_default();
        let stems = ["_bucket", "_sum", "_count"].map(|suffix| name.strip_suffix(suffix).unwrap_or(name));
        assert!(stems.iter().any(|stem| helped.contains(*stem)), "{name} is not described");
        assert!(!sample.contains("quantile="), "{name} has no buckets");
    }
    if let Some((is_clean, said)) = promtool(&["check", "metrics"], text) {
        assert!(is_clean && said.trim().is_empty(), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_process_tells_its_metrics_and_promtool_finds_no_fault() {
    let world = World::without_workers().await;
    let (at_worker, at_scheduler) = (free_address(), free_address());
    let worker = Process::start_with(&world, &[("PALOMA_METRICS_LISTEN", &at_worker)]).await;
    let _scheduler = spawn(&world, "paloma-scheduler", &[("PALOMA_METRICS_LISTEN", &at_scheduler)]);
    world.tenant("acme").await.contacts(3).await;
    world.drain().await;

    let urls = [world.base(), &format!("http://{at_worker}"), &format!("http://{at_scheduler}")]
        .map(|base| format!("{base}/metrics"));
    eventually("the worker has told of the import and of the fleet's reading", || async {
        let text = scrape(&urls[1]).await.unwrap_or_default();
        text.contains("paloma_jobs_settled_total{kind=\"contacts.run_import\",queue=\"import\",outcome=\"completed\"}")
            && text.contains("paloma_queue_due_jobs{queue=\"import\"}")
    })
    .await;
    eventually("the scheduler answers", || async { scrape(&urls[2]).await.is_some() }).await;
    for url in &urls {
        assert_clean(&scrape(url).await.expect("it answers"));
    }
    let told = scrape(&urls[1]).await.expect("the worker answers");
    for metric in ALL
        .iter()
        .filter(|metric| !matches!(metric.name, "paloma_schedule_fires_total" | "paloma_schedule_lag_seconds"))
    {
        assert!(told.contains(&format!("# HELP {} ", metric.name)), "the worker does not tell {}", metric.name);
    }
    worker.kill().await;
    world.finish().await;
}

#[test]
fn the_rules_of_prometheus_are_sound_and_do_what_they_say() {
    for arguments in
        [["check", "config", "prometheus.yml"], ["check", "rules", "rules.yml"], ["test", "rules", "rules.test.yml"]]
    {
        if let Some((is_sound, said)) = promtool(&arguments, "") {
            assert!(is_sound, "{said}");
        }
    }
}
