//! An import while its workers die.

use e2e::{Tenant, World, eventually, eventually_some};

use crate::{process::Process, scene::PAST_EVERYTHING};

const ROWS: u64 = 20_000;
/// Rows taken at the kills: in the first transaction, again and again, then in later ones. Five deaths in all, as many as would end a job that
/// gets nowhere.
const LEVELS: [u64; 5] = [0, 0, 0, 5_000, 10_000];

/// Waits until so many rows are taken. Answers how many were.
async fn until_taken(acme: &Tenant, import: &str, level: u64) -> u64 {
    eventually_some(&format!("{level} rows are taken"), || async {
        let taken = acme.get(&format!("/imports/{import}")).await.expect(200)["row_count"].as_u64().expect("a count");
        (taken >= level).then_some(taken)
    })
    .await
}

/// Waits until the worker holds the import, so that its end is the end of a worker over this job.
async fn until_leased(world: &World, worker: &Process) {
    eventually("the import is leased", || async {
        sqlx::query_scalar(
            "select exists (select from jobs.running j join jobs.kinds k on k.id = j.kind join jobs.processes p on p.id = j.leased_by
                             where k.name = 'contacts.run_import' and p.pid = $1)",
        )
        .bind(worker.pid)
        .fetch_one(&mut world.database.superuser().await)
        .await
        .expect("jobs can be read")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn csv_17_an_import_whose_workers_are_killed_takes_every_row_once() {
    let world = World::without_workers().await;
    let mut worker = Process::start(&world).await;
    let acme = world.tenant("acme").await;
    let rows: String = (0..ROWS).map(|n| format!("Name {n},+1{}\n", 3_055_560_000 + n)).collect();
    let made = acme.upload("/imports?file_name=contacts.csv", format!("first_name,phone\n{rows}")).await;
    assert!(made.status.is_success(), "{}", made.text);
    let import = made.body["id"].as_str().expect("an id").to_owned();
    let mut before = 0;
    for level in LEVELS {
        until_leased(&world, &worker).await;
        let taken = until_taken(&acme, &import, level).await;
        worker.kill().await;
        assert!(taken >= before, "progress went back from {before} to {taken}");
        before = until_taken(&acme, &import, taken).await;
        assert!(before < ROWS, "the import was over before the kill");
        world.advance(PAST_EVERYTHING).await;
        worker = Process::start(&world).await;
    }
    let ended = eventually_some("the import ends", || async {
        let import = acme.get(&format!("/imports/{import}")).await.expect(200);
        matches!(import["state"].as_str(), Some("completed" | "failed")).then_some(import)
    })
    .await;
    assert_eq!(
        (&ended["state"], &ended["created_count"], &ended["row_count"]),
        (&"completed".into(), &ROWS.into(), &ROWS.into()),
        "{ended}"
    );
    let contacts: i64 = sqlx::query_scalar("select count(*) from crm.contacts")
        .fetch_one(&mut world.database.superuser().await)
        .await
        .expect("contacts can be counted");
    assert_eq!(contacts.unsigned_abs(), ROWS);
    worker.kill().await;
    world.finish().await;
}
