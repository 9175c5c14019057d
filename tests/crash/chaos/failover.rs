//! The server is lost and its standby takes over. Under synchronous replication nothing that was confirmed is lost with it.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    process::Command,
};

use cli::cluster::{Cluster, DATA_PREFIX, DATABASE, SUPERUSER};
use e2e::eventually;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use super::{ground, rounds, scene::Scene};

/// A standby that has caught up and confirms each commit; none where there is no `pg_basebackup`.
async fn standby_of(scene: &Scene, folder: &TempDir) -> Option<Cluster> {
    let binaries = scene.ground.cluster.binaries()?;
    // a folder of PATH may hold links to some of the programs only
    let server = binaries.folder.join("postgres").canonicalize().expect("it runs");
    let copy = server.with_file_name("pg_basebackup");
    if !copy.is_file() {
        return None;
    }
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("it is ours");
    let data = folder.path().join(format!("{DATA_PREFIX}{}", binaries.major));
    let mut command = Command::new(copy);
    command.args(["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync"]);
    command.args(["--username", SUPERUSER, "--host"]).arg(scene.ground.socket()).arg("--pgdata").arg(data);
    let copied = tokio::task::spawn_blocking(move || command.output()).await.expect("copying does not panic");
    let copied = copied.expect("pg_basebackup runs");
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    let standby = Cluster::start(ground::options_of(cli::cluster::Options::kept(folder.path()).durable(false)))
        .await
        .expect("the standby starts");
    let mut superuser = scene.superuser().await;
    sqlx::query("alter system set synchronous_standby_names = '*'").execute(&mut superuser).await.expect("a setting");
    sqlx::query("select pg_reload_conf()").execute(&mut superuser).await.expect("it is read");
    eventually("the standby confirms commits", || async {
        let mut superuser = scene.superuser().await;
        sqlx::query_scalar("select exists (select from pg_stat_replication where sync_state = 'sync')")
            .fetch_one(&mut superuser)
            .await
            .expect("replication can be seen")
    })
    .await;
    Some(standby)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_standby_takes_over() {
    let mut scene = Scene::start("failover to a synchronous standby", 20_261_113).await;
    // the folders go after the clusters in them
    let folders: Vec<TempDir> = (0..rounds(1)).map(|_| TempDir::new().expect("a folder")).collect();
    for folder in &folders {
        scene.gets_on(50).await;
        let Some(standby) = standby_of(&scene, folder).await else {
            return e2e::leave_out("this PostgreSQL comes without pg_basebackup");
        };
        scene.gets_on(50).await;
        scene.ground.cluster.kill9().expect("it runs");
        let mut heir = PgConnection::connect(&standby.url(SUPERUSER, DATABASE)).await.expect("the standby answers");
        let promoted: bool =
            sqlx::query_scalar("select pg_promote()").fetch_one(&mut heir).await.expect("it can be promoted");
        assert!(promoted);
        scene.way.lead_to(standby.socket().to_owned());
        scene.home.lead_to(standby.socket().to_owned());
        scene.ground.cluster = standby;
        scene.each_worker_gets_on().await;
    }
    scene.concludes().await;
}
