//! The disk of the history is full: nothing can end any more, nothing is lost, and all goes on once there is room again.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use sqlx::{Executor, PgConnection};
use tempfile::TempDir;

use super::{rounds, scene::Scene};

/// Room for some thousands of rows.
const SIZE: &str = "size=4m";
/// So long without an end is taken for none.
const STILL_FOR: Duration = Duration::from_secs(1);

/// Where the history goes.
enum Disk {
    /// A small file system of our own with a tablespace on it.
    Small { folder: TempDir },
    /// Where nothing may be mounted: the server's error, by a trigger.
    Told,
}

impl Disk {
    /// Moves the history there.
    async fn under(scene: &Scene) -> Self {
        let mut superuser = scene.superuser().await;
        let Some(disk) = mount(scene.ground.socket()) else {
            sqlx::raw_sql(
                "create table public.full_disks ();
                 create function public.write() returns trigger language plpgsql security definer as $$
                 begin
                   if exists (select from public.full_disks) then
                     raise exception 'could not extend file: No space left on device' using errcode = '53100';
                   end if;
                   return new;
                 end $$;
                 create trigger write before insert on jobs.history for each row execute function public.write()",
            )
            .execute(&mut superuser)
            .await
            .expect("the trigger");
            println!("nothing may be mounted here: the server's error is injected");
            return Self::Told;
        };
        let Self::Small { folder } = &disk else { return disk };
        make_tablespace(&mut superuser, folder.path()).await;
        superuser
            .execute(
                "do $$
                 declare day regclass;
                 begin
                   for day in select inhrelid from pg_inherits where inhparent = 'jobs.history'::regclass loop
                     execute format('alter table %s set tablespace small', day);
                   end loop;
                 end $$",
            )
            .await
            .expect("the days of the history move");
        disk
    }

    /// Leaves no room.
    async fn fill(&self, superuser: &mut PgConnection) {
        match self {
            Self::Told => {
                superuser.execute("insert into public.full_disks default values").await.expect("it is full");
            }
            Self::Small { .. } => {
                superuser
                    .execute("create table public.filling (x text) tablespace small; alter table public.filling alter x set storage plain")
                    .await
                    .expect("a table to fill it with");
                // a page a row, until there is none
                for rows in [64, 1] {
                    while sqlx::query("insert into public.filling select repeat('x', 7000) from generate_series(1, $1)")
                        .bind(rows)
                        .execute(&mut *superuser)
                        .await
                        .is_ok()
                    {}
                }
            }
        }
    }

    /// Makes room.
    async fn free(&self, superuser: &mut PgConnection) {
        let room = match self {
            Self::Told => "delete from public.full_disks",
            Self::Small { .. } => "drop table public.filling",
        };
        superuser.execute(room).await.expect("there is room again");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Self::Small { folder } = self {
            // the server may still have it open
            let _ = Command::new("umount").arg("--lazy").arg(folder.path()).status();
        }
    }
}

/// The place of a tablespace can't be a parameter.
async fn make_tablespace(superuser: &mut PgConnection, place: &Path) {
    let sql = format!("create tablespace small location '{}'", place.display());
    superuser.execute(sqlx::AssertSqlSafe(sql)).await.expect("a tablespace");
}

/// A small file system that belongs to the server's user; none where this process may not mount.
fn mount(socket: PathBuf) -> Option<Disk> {
    let folder = TempDir::new().expect("a folder");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("it is ours");
    let server = fs::metadata(socket).expect("the server's folder");
    let options = format!("{SIZE},mode=0700,uid={},gid={}", server.uid(), server.gid());
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", &options, "paloma-chaos"]).arg(folder.path()).output();
    mounted.is_ok_and(|output| output.status.success()).then_some(Disk::Small { folder })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_of_the_history_is_full() {
    let scene = Scene::start("disk full for the history", 20_261_112).await;
    let disk = Disk::under(&scene).await;
    for _ in 0..rounds(1) {
        scene.gets_on(40).await;
        let mut superuser = scene.superuser().await;
        disk.fill(&mut superuser).await;
        // what is left of the last pages is used up first
        scene.stands_still_for(STILL_FOR).await;
        disk.free(&mut superuser).await;
        scene.gets_on(40).await;
    }
    scene.concludes().await;
}
