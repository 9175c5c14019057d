//! Workers whose clocks are wrong by an hour. All comparisons of time are the database's, so nothing comes of it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::{rounds, scene::Scene, worker::Process};

const HOUR_S: i64 = 3600;

/// The wrong clock as a library, made by the C compiler; none where there is none.
fn wrong_clock(folder: &Path) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("crash/chaos/clock.c");
    let library = folder.join("clock.so");
    let made = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).status().ok()?;
    assert!(made.success(), "the wrong clock does not compile");
    Some(library)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_of_workers_are_wrong_by_an_hour() {
    let folder = TempDir::new().expect("a folder");
    let Some(library) = wrong_clock(folder.path()) else {
        return e2e::leave_out("there is no C compiler (cc) that could make a wrong clock");
    };
    let mut scene = Scene::start("worker clocks an hour off", 20_261_110).await;
    for _ in 0..rounds(1) {
        for wrong_by in [HOUR_S, -HOUR_S] {
            let environment = BTreeMap::from([
                ("LD_PRELOAD", library.display().to_string()),
                ("PALOMA_CHAOS_CLOCK_S", wrong_by.to_string()),
            ]);
            let heir = Process::worker_with(&scene.reach(), &environment);
            scene.workers.push(heir);
            scene.workers.remove(0).kill().await;
            scene.each_worker_gets_on().await;
        }
    }
    let wrong = "select count(distinct sign(s.wall_s - extract(epoch from s.at))) from public.starts s
                  where abs(s.wall_s - extract(epoch from s.at)) between 3500 and 3700";
    assert_eq!(scene.number(wrong).await, Some(2), "jobs ran by clocks that went before and behind");
    scene.concludes().await;
}
