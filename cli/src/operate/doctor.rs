//! `paloma doctor`: whether an installation keeps its promises right now. Only looks; says of each thing that it is well, or what
//! to do about it.

use super::{Operator, queues::about};
use crate::cluster;
use crate::print;
use anyhow::{Context, Result, bail};
use clap::Args;
use crm::messaging::media::store::BucketConfig;
use crm::secrets::{self, Keys, Standing};
use db::{Db, PageOf, PlatformTx, Scope, Why};
use jobs::admin::{self, SEEN_WITHIN_S, WorkerRow};
use serde::Serialize;
use std::collections::HashSet;
use std::time::{Duration, SystemTime};

/// Sessions and tokens live by the hour; more than this makes logs of two machines hard to read together.
const WORST_SKEW_S: f64 = 5.0;
/// Open work is claimed within a second unless all slots are busy.
const DUE_WITHIN_S: f64 = 60.0;

/// Settings of `paloma doctor`.
#[derive(Debug, Args)]
pub struct DoctorArguments {
    #[command(flatten)]
    operator: Operator,
    #[command(flatten)]
    bucket: BucketConfig,
    /// Secrets that were in the place of PALOMA_SECRET before, parted by commas.
    #[arg(long, env = "PALOMA_PREVIOUS_SECRETS", value_delimiter = ',', hide_env_values = true)]
    previous_secrets: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    is_ok: bool,
    detail: String,
}

impl Finding {
    fn line(&self) -> String {
        format!("{:<5} {:<12} {}\n", if self.is_ok { "ok" } else { "FAULT" }, self.check, self.detail)
    }
}

/// What was found so far.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn note(&mut self, check: &'static str, is_ok: bool, detail: impl Into<String>) {
        self.0.push(Finding { check, is_ok, detail: detail.into() });
    }
}

/// Looks at everything and prints a line of each; an error where something is at fault.
pub async fn doctor(arguments: &DoctorArguments) -> Result<()> {
    let operator = &arguments.operator;
    let mut findings = Findings::default();
    let keys = secret(&arguments.previous_secrets, &mut findings);
    if arguments.bucket.bucket.is_some() {
        files(&arguments.bucket, &mut findings).await;
    }
    match reach(operator, &mut findings).await {
        Ok(db) => {
            if let Err(error) = examine(&db, keys.as_ref(), &mut findings).await {
                findings.note("engine", false, told(&error));
            }
        }
        Err(error) => findings.note("reachability", false, told(&error)),
    }
    let faults = findings.0.iter().filter(|finding| !finding.is_ok).count();
    let told = if operator.json {
        print::json(&serde_json::json!({ "is_ok": faults == 0, "checks": findings.0 }))
    } else {
        print::text(findings.0.iter().map(Finding::line).collect::<String>())
    };
    // a reader that has gone does not make it well
    if faults > 0 { bail!("{faults} at fault") } else { told }
}

/// The keys of the secret of the environment, else of the one that `paloma run` keeps.
fn secret(previous: &[String], findings: &mut Findings) -> Option<Keys> {
    let set = std::env::var("PALOMA_SECRET").ok().filter(|secret| !secret.is_empty());
    let (secret, place) = match set {
        Some(secret) => (Some(secret), "PALOMA_SECRET".to_owned()),
        None => {
            let kept = cluster::data_folder().map(|folder| folder.join("secret"));
            let text = kept.as_ref().ok().and_then(|path| std::fs::read_to_string(path).ok());
            (text, kept.map_or_else(|error| error.to_string(), |path| path.display().to_string()))
        }
    };
    let Some(secret) = secret else {
        findings.note("secret", false, format!("neither PALOMA_SECRET is set nor is there {place}"));
        return None;
    };
    let previous: Vec<_> = previous.iter().map(|secret| secret.as_str().into()).collect();
    match Keys::parse(&secret.into()).and_then(|keys| keys.with_previous(&previous)) {
        Ok(keys) => {
            findings.note("secret", true, format!("from {place}, {} before it", previous.len()));
            Some(keys)
        }
        Err(error) => {
            findings.note("secret", false, format!("{place}: {error}"));
            None
        }
    }
}

/// Whether every stored secret can be opened, and by which.
async fn sealed(tx: &mut PlatformTx, keys: &Keys, findings: &mut Findings) -> Result<()> {
    let Standing { behind, unreadable } = secrets::standing(tx, keys).await?;
    let detail = match (behind, unreadable) {
        (0, 0) => "all stored secrets are sealed with the current key".to_owned(),
        (_, 0) => format!("{behind} stored secrets wait to be sealed with the current key, within the hour"),
        _ => {
            format!("{unreadable} stored secrets can't be opened: give the secret of before in PALOMA_PREVIOUS_SECRETS")
        }
    };
    findings.note("sealed", unreadable == 0, detail);
    Ok(())
}

/// The bucket of the environment, tried as a process that starts does.
async fn files(bucket: &BucketConfig, findings: &mut Findings) {
    let folder = std::env::temp_dir().join(format!("paloma-doctor-{}", std::process::id()));
    let checked = match bucket.store(&folder) {
        Ok(store) => store.check().await.map_err(anyhow::Error::from),
        Err(error) => Err(error),
    };
    match checked {
        Ok(()) => findings.note("files", true, "the bucket keeps, gives and removes them"),
        Err(error) => findings.note("files", false, told(&error)),
    }
    // there only where it was written to
    let _ = std::fs::remove_dir_all(folder);
}

async fn reach(operator: &Operator, findings: &mut Findings) -> Result<Db> {
    let url = operator.address()?;
    let options = db::Options { url, name: "paloma-doctor", connections: 2, direct_url: None };
    let connecting = tokio::time::timeout(Duration::from_secs(10), Db::connect_unchecked(options));
    let db = connecting.await.context("no answer within 10 s")??;
    let asked = std::time::Instant::now();
    db.ping().await?;
    findings.note("reachability", true, format!("answers in {:.1} ms", asked.elapsed().as_secs_f64() * 1e3));
    Ok(db)
}

async fn examine(db: &Db, keys: Option<&Keys>, findings: &mut Findings) -> Result<()> {
    let faults = db::check_report(db).await.context("the self-check")?;
    if faults.is_empty() {
        findings.note("role", true, "can't pass the wall");
        findings.note("wall", true, "stands around every table");
        findings.note("migrations", true, "the schema serves this version");
    }
    let is_ours = faults.is_empty();
    for fault in faults {
        findings.note("self-check", false, fault);
    }
    if !is_ours {
        // what follows would ask tables that may not be there
        return Ok(());
    }
    let mut tx = clock(db, findings).await?;
    if let Some(keys) = keys {
        sealed(&mut tx, keys, findings).await?;
    }
    engine(&mut tx, findings).await?;
    schedules(&mut tx, findings).await
}

/// The chain of causes, without those that only say the same again.
fn told(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| {
        match (text.is_empty(), text.contains(&cause)) {
            (true, _) => cause,
            (_, true) => text,
            (false, false) => format!("{text}: {cause}"),
        }
    })
}

/// Compares the clocks by the beginning of the transaction in which the rest is looked at.
async fn clock(db: &Db, findings: &mut Findings) -> Result<PlatformTx> {
    let before = SystemTime::now();
    let tx = db.platform(Why::Operator).await?;
    let after = SystemTime::now();
    let theirs: SystemTime = tx.now().into();
    // the database read its clock somewhere between the two
    let skew = match (theirs.duration_since(after), before.duration_since(theirs)) {
        (Ok(ahead), _) => ahead.as_secs_f64(),
        (_, Ok(behind)) => -behind.as_secs_f64(),
        _ => 0.0,
    };
    let detail = format!("the database's clock is {skew:+.3} s from this machine's");
    findings.note("clocks", skew.abs() <= WORST_SKEW_S, detail);
    Ok(tx)
}

async fn engine(tx: &mut PlatformTx, findings: &mut Findings) -> Result<()> {
    let live = live(tx).await?;
    let now = tx.now();
    let names: Vec<String> = live
        .iter()
        .map(|p| format!("{}@{}:{} {:.0} s ago", p.name, p.host, p.pid, (now - p.seen_at).as_seconds_f64().max(0.0)))
        .collect();
    match names.is_empty() {
        true => {
            findings.note("processes", false, format!("none was heard of within {SEEN_WITHIN_S} s: start a worker"))
        }
        false => findings.note("processes", true, names.join(", ")),
    }
    let served: HashSet<&str> = live.iter().flat_map(|process| process.queues.iter().map(String::as_str)).collect();
    for depth in admin::depths(tx.conn()).await? {
        let idle = depth.due > 0 && !served.contains(depth.queue.as_str());
        let nobody = if idle { "; no process serves it" } else { "" };
        let (queue, running) = (&depth.queue, depth.running);
        let due = about(depth.due, depth.is_due_estimated);
        let later = about(depth.scheduled, depth.is_scheduled_estimated);
        let age = depth.oldest_due_s;
        findings.note(
            "queue",
            !idle,
            format!("{queue}: {due} due (oldest {age:.0} s), {running} running, {later} later{nobody}"),
        );
    }
    let stuck = admin::stuck(tx).await?;
    let open = format!("the oldest due job that nothing holds back has waited {:.0} s", stuck.oldest_open_s);
    findings.note("oldest due", stuck.oldest_open_s <= DUE_WITHIN_S, open);
    findings.note("leases", stuck.expired == 0, format!("{} running jobs past their lease", stuck.expired));
    horizon(tx, findings).await
}

async fn horizon(tx: &mut PlatformTx, findings: &mut Findings) -> Result<()> {
    let horizon = admin::horizon(tx).await?;
    if !horizon.sees_sessions {
        let detail = "sessions of other roles are not seen: a superuser must run ops/bootstrap.sql again";
        findings.note("vacuum", false, detail);
    }
    for holder in horizon.holders.iter().filter(|holder| holder.is_old()) {
        findings.note("vacuum", false, holder.to_string());
    }
    if !horizon.is_old {
        let back = horizon.holders.first().map_or(0, |holder| holder.transactions);
        findings.note("vacuum", true, format!("the horizon is {back} transactions back"));
    }
    Ok(())
}

/// The processes that were heard of within a lease.
async fn live(tx: &mut PlatformTx) -> Result<Vec<WorkerRow>> {
    let mut live = Vec::new();
    let mut page = PageOf { limit: db::page::MAX_LIMIT, after: None };
    loop {
        let found = admin::workers(tx, &page).await?;
        page.after = found.items.last().map(|worker| worker.id);
        live.extend(found.items.into_iter().filter(|worker| worker.is_live));
        if found.next_cursor.is_none() {
            return Ok(live);
        }
    }
}

async fn schedules(tx: &mut PlatformTx, findings: &mut Findings) -> Result<()> {
    let now = tx.now();
    let all = admin::schedules(tx, &PageOf { limit: db::page::MAX_LIMIT, after: None }).await?;
    if all.items.is_empty() {
        findings.note("schedules", false, "none is stored: start a scheduler");
    }
    for schedule in all.items.iter().filter(|schedule| schedule.retired_at.is_none()) {
        let late_s = (now - schedule.next_fire_at).as_seconds_f64();
        let is_ok = schedule.paused_at.is_some() || late_s <= DUE_WITHIN_S;
        let last = print::time(schedule.last_fired_at);
        let late = if is_ok { String::new() } else { format!("; {late_s:.0} s late: does a scheduler run?") };
        findings.note(
            "schedule",
            is_ok,
            format!("{}: fired {last}, next {}{late}", schedule.name, print::time(Some(schedule.next_fire_at))),
        );
    }
    Ok(())
}
