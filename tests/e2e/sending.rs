//! What becomes of a send whose answer is lost, late, wrong or never comes; and of one whose worker dies. Nothing leaves twice.

use std::time::Duration;

use e2e::{Tenant, World, early_in_the_minute, eventually};
use serde_json::{Value, json};
use sim::bluebubbles::{Behaviour, Rule};

const ANA: &str = "+13055560000";
/// Past the wait after which an unknown outcome is looked up.
const LOOKED_UP: Duration = Duration::from_secs(61);

struct Case {
    world: World,
    acme: Tenant,
    campaign: String,
}

/// A launched campaign to `count` people from a line whose sends may take a second.
async fn launched(count: usize, more: Value, prepare: impl FnOnce(&World)) -> Case {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({ "send_timeout_s": 1 })).await;
    let import = acme.contacts(count).await;
    let campaign = acme.draft(&line, &import, more).await;
    prepare(&world);
    acme.launch(&campaign).await;
    Case { world, acme, campaign }
}

impl Case {
    /// The state and reason of the first recipient.
    async fn ana(&self) -> (String, Value) {
        let all = self.acme.items(&format!("/campaigns/{}/recipients", self.campaign)).await;
        let Some(ana) = all.iter().find(|recipient| recipient["address"] == ANA) else {
            return (String::new(), Value::Null);
        };
        (ana["state"].as_str().expect("a state").to_owned(), ana["reason"].clone())
    }
    async fn until(&self, state: &str) {
        eventually(&format!("Ana is {state}"), || async { self.ana().await.0 == state }).await;
    }
    async fn until_out(&self) {
        eventually("Ana's message is out", || async {
            matches!(self.ana().await.0.as_str(), "sent" | "delivered" | "read")
        })
        .await;
        self.acme.until(&self.campaign, "completed").await;
    }
    fn assert_left(&self, count: u64) {
        let sent = self.world.sim.summary();
        assert_eq!((sent.total, sent.duplicates), (count, 0));
    }
    async fn finish(self) {
        self.world.settle().await;
        self.world.finish().await;
    }
}

#[tokio::test]
async fn a_lost_answer_is_made_good_by_the_webhook() {
    let case = launched(1, json!({}), |world| world.sim.fail_next(1, Behaviour::DropAfter)).await;
    case.until("delivered").await;
    case.acme.until(&case.campaign, "completed").await;
    case.assert_left(1);
    case.finish().await;
}

/// BB-05.
#[tokio::test]
async fn an_error_answer_for_a_delivered_message_ends_as_delivered_with_one_send() {
    let mut case = launched(1, json!({}), |world| {
        world.sim.configure(|sim| sim.stall_ms = 300);
        world.sim.fail_next(1, Behaviour::WaiterTimeout);
    })
    .await;
    case.until("unknown").await;
    case.world.later(LOOKED_UP).await;
    case.until_out().await;
    case.until("delivered").await;
    case.assert_left(1);
    assert_eq!(case.acme.messages(ANA).await.len(), 1);
    case.finish().await;
}

#[tokio::test]
async fn a_lost_answer_and_lost_webhooks_are_made_good_by_reading_back() {
    for behaviour in [Behaviour::DropAfter, Behaviour::HangAfter, Behaviour::GatewayTimeout, Behaviour::Proxy524] {
        let mut case = launched(1, json!({}), |world| {
            world.sim.configure(|sim| sim.webhook_drop_pct = 100.0);
            world.sim.fail_next(1, behaviour);
        })
        .await;
        case.until("unknown").await;
        case.world.later(LOOKED_UP).await;
        case.until_out().await;
        case.assert_left(1);
        assert_eq!(case.world.sends().len(), 1, "{behaviour:?}");
        assert_eq!(case.acme.messages(ANA).await.len(), 1);
        case.finish().await;
    }
}

#[tokio::test]
async fn what_never_left_and_cannot_be_known_is_held_for_a_person() {
    for behaviour in [Behaviour::HangBefore, Behaviour::DropBefore, Behaviour::WaiterTimeoutUnsent] {
        let mut case = launched(2, json!({}), |world| world.sim.rule_behaviour(ANA, behaviour)).await;
        case.until("unknown").await;
        let progress = case.acme.progress(&case.campaign).await;
        assert_eq!(progress["state"], "active", "nothing is completed while an outcome is unknown");
        case.world.later(LOOKED_UP).await;
        let progress = case.acme.until(&case.campaign, "completed").await;
        assert_eq!(case.ana().await, ("held".to_owned(), json!("not_confirmed")));
        assert_eq!(progress["causes"], json!([{ "state": "held", "reason": "not_confirmed", "count": 1 }]));
        case.assert_left(1);
        assert_eq!(case.world.sends().len(), 2, "{behaviour:?}");
        case.finish().await;
    }
}

#[tokio::test]
async fn resend_once_sends_once_more_and_no_more_than_that() {
    let again = json!({ "on_unknown": "resend_once" });
    let mut case = launched(1, again.clone(), |world| world.sim.fail_next(1, Behaviour::DropBefore)).await;
    case.until("unknown").await;
    case.world.later(LOOKED_UP).await;
    case.until_out().await;
    case.assert_left(1);
    assert_eq!(case.world.sends().len(), 2);
    case.finish().await;

    let mut case = launched(1, again, |world| world.sim.rule_behaviour(ANA, Behaviour::DropBefore)).await;
    case.until("unknown").await;
    case.world.later(LOOKED_UP).await;
    eventually("it is sent again", || async { case.world.sends().len() == 2 }).await;
    case.until("unknown").await;
    case.world.later(LOOKED_UP).await;
    case.acme.until(&case.campaign, "completed").await;
    assert_eq!(case.ana().await, ("held".to_owned(), json!("not_confirmed")));
    assert_eq!(case.world.sends().len(), 2);
    case.finish().await;
}

#[tokio::test]
async fn resend_once_does_not_repeat_what_did_leave() {
    let mut case = launched(1, json!({ "on_unknown": "resend_once" }), |world| {
        world.sim.configure(|sim| sim.webhook_drop_pct = 100.0);
        world.sim.fail_next(1, Behaviour::DropAfter);
    })
    .await;
    case.until("unknown").await;
    case.world.later(LOOKED_UP).await;
    case.until_out().await;
    case.assert_left(1);
    assert_eq!(case.world.sends().len(), 1);
    case.finish().await;
}

#[tokio::test]
async fn an_error_that_comes_after_the_answer_is_found_by_the_sweep() {
    // the minute's sweep finds it, and is to come when the time is moved
    early_in_the_minute().await;
    let mut case = launched(2, json!({}), |world| world.sim.rule_behaviour(ANA, Behaviour::AsyncError)).await;
    case.acme.until(&case.campaign, "completed").await;
    assert_eq!(case.ana().await.0, "sent");
    case.world.later(LOOKED_UP).await;
    case.until("failed").await;
    assert_eq!(case.ana().await.1, "gateway_error_22");
    assert_eq!(case.acme.messages(ANA).await[0]["status"], "failed");
    case.assert_left(1);
    case.finish().await;
}

#[tokio::test]
async fn a_row_in_error_fails_the_message() {
    let case = launched(2, json!({}), |world| world.sim.rule_behaviour(ANA, Behaviour::ErrorRowRejected)).await;
    case.until("failed").await;
    assert_eq!(case.ana().await.1, "gateway_error_22");
    case.acme.until(&case.campaign, "completed").await;
    case.assert_left(1);
    case.finish().await;

    let mut case = launched(2, json!({}), |world| world.sim.rule_behaviour(ANA, Behaviour::ErrorRow)).await;
    case.until("unknown").await;
    case.world.later(LOOKED_UP).await;
    case.until("failed").await;
    case.assert_left(1);
    assert_eq!(case.world.sends().len(), 2);
    case.finish().await;
}

/// CAM-16: nothing was written to the wire, so each is tried again, and the others are sent once.
#[tokio::test]
async fn refused_connections_are_tried_again_and_nothing_is_sent_twice() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let import = acme.contacts(3).await;
    let campaign = acme.draft(&line, &import, json!({})).await;
    world.sim.refuse_connections(Duration::from_millis(800));
    acme.launch(&campaign).await;
    acme.until(&campaign, "completed").await;
    let sent = world.sim.summary();
    assert_eq!((sent.total, sent.duplicates, world.sends().len()), (3, 0, 3));
    world.settle().await;
    world.finish().await;
}

/// CAM-16: one dropped connection, the others once.
#[tokio::test]
async fn one_dropped_call_repeats_none_of_the_others() {
    let mut case = launched(30, json!({}), |world| {
        let behaviour = Some(Behaviour::DropBefore);
        world.sim.rule(Rule { address: ANA.into(), behaviour, times: Some(1), ..Rule::default() });
    })
    .await;
    case.until("unknown").await;
    case.world.later(LOOKED_UP).await;
    let progress = case.acme.until(&case.campaign, "completed").await;
    assert_eq!(progress["counts"]["held"], 1, "{progress}");
    case.assert_left(29);
    assert_eq!(case.world.sends().len(), 30);
    case.finish().await;
}

/// CAM-13: the calls of a dead worker went out; the next one finds that out and sends only what was not begun.
#[tokio::test]
async fn the_jobs_of_a_dead_worker_are_taken_over_and_nothing_is_sent_twice() {
    let mut world = World::new().await;
    let acme = world.tenant("acme").await;
    // longer than the gateway takes here, so that none is given up meanwhile
    let line = acme.line(&world, json!({ "send_timeout_s": 20 })).await;
    let import = acme.contacts(40).await;
    let campaign = acme.draft(&line, &import, json!({})).await;
    world.stop_workers().await;
    world.sim.configure(|sim| sim.row_delay_ms = 5_000);
    let doomed = world.worker().await;
    acme.launch(&campaign).await;
    // in every slot: a mark whose call has not begun would rightly be held
    eventually("every marked call is open", || async {
        let open = world.sim.summary().in_flight;
        open >= 16 && acme.progress(&campaign).await["counts"]["sending"].as_u64() == Some(open)
    })
    .await;
    doomed.abort();
    world.sim.configure(|sim| sim.row_delay_ms = 0);
    eventually("what was begun is out", || async { world.sim.summary().in_flight == 0 }).await;
    world.advance(Duration::from_secs(40)).await;
    world.start_worker().await;
    eventually("nothing is left that was not begun", || async {
        acme.progress(&campaign).await["counts"]["pending"].is_null()
    })
    .await;
    world.later(LOOKED_UP).await;
    let progress = acme.until(&campaign, "completed").await;
    let sent = world.sim.summary();
    assert_eq!((sent.total, sent.duplicates), (40, 0), "{progress}");
    assert!(progress["counts"]["held"].is_null() && progress["counts"]["failed"].is_null(), "{progress}");
    world.settle().await;
    world.finish().await;
}

/// CAM-13: the calls of a dead worker never went out, and nobody can know: they are held, the rest is sent.
#[tokio::test]
async fn a_worker_that_dies_after_the_mark_leaves_a_doubt_that_is_looked_up() {
    let mut world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let import = acme.contacts(20).await;
    let campaign = acme.draft(&line, &import, json!({})).await;
    world.stop_workers().await;
    world.sim.configure(|sim| sim.mode = Behaviour::HangBefore);
    let doomed = world.worker().await;
    acme.launch(&campaign).await;
    eventually("calls hang", || async { world.sends().len() >= 16 }).await;
    doomed.abort();
    let begun = world.sends().len() as u64;
    world.sim.configure(|sim| sim.mode = Behaviour::Normal);
    world.advance(Duration::from_secs(40)).await;
    world.start_worker().await;
    acme.until_count(&campaign, "unknown", begun).await;
    let causes = acme.progress(&campaign).await["causes"].clone();
    assert_eq!(causes, json!([{ "state": "unknown", "reason": "worker_died", "count": begun }]));
    world.later(LOOKED_UP).await;
    let progress = acme.until(&campaign, "completed").await;
    assert_eq!(progress["counts"]["held"], begun, "{progress}");
    assert_eq!((world.sim.summary().total, world.sends().len()), (20 - begun, 20));
    world.settle().await;
    world.finish().await;
}

/// A gateway that is away opens the line's breaker; when it is back one probe goes first, then the rest, each once.
#[tokio::test]
async fn a_campaign_waits_for_its_line_and_goes_on_when_it_is_back() {
    let mut world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let import = acme.contacts(30).await;
    let campaign = acme.draft(&line, &import, json!({})).await;
    world.sim.refuse_connections(Duration::from_secs(300));
    acme.launch(&campaign).await;
    eventually("it waits for its line", || async { acme.progress(&campaign).await["waits_for_line"] == true }).await;
    assert_eq!(acme.get(&format!("/lines/{line}")).await.expect(200)["breaker"], "open");
    assert_eq!(acme.progress(&campaign).await["state"], "active");
    world.sim.configure(|sim| sim.row_delay_ms = 300);
    world.sim.refuse_connections(Duration::ZERO);
    world.later(Duration::from_secs(20)).await;
    eventually("the probe is under way", || async { !world.sends().is_empty() }).await;
    assert_eq!(world.sends().len(), 1, "one probe goes first");
    let progress = acme.until(&campaign, "completed").await;
    assert_eq!(progress["waits_for_line"], false);
    let sent = world.sim.summary();
    assert_eq!((sent.total, sent.duplicates, world.sends().len()), (30, 0, 30));
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn a_gateway_that_asks_to_be_left_alone_is_and_nobody_is_given_up_for_it() {
    let mut case = launched(20, json!({}), |world| world.sim.fail_next(u32::MAX, Behaviour::Proxy429)).await;
    let resting = "select count(*) from jobs.gates where rests_until > app.clock() + interval '5s'";
    eventually("the line rests", || async {
        let rests: i64 =
            sqlx::query_scalar(resting).fetch_one(&mut case.world.database.superuser().await).await.unwrap();
        rests == 1
    })
    .await;
    // however often it says so, no attempt is burnt
    for _ in 0..12 {
        case.world.later(Duration::from_secs(26)).await;
    }
    case.world.sim.clear_rules();
    case.world.later(Duration::from_secs(60)).await;
    case.acme.until(&case.campaign, "completed").await;
    let progress = case.acme.progress(&case.campaign).await;
    assert_eq!(progress["counts"]["failed"], Value::Null, "{progress}");
    case.assert_left(20);
    case.finish().await;
}
