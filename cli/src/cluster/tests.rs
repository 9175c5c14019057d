//! Tests that start real servers, from whatever PostgreSQL this machine has.

use super::*;
use crate::spawn::Identity;
use crate::stack::{Output, Restart, Stack};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

async fn connect(cluster: &Cluster) -> PgConnection {
    PgConnection::connect(&cluster.url(SUPERUSER, DATABASE)).await.unwrap()
}

fn place() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let place = tempfile::tempdir().unwrap();
    // as root the server runs as another user, who has to get in
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    place
}

async fn count(connection: &mut PgConnection) -> i64 {
    sqlx::query_scalar("select count(*) from kept").fetch_one(connection).await.unwrap()
}

#[tokio::test]
async fn what_was_committed_survives_a_killed_server_and_a_restart() {
    let place = place();
    let options = Options::kept(place.path()).set("fsync", "off");
    let mut cluster = Cluster::start(options.clone()).await.unwrap();
    let mut connection = connect(&cluster).await;
    sqlx::query("create table kept (n int)").execute(&mut connection).await.unwrap();
    sqlx::query("insert into kept values (1)").execute(&mut connection).await.unwrap();
    let first = cluster.pid();

    cluster.kill9().unwrap();
    assert!(cluster.ended().is_some());
    cluster.restart().await.unwrap();
    assert_ne!(cluster.pid(), first);
    assert!(cluster.ended().is_none());
    assert_eq!(count(&mut connect(&cluster).await).await, 1);

    cluster.stop().await.unwrap();
    assert_eq!(running_in(place.path(), SUPERUSER, DATABASE), None);
    let cluster = Cluster::start(options).await.unwrap();
    assert_eq!(count(&mut connect(&cluster).await).await, 1);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_launcher_is_refused_and_told_who_holds_the_folder() {
    let place = place();
    let cluster = Cluster::start(Options::kept(place.path()).durable(false)).await.unwrap();
    let refused = Cluster::start(Options::kept(place.path())).await.unwrap_err().to_string();
    assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
    assert!(refused.contains("PALOMA_DATA_DIR"), "{refused}");
    let found = running_in(place.path(), SUPERUSER, DATABASE).unwrap();
    assert_eq!(found, cluster.url(SUPERUSER, DATABASE));
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_temporary_cluster_leaves_nothing_behind_and_runs_as_nobody_special() {
    let cluster = Cluster::start(Options::temporary()).await.unwrap();
    let server = cluster.server.as_ref().unwrap();
    let folder = server.folder().to_owned();
    let identity = server.identity();
    let owner = std::fs::metadata(format!("/proc/{}", cluster.pid().unwrap())).unwrap().uid();
    if nix::unistd::geteuid().is_root() {
        assert!(matches!(identity, Identity::User { uid, .. } if uid.as_raw() == owner && owner != 0), "{identity:?}");
    } else {
        assert_eq!(identity, Identity::Same);
    }
    let mut connection = connect(&cluster).await;
    let listen: String = sqlx::query_scalar("show listen_addresses").fetch_one(&mut connection).await.unwrap();
    assert_eq!(listen, "");
    drop(cluster);
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_folder_with_a_long_path_gets_a_socket_elsewhere() {
    let place = place();
    let folder = place.path().join("long".repeat(30));
    let cluster = Cluster::start(Options::kept(folder).durable(false)).await.unwrap();
    connect(&cluster).await.close().await.unwrap();
    let socket = cluster.socket.clone();
    assert!(!socket.starts_with(place.path()));
    cluster.stop().await.unwrap();
    assert!(!socket.exists());
}

#[tokio::test]
async fn data_of_an_unknown_major_version_are_left_alone() {
    let place = place();
    let data = place.path().join("postgres-11");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("PG_VERSION"), "11\n").unwrap();
    let options = Options::kept(place.path()).source(Source::System);
    let refused = Cluster::start(options).await.unwrap_err().to_string();
    assert!(refused.contains("PostgreSQL 11"), "{refused}");
}

#[test]
fn an_address_escapes_the_path_of_the_socket() {
    let address = address(Path::new("/var/lib/a b/run"), "paloma", "paloma");
    assert_eq!(address, "postgres://paloma@localhost/paloma?host=%2Fvar%2Flib%2Fa%20b%2Frun");
}

/// Not a test: the launcher that the next test kills. Starts a cluster and a process, says so, and waits for its end.
#[tokio::test]
#[ignore = "is started by another test"]
async fn a_launcher_to_be_killed() {
    let Some(folder) = std::env::var_os("PALOMA_TEST_FOLDER").map(PathBuf::from) else { return };
    let cluster = Cluster::start(Options::kept(&folder).set("fsync", "off")).await.unwrap();
    let mut connection = connect(&cluster).await;
    sqlx::query("create table kept as select 1").execute(&mut connection).await.unwrap();
    let mut stack = Stack::new(Output::Files(folder), Restart::Never);
    let mut sleeper = std::process::Command::new("sleep");
    sleeper.arg("60");
    let child = stack.spawn_command("sleeper", sleeper).unwrap();
    println!("\n{}", serde_json::json!({"server": cluster.pid(), "child": child.pid()}));
    std::future::pending::<()>().await;
}

fn lives(pid: &serde_json::Value) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // the state follows the name in brackets; a zombie waits only for somebody to count it
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with('Z'))
}

#[tokio::test]
async fn a_killed_launcher_leaves_no_orphan_and_the_next_one_recovers() {
    let place = place();
    let mut launchers = Stack::new(Output::Files(place.path().join("logs")), Restart::Never);
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "cluster::tests::a_launcher_to_be_killed", "--ignored", "--nocapture"]);
    command.env("PALOMA_TEST_FOLDER", place.path());
    let launcher = launchers.spawn_command("launcher", command).unwrap();
    let started = launcher.announcement(Duration::from_secs(60)).await.unwrap();
    assert!(lives(&started["server"]) && lives(&started["child"]), "{started}");

    launcher.kill9().await.unwrap();
    let cluster = Cluster::start(Options::kept(place.path()).set("fsync", "off")).await.unwrap();
    assert_eq!(count(&mut connect(&cluster).await).await, 1);
    assert!(!lives(&started["server"]) && !lives(&started["child"]), "{started}");
    cluster.stop().await.unwrap();
}
