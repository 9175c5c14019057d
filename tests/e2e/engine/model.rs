//! Claim and settle against a model: whatever a few processes, operators and deaths do, in any order, the queue does what a page of code says.
//! One thing at a time, so that each answer is known; what happens when two do it at once is for `races`. A sequence that fails is made
//! shorter and kept in `model/proptest-regressions.txt`; `PROPTEST_CASES` makes it run longer.

mod op;
mod play;
mod reference;
mod steps;

use proptest::{
    collection::vec,
    prelude::{ProptestConfig, TestCaseError, proptest},
    test_runner::FileFailurePersistence,
};

use super::world::EngineWorld;
use op::{Op, op};

const CASES: u32 = 16;
const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/engine/model/proptest-regressions.txt");

fn config() -> ProptestConfig {
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    // so that the answer comes before the test is given up
    let config = ProptestConfig {
        max_shrink_time: 100_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..ProptestConfig::default()
    };
    if asked { config } else { ProptestConfig { cases: CASES, ..config } }
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn whatever_happens_in_any_order_the_queue_does_what_the_model_says(ops in vec(op(), 1..90)) {
        tokio::runtime::Runtime::new().unwrap().block_on(run(&ops)).map_err(|wrong| TestCaseError::fail(format!("{wrong:#}")))?;
    }
}

async fn run(ops: &[Op]) -> anyhow::Result<()> {
    let world = EngineWorld::new().await;
    let result = play::all(&world, ops).await;
    match result {
        Ok(()) => world.finish().await,
        Err(_) => world.abandon().await,
    }
    result
}
