//! Traces: from the request over the job that it enqueued to the call that the job made, seen where they are collected.

use e2e::{Tenant, World, eventually_some};
use serde_json::json;

use crate::{
    collector::{Collector, attribute},
    process::{Process, free_address, spawn},
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_s_span_links_to_the_request_and_its_call_carries_it_to_the_gateway() {
    let world = World::without_workers().await;
    world.tenant("acme").await;
    let collector = Collector::start().await;
    let address = free_address();
    let traced = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url[..]),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ("PALOMA_LISTEN", &address),
    ];
    let _api = spawn(&world, "paloma-api", &traced);
    let worker = Process::start_with(&world, &traced).await;
    let base = format!("http://{address}");
    eventually_some("the api is ready", || async {
        reqwest::get(format!("{base}/readyz")).await.ok()?.error_for_status().ok()
    })
    .await;
    let acme = Tenant::log_in(&base, "owner@acme.example", "a long enough password").await;
    let line = json!({
        "name": "line", "address": "+15550000001", "base_url": world.gateway_url(),
        "password": e2e::world::GATEWAY_PASSWORD, "method": "private_api", "unlimited": true,
    });
    acme.post("/lines", &line).await.expect(201);
    world.drain().await;

    let is_post =
        |span: &_| attribute(span, "route") == Some("/api/v1/lines") && attribute(span, "method") == Some("POST");
    let request =
        eventually_some("the request", || async { collector.find("paloma-api", "http.request", is_post) }).await;
    let job = eventually_some("the job", || async {
        collector
            .find("paloma-worker", "job.run", |span| attribute(span, "job.kind") == Some("messaging.register_hook"))
    })
    .await;
    assert!(job.parent_span_id.is_empty(), "a trace of its own");
    assert_ne!(job.trace_id, request.trace_id);
    let links: Vec<_> = job.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect();
    assert_eq!(links, [(hex(&request.trace_id), hex(&request.span_id))]);
    let call = eventually_some("the call", || async {
        collector.find("paloma-worker", "client.call", |span| span.parent_span_id == job.span_id)
    })
    .await;
    assert_eq!(call.trace_id, job.trace_id);
    let heard: Vec<String> = world
        .sim
        .calls_page(0, usize::MAX, None)
        .entries
        .iter()
        .filter_map(|call| Some(call.traceparent.as_ref()?.to_string()))
        .collect();
    assert!(heard.contains(&format!("00-{}-{}-01", hex(&call.trace_id), hex(&call.span_id))), "{heard:?}");
    worker.kill().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_collector_a_payload_and_a_call_say_nothing_of_traces() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    world.drain().await;
    assert!(world.sim.calls_page(0, usize::MAX, None).entries.iter().all(|call| call.traceparent.is_none()));
    world.finish().await;
}
