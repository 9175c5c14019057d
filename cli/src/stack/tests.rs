//! Tests with small shell programs in place of ours.

use super::*;
use std::os::unix::process::ExitStatusExt;

const GRACE: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(10);

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

fn stack(restart: Restart) -> (Stack, tempfile::TempDir) {
    let logs = tempfile::tempdir().unwrap();
    (Stack::new(Output::Files(logs.path().to_owned()), restart), logs)
}

fn running(state: &State) -> bool {
    matches!(state, State::Running(_))
}

#[tokio::test]
async fn a_killed_process_stays_down_until_asked_for_and_keeps_its_peak_of_memory() {
    let (mut stack, _logs) = stack(Restart::Never);
    let child = stack.spawn_command("worker", shell("echo '{\"up\": true}'; exec sleep 60")).unwrap();
    assert_eq!(child.announcement(PATIENCE).await.unwrap()["up"], true);
    let first = child.pid().unwrap();

    child.kill9().await.unwrap();
    assert!(matches!(child.state(), State::Crashed(status) if status.signal() == Some(9)));
    assert_eq!(child.pid(), None);
    assert!(child.rss_mb() > 0.1);

    child.restart(GRACE).await.unwrap();
    assert_ne!(child.pid().unwrap(), first);
    assert_eq!(child.announcement(PATIENCE).await.unwrap()["up"], true);
    stack.stop(GRACE).await.unwrap();
    assert_eq!(child.state(), State::Stopped);
}

#[tokio::test]
async fn a_crashed_process_comes_back_by_itself() {
    let (mut stack, _logs) = stack(Restart::WithPause);
    let child = stack.spawn_command("api", shell("exec sleep 60")).unwrap();
    let first = child.pid().unwrap();
    child.kill9().await.unwrap();
    child.until(running).await.unwrap();
    assert_ne!(child.pid().unwrap(), first);
    stack.stop(GRACE).await.unwrap();
}

#[tokio::test]
async fn all_are_stopped_last_started_first_and_the_deaf_are_killed() {
    let (mut stack, logs) = stack(Restart::Never);
    let order = logs.path().join("order");
    let polite = |name: &str| {
        let path = order.display();
        shell(&format!("trap 'echo {name} >> {path}; exit 0' TERM; echo '{{}}'; while :; do sleep 0.01; done"))
    };
    let first = stack.spawn_command("sim", polite("sim")).unwrap();
    let second = stack.spawn_command("worker", polite("worker")).unwrap();
    let deaf = stack.spawn_command("deaf", shell("trap '' TERM; echo '{}'; while :; do sleep 0.01; done")).unwrap();
    for child in [&first, &second, &deaf] {
        child.announcement(PATIENCE).await.unwrap();
    }
    stack.stop(Duration::from_secs(3)).await.unwrap();
    assert_eq!(std::fs::read_to_string(order).unwrap(), "worker\nsim\n");
    assert!([first, second, deaf].iter().all(|child| child.state() == State::Stopped));
}

#[tokio::test]
async fn a_process_that_ends_before_it_is_ready_is_quoted() {
    let (mut stack, logs) = stack(Restart::Never);
    let child = stack.spawn_command("api", shell("echo no database >&2; exit 3")).unwrap();
    let error = child.ready_at("http://127.0.0.1:9/readyz", PATIENCE).await.unwrap_err().to_string();
    assert!(error.contains("exit status: 3") && error.contains("no database"), "{error}");
    assert_eq!(std::fs::read_to_string(logs.path().join("api.log")).unwrap(), "no database\n");
}

#[tokio::test]
async fn the_second_of_a_kind_gets_a_number() {
    let (mut stack, _logs) = stack(Restart::Never);
    let names = [(); 2].map(|()| stack.spawn_command("worker", shell("exec sleep 60")).unwrap().name().to_owned());
    assert_eq!(names, ["worker", "worker-2"]);
}
