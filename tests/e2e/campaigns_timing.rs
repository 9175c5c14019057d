//! When a campaign begins, in which hours it sends, and when nothing of it goes out any more.

use std::time::Duration;

use chrono::{DateTime, FixedOffset, TimeDelta, Timelike, Utc};
use e2e::{Tenant, World, before_the_hour_s_last_minute, eventually};
use serde_json::{Value, json};
use sim::bluebubbles::Behaviour;

const HOUR: Duration = Duration::from_secs(3600);

/// So many minutes from the machine's now, as somebody five hours behind UTC writes it.
fn at(minutes: i64) -> String {
    let at = DateTime::from_timestamp_millis(World::machine_ms()).unwrap() + TimeDelta::minutes(minutes);
    at.with_timezone(&FixedOffset::west_opt(5 * 3600).unwrap()).to_rfc3339()
}

/// A zone in which it is now that hour of the day, and still will be in a minute, when the worker looks.
pub(crate) async fn zone_at(hour: i64) -> String {
    before_the_hour_s_last_minute().await;
    let now: DateTime<Utc> = DateTime::from_timestamp_millis(World::machine_ms()).unwrap();
    let east = (hour - i64::from(now.hour()) + 11).rem_euclid(24) - 11;
    match east {
        0 => "Etc/GMT".to_owned(),
        // the names of these zones count to the west
        east if east > 0 => format!("Etc/GMT-{east}"),
        west => format!("Etc/GMT+{}", -west),
    }
}

async fn contact(tenant: &Tenant, phone: &str, zone: &str) {
    tenant.post("/contacts", &json!({ "first_name": "Ana", "phone": phone, "time_zone": zone })).await.expect(201);
}

async fn ready(world: &World) -> (Tenant, String) {
    let acme = world.tenant("acme").await;
    let line = acme.line(world, json!({})).await;
    (acme, line)
}

async fn state(tenant: &Tenant, campaign: &str) -> Value {
    tenant.get(&format!("/campaigns/{campaign}")).await.expect(200)["state"].clone()
}

/// CAM-05
#[tokio::test]
async fn a_scheduled_campaign_sends_nothing_before_its_time_and_a_time_without_an_offset_is_refused() {
    let mut world = World::new().await;
    let (acme, line) = ready(&world).await;
    let import = acme.contacts(3).await;
    let campaign = acme.draft(&line, &import, json!({})).await;
    let path = format!("/campaigns/{campaign}/schedule");
    for (time, code) in [
        ("2026-01-05T10:00:00", "offset_missing"),
        ("2026-01-05 10:00", "offset_missing"),
        ("soon", "time_invalid"),
        ("2020-01-05T10:00:00Z", "starts_at_passed"),
    ] {
        let refused = acme.post(&path, &json!({ "starts_at": time })).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, code), "{}", refused.text);
    }
    // given one time and then another: the first has no effect any more
    acme.post(&path, &json!({ "starts_at": at(30) })).await.expect(200);
    let scheduled = acme.post(&path, &json!({ "starts_at": at(60) })).await.expect(200);
    assert_eq!(scheduled["state"], "scheduled");
    // changed meanwhile
    acme.patch(&format!("/campaigns/{campaign}"), &json!({ "body": "Buenas" })).await.expect(200);
    world.later(Duration::from_secs(45 * 60)).await;
    world.drain().await;
    assert_eq!(state(&acme, &campaign).await, "scheduled");
    assert_eq!(world.sim.summary().total, 0);
    world.later(Duration::from_secs(16 * 60)).await;
    acme.until(&campaign, "completed").await;
    assert_eq!((world.sim.summary().total, world.sim.summary().duplicates), (3, 0));
    assert!(world.sim.sent().iter().all(|sent| &*sent.text == "Buenas"));
    world.finish().await;
}

#[tokio::test]
async fn a_launch_at_a_time_is_made_late_rather_than_never_and_not_at_all_where_it_was_called_off() {
    let mut world = World::new().await;
    let (acme, line) = ready(&world).await;
    let import = acme.contacts(2).await;
    let mut campaigns = Vec::new();
    for _ in 0..4 {
        let campaign = acme.draft(&line, &import, json!({})).await;
        let body = json!({ "starts_at": at(60) });
        acme.post(&format!("/campaigns/{campaign}/schedule"), &body).await.expect(200);
        campaigns.push(campaign);
    }
    let [late, back, gone, early] = &campaigns[..] else { unreachable!("four were made") };
    let draft = acme.act(&format!("/campaigns/{back}/unschedule")).await.expect(200);
    assert_eq!((&draft["state"], &draft["starts_at"]), (&json!("draft"), &Value::Null));
    assert_eq!(acme.act(&format!("/campaigns/{back}/unschedule")).await.code(), "campaign_state");
    acme.act(&format!("/campaigns/{gone}/cancel")).await.expect(200);
    // launched by hand before its time: once
    acme.launch(early).await;
    acme.until(early, "completed").await;
    // nobody works for a day
    world.later(24 * HOUR).await;
    acme.until(late, "completed").await;
    world.drain().await;
    assert_eq!([state(&acme, back).await, state(&acme, gone).await], ["draft", "cancelled"]);
    assert_eq!(world.sim.summary().total, 4);
    world.finish().await;
}

#[tokio::test]
async fn a_scheduled_campaign_that_can_not_be_launched_is_a_draft_again_and_says_why() {
    let mut world = World::new().await;
    let (acme, line) = ready(&world).await;
    let import = acme.contacts(1).await;
    let campaign = acme.draft(&line, &import, json!({})).await;
    let path = format!("/campaigns/{campaign}");
    acme.post(&format!("{path}/schedule"), &json!({ "starts_at": at(60) })).await.expect(200);
    acme.post("/suppressions", &json!({ "address": "+13055560000", "reason": "blacklisted" })).await.expect(201);
    world.later(Duration::from_secs(61 * 60)).await;
    eventually("it is a draft again", || async { state(&acme, &campaign).await == "draft" }).await;
    assert_eq!(acme.get(&path).await.expect(200)["launch_problem"], "audience_empty");
    acme.delete("/suppressions/+13055560000").await.expect(204);
    acme.launch(&campaign).await;
    assert_eq!(acme.get(&path).await.expect(200)["launch_problem"], Value::Null);
    acme.until(&campaign, "completed").await;
    assert_eq!(world.sim.summary().total, 1);
    world.finish().await;
}

/// D9
#[tokio::test]
async fn whoever_sleeps_is_written_to_in_the_morning_and_the_campaign_says_so() {
    let mut world = World::new().await;
    let (acme, line) = ready(&world).await;
    contact(&acme, "+13055560001", &zone_at(12).await).await;
    contact(&acme, "+13055560002", &zone_at(23).await).await;
    contact(&acme, "+13055560003", &zone_at(23).await).await;
    let campaign = acme.draft(&line, "", json!({ "import_id": null, "quiet_hours": true })).await;
    acme.launch(&campaign).await;
    eventually("whoever is awake has it", || async { world.sim.summary().total == 1 }).await;
    let progress = acme.progress(&campaign).await;
    let waiting = &progress["waiting"][0];
    assert_eq!((&waiting["reason"], &waiting["count"]), (&json!("quiet_hours"), &json!(2)), "{progress}");
    let next: DateTime<Utc> = waiting["next_at"].as_str().unwrap().parse().unwrap();
    let hours = (next.timestamp_millis() - World::machine_ms()) as f64 / 3_600_000.0;
    assert!((8.0..=9.0).contains(&hours), "{hours} hours until the morning");
    let rows = acme.items(&format!("/campaigns/{campaign}/recipients?state=pending&reason=quiet_hours")).await;
    assert_eq!((rows.len(), rows[0]["waits_until"].as_str()), (2, waiting["next_at"].as_str()));
    world.drain().await;
    assert_eq!(world.sim.summary().total, 1);
    // still dark
    world.later(7 * HOUR).await;
    world.drain().await;
    assert_eq!((world.sim.summary().total, state(&acme, &campaign).await), (1, json!("active")));
    world.later(3 * HOUR).await;
    let progress = acme.until(&campaign, "completed").await;
    assert_eq!((world.sim.summary().total, &progress["waiting"]), (3, &json!([])));
    world.finish().await;
}

/// D9: a pause that ends by night sends by night to nobody.
#[tokio::test]
async fn what_could_be_sent_by_day_waits_for_the_next_one_where_the_evening_came_first() {
    let mut world = World::new().await;
    let (acme, line) = ready(&world).await;
    for n in 0..6 {
        contact(&acme, &format!("+1305556000{n}"), &zone_at(19).await).await;
    }
    let campaign = acme.draft(&line, "", json!({ "import_id": null, "quiet_hours": true, "rate_per_minute": 1 })).await;
    acme.launch(&campaign).await;
    eventually("the first is out", || async { world.sim.summary().total > 0 }).await;
    let path = format!("/campaigns/{campaign}");
    acme.act(&format!("{path}/pause")).await.expect(200);
    assert_eq!(acme.patch(&path, &json!({ "quiet_hours": false })).await.code(), "campaign_frozen");
    acme.patch(&path, &json!({ "rate_per_minute": 6000 })).await.expect(200);
    world.drain_lane(&format!("campaign/{campaign}")).await;
    let out = world.sim.summary().total;
    world.later(3 * HOUR).await;
    acme.act(&format!("{path}/resume")).await.expect(200);
    eventually("all that is left waits", || async {
        acme.progress(&campaign).await["waiting"][0]["count"].as_u64() == Some(6 - out)
    })
    .await;
    assert_eq!(world.sim.summary().total, out);
    world.later(11 * HOUR).await;
    acme.until(&campaign, "completed").await;
    assert_eq!((world.sim.summary().total, world.sim.summary().duplicates), (6, 0));
    world.finish().await;
}

/// D9: an account's own hours are stricter, here or there, and hold from the moment they are set.
#[tokio::test]
async fn stricter_hours_hold_where_they_are_said_and_for_what_is_under_way() {
    let world = World::new().await;
    let (acme, line) = ready(&world).await;
    let every_day = json!([1, 2, 3, 4, 5, 6, 7]);
    let rule = |region: Value, from: &str, until: &str| json!({ "region": region, "days": every_day, "from": from, "until": until });
    for (items, code) in [
        (json!([rule(Value::Null, "07:00", "20:00")]), "quiet_hours_looser"),
        (json!([rule(json!("US"), "09:00", "19:00"), rule(json!("US"), "09:00", "20:00")]), "quiet_hours_twice"),
        (json!([rule(json!("Florida"), "09:00", "19:00")]), "quiet_hours_region"),
    ] {
        assert_eq!(acme.put("/quiet-hours", &json!({ "items": items })).await.code(), code);
    }
    let evening = json!({ "items": [rule(json!("US"), "08:00", "19:00")] });
    acme.put("/quiet-hours", &evening).await.expect(200);
    assert_eq!(acme.get("/quiet-hours").await.expect(200), evening);
    // who has read other rules replaces nothing
    let late = json!({ "items": [], "was": [] });
    assert_eq!(acme.put("/quiet-hours", &late).await.code(), "quiet_hours_changed");
    assert_eq!(acme.get("/quiet-hours").await.expect(200), evening);
    let again = json!({ "items": evening["items"], "was": evening["items"] });
    assert_eq!(acme.put("/quiet-hours", &again).await.expect(200), evening);
    contact(&acme, "+13055560001", &zone_at(19).await).await;
    contact(&acme, "+34612345678", &zone_at(19).await).await;
    let campaign = acme.draft(&line, "", json!({ "import_id": null, "quiet_hours": true })).await;
    acme.launch(&campaign).await;
    eventually("where nothing stricter is said it is out", || async { world.sim.summary().total == 1 }).await;
    let waiting = &acme.progress(&campaign).await["waiting"][0];
    assert_eq!((&waiting["reason"], &waiting["count"]), (&json!("quiet_hours"), &json!(1)));
    world.drain().await;
    assert_eq!(world.sim.summary().total, 1);

    // one that is under way by day, until somebody says that it is evening
    let acme = world.tenant("umbrella").await;
    let line = acme.line(&world, json!({})).await;
    for n in 0..4 {
        contact(&acme, &format!("+1305556010{n}"), &zone_at(12).await).await;
    }
    let campaign = acme.draft(&line, "", json!({ "import_id": null, "quiet_hours": true, "rate_per_minute": 1 })).await;
    acme.launch(&campaign).await;
    eventually("the first is out", || async { world.sim.summary().total > 1 }).await;
    let path = format!("/campaigns/{campaign}");
    acme.act(&format!("{path}/pause")).await.expect(200);
    world.drain_lane(&format!("campaign/{campaign}")).await;
    let out = world.sim.summary().total;
    acme.put("/quiet-hours", &json!({ "items": [rule(Value::Null, "20:00", "21:00")] })).await.expect(200);
    acme.patch(&path, &json!({ "rate_per_minute": 6000 })).await.expect(200);
    acme.act(&format!("{path}/resume")).await.expect(200);
    eventually("all that is left waits", || async {
        acme.progress(&campaign).await["waiting"][0]["count"].as_u64() == Some(5 - out)
    })
    .await;
    assert_eq!(world.sim.summary().total, out);
    world.finish().await;
}

/// The hours were frozen at the launch: a newer rule that leaves nothing of them is no fault of the text.
#[tokio::test]
async fn the_text_of_a_paused_campaign_can_be_mended_whatever_became_of_its_hours() {
    let world = World::new().await;
    let (acme, line) = ready(&world).await;
    contact(&acme, "+13055560001", &zone_at(12).await).await;
    let window = json!({ "days": [1, 2, 3, 4, 5, 6, 7], "from": "01:00", "until": "19:00", "zone": "contact" });
    let campaign = acme.draft(&line, "", json!({ "import_id": null, "quiet_hours": true, "window": window })).await;
    world.sim.fail_next(u32::MAX, Behaviour::Proxy429);
    acme.launch(&campaign).await;
    let path = format!("/campaigns/{campaign}");
    acme.act(&format!("{path}/pause")).await.expect(200);
    let rule = json!({ "region": null, "days": [1, 2, 3, 4, 5, 6, 7], "from": "20:00", "until": "21:00" });
    acme.put("/quiet-hours", &json!({ "items": [rule] })).await.expect(200);
    let changed = acme.patch(&path, &json!({ "body": "Mejor así" })).await.expect(200);
    assert_eq!(changed["body"], "Mejor así");
    world.finish().await;
}

/// D9: between the moment a recipient is read and the one it is marked, somebody may say that it is evening.
#[tokio::test]
async fn hours_that_are_set_while_a_message_is_about_to_go_out_hold_it_back() {
    let mut world = World::new().await;
    let (acme, line) = ready(&world).await;
    for n in 0..2 {
        contact(&acme, &format!("+1305556000{n}"), &zone_at(12).await).await;
    }
    let campaign =
        acme.draft(&line, "", json!({ "import_id": null, "quiet_hours": true, "rate_per_minute": 0.5 })).await;
    acme.launch(&campaign).await;
    eventually("the first is out", || async { world.sim.summary().total == 1 }).await;
    // the mark alone looks there
    let mut held = world.database.superuser().await;
    sqlx::raw_sql("begin; lock table crm.suppressions in access exclusive mode").execute(&mut held).await.unwrap();
    world.later(Duration::from_secs(150)).await;
    let waiting =
        "select exists (select from pg_locks l where not l.granted and l.relation = 'crm.suppressions'::regclass)";
    eventually("the second is about to be marked", || async {
        sqlx::query_scalar(waiting).fetch_one(&mut world.database.superuser().await).await.unwrap()
    })
    .await;
    let rule = json!({ "region": null, "days": [1, 2, 3, 4, 5, 6, 7], "from": "20:00", "until": "21:00" });
    acme.put("/quiet-hours", &json!({ "items": [rule] })).await.expect(200);
    sqlx::raw_sql("rollback").execute(&mut held).await.unwrap();
    eventually("it waits", || async { acme.progress(&campaign).await["waiting"][0]["count"].as_u64() == Some(1) })
        .await;
    assert_eq!(world.sim.summary().total, 1);
    world.finish().await;
}

/// One that the gateway put off is not left as if it were still to be sent.
#[tokio::test]
async fn a_message_that_was_put_off_ends_with_its_campaign() {
    let world = World::new().await;
    let (acme, line) = ready(&world).await;
    contact(&acme, "+13055560001", "America/New_York").await;
    world.sim.fail_next(u32::MAX, Behaviour::Proxy429);
    let campaign = acme.draft(&line, "", json!({ "import_id": null, "quiet_hours": false })).await;
    acme.launch(&campaign).await;
    let is = async |wanted: &str| {
        let query = "select exists (select from crm.messages where source = 'campaign' and status = $1)";
        let mut superuser = world.database.superuser().await;
        sqlx::query_scalar(query).bind(wanted).fetch_one(&mut superuser).await.unwrap()
    };
    eventually("it was put off", || is("queued")).await;
    acme.act(&format!("/campaigns/{campaign}/cancel")).await.expect(200);
    eventually("it is called off", || is("cancelled")).await;
    world.finish().await;
}

#[tokio::test]
async fn a_window_holds_on_its_days_and_hours_and_what_is_no_window_is_refused() {
    let mut world = World::new().await;
    let (acme, line) = ready(&world).await;
    let zone = zone_at(6).await;
    contact(&acme, "+13055560001", &zone).await;
    let draft = |window: Value, quiet: bool| {
        let name = format!("c {}", uuid::Uuid::now_v7());
        json!({ "name": name, "line_id": line, "body": "Hola", "window": window, "quiet_hours": quiet })
    };
    for (window, quiet, code) in [
        (json!({ "days": [], "from": "09:00", "until": "18:00", "zone": "contact" }), false, "window_invalid"),
        (json!({ "days": [8], "from": "09:00", "until": "18:00", "zone": "contact" }), false, "window_invalid"),
        (json!({ "days": [1], "from": "18:00", "until": "09:00", "zone": "tenant" }), false, "window_invalid"),
        (json!({ "days": [1], "from": "9h", "until": "18:00", "zone": "tenant" }), false, "window_invalid"),
        (
            json!({ "days": [1], "from": "22:00", "until": "24:00", "zone": "contact" }),
            true,
            "window_outside_quiet_hours",
        ),
    ] {
        let refused = acme.post("/campaigns", &draft(window.clone(), quiet)).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, code), "{window}");
    }
    let window = json!({ "days": [1, 2, 3, 4, 5, 6, 7], "from": "09:00", "until": "18:00", "zone": "contact" });
    let made = acme.post("/campaigns", &draft(window.clone(), true)).await.expect(201);
    assert_eq!(made["window"], window);
    let campaign = made["id"].as_str().unwrap();
    acme.launch(campaign).await;
    eventually("it waits", || async { acme.progress(campaign).await["waiting"][0]["count"] == 1 }).await;
    // at eight the quiet hours are over, and the window has not begun
    world.later(2 * HOUR).await;
    world.drain().await;
    assert_eq!(world.sim.summary().total, 0);
    world.later(HOUR).await;
    acme.until(campaign, "completed").await;
    assert_eq!(world.sim.summary().total, 1);
    world.finish().await;
}

#[tokio::test]
async fn nothing_goes_out_after_the_deadline_and_the_rest_is_counted_as_skipped() {
    let mut world = World::new().await;
    let (acme, line) = ready(&world).await;
    let import = acme.contacts(5).await;
    let refused = json!({ "name": "x", "line_id": line, "body": "a", "ends_at": "2026-01-05T10:00:00" });
    assert_eq!(acme.post("/campaigns", &refused).await.code(), "offset_missing");
    let refused = json!({ "name": "x", "line_id": line, "body": "a", "ends_at": "2026-01-05T10:00:00Z" });
    assert_eq!(acme.post("/campaigns", &refused).await.code(), "ends_at_passed");
    let slow = json!({ "ends_at": at(30), "rate_per_minute": 0.001 });
    let (running, paused, longer) = (
        acme.draft(&line, &import, slow.clone()).await,
        acme.draft(&line, &import, slow.clone()).await,
        acme.draft(&line, &import, slow).await,
    );
    let late = acme.post(&format!("/campaigns/{running}/schedule"), &json!({ "starts_at": at(31) })).await;
    assert_eq!((late.status.as_u16(), late.code()), (422, "starts_after_deadline"));
    for (nth, campaign) in [&running, &paused, &longer].into_iter().enumerate() {
        acme.launch(campaign).await;
        eventually("its first is out", || async { world.sim.summary().total == nth as u64 + 1 }).await;
    }
    for campaign in [&paused, &longer] {
        acme.act(&format!("/campaigns/{campaign}/pause")).await.expect(200);
    }
    let path = format!("/campaigns/{longer}");
    acme.patch(&path, &json!({ "ends_at": at(90), "rate_per_minute": 60_000 })).await.expect(200);
    world.later(Duration::from_secs(31 * 60)).await;
    for campaign in [&running, &paused] {
        let progress = acme.until(campaign, "completed").await;
        assert_eq!(progress["skipped"], json!({ "deadline_passed": 4 }), "{progress}");
        assert_eq!((&progress["selected"], &progress["eligible"]), (&json!(5), &json!(1)));
    }
    acme.act(&format!("{path}/resume")).await.expect(200);
    acme.until(&longer, "completed").await;
    world.settle().await;
    assert_eq!(world.sim.summary().total, 7);
    world.later(2 * HOUR).await;
    world.drain().await;
    assert_eq!(state(&acme, &longer).await, "completed");
    world.finish().await;
}
