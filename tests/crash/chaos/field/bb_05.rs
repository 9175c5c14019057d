//! BB-05: the gateway answers 500 after its longest wait, though the message was delivered.

use std::collections::BTreeSet;

use e2e::eventually_some;
use sim::bluebubbles::Behaviour;

use super::{
    fault::Fault,
    fleet::{Fleet, Plan},
};
use crate::chaos::rounds;

/// Stands for the two minutes of a real one: longer than a lease, and well below what a send may take.
const STALL_MS: u64 = 5_000;
/// One in so many is answered so, and the others take a while: five failures in a row would open the line's breaker.
const EVERY: usize = 8;
const ORDINARY_MS: u64 = 300;
const CONTACTS: usize = 240;

fn address(n: usize) -> String {
    format!("+1305556{n:04}")
}

/// A worker that waits for the 500 of a message that is out, and whose it is.
async fn waiting(fleet: &Fleet, slow: &BTreeSet<String>) -> (i32, String) {
    let slow: Vec<&String> = slow.iter().collect();
    eventually_some("somebody waits for a 500", || async {
        let left: Vec<String> = fleet.scene.world.sim.sent().iter().map(|sent| sent.address.to_string()).collect();
        sqlx::query_as(
            "select p.pid, r.address from crm.recipients r
               join jobs.running j on j.lease_fence = r.sending_fence and j.payload ->> 'recipient_id' = r.id::text
               join jobs.processes p on p.id = j.leased_by
              where r.state = 'sending' and r.address = any($1) and r.address = any($2) order by r.sending_at desc limit 1",
        )
        .bind(&slow)
        .bind(&left)
        .fetch_optional(&mut fleet.superuser().await)
        .await
        .expect("recipients can be read")
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bb_05_a_500_for_a_delivered_message_ends_as_sent_with_one_bubble_whatever_befalls_who_waits_for_it() {
    let rounds = rounds(1);
    let contacts = CONTACTS * rounds;
    let mut fleet = Fleet::start("BB-05", 20_261_125, Plan { slots: 8, ..Plan::to(contacts) }).await;
    let slow: BTreeSet<String> = (0..contacts).filter(|n| n % EVERY == 0).map(address).collect();
    for address in &slow {
        fleet.scene.world.sim.rule_behaviour(address, Behaviour::WaiterTimeout);
    }
    fleet.scene.world.sim.configure(|config| {
        (config.row_delay_ms, config.stall_ms) = (ORDINARY_MS, STALL_MS);
        (config.webhook_drop_pct, config.webhook_duplicate_pct, config.webhook_shuffle_pct) = (20.0, 20.0, 20.0);
    });
    fleet.launches().await;
    let mut struck = Vec::new();
    for _ in 0..rounds {
        for fault in [Fault::KillWorker, Fault::EndBackends, Fault::RestartServer] {
            fleet.gets_on(20).await;
            let (pid, address) = waiting(&fleet, &slow).await;
            match fault {
                Fault::KillWorker => {
                    let victim = fleet.workers.iter().position(|worker| worker.pid == pid).expect("it lives");
                    fleet.kill(victim).await;
                }
                other => other.strikes(&mut fleet).await,
            }
            struck.push(address);
        }
    }
    fleet.settles().await;
    // beside what holds of every campaign: none of these is left in doubt, since each is out
    let left: BTreeSet<String> = fleet.scene.world.sim.sent().iter().map(|sent| sent.address.to_string()).collect();
    let answered: Vec<&String> = slow.intersection(&left).chain(&struck).collect();
    let in_doubt: Vec<(String, String)> = sqlx::query_as(
        "select address, status from crm.messages where address = any($1) and status not in ('sent', 'delivered')",
    )
    .bind(&answered)
    .fetch_all(&mut fleet.superuser().await)
    .await
    .expect("messages can be read");
    assert!(in_doubt.is_empty(), "{in_doubt:?}");
    fleet.ends().await;
}
