//! PgBouncer in transaction mode between everybody and the server: workers, enqueuers and wake-ups do as they do without it, also when
//! it is killed.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use e2e::{Port, eventually};
use jobs::CHANNEL;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{ground::Ground, rounds, scene::Scene};

/// As docs/operating.md says, but for the addresses. There are fewer connections to the server than clients.
const SETTINGS: &str = "
pool_mode = transaction
server_reset_query = deallocate all
server_reset_query_always = 1
default_pool_size = 6
max_client_conn = 200
auth_type = trust
listen_addr = 127.0.0.1
unix_socket_dir =
server_tls_sslmode = disable
";
const AT_CONNECT: &str = "set idle_in_transaction_session_timeout = 20000; set random_page_cost = 1.1; set jit = off";

/// A running PgBouncer.
pub struct Pooler {
    program: PathBuf,
    folder: TempDir,
    port: Port,
    child: Child,
}

impl Pooler {
    /// Starts one before the server at that port; none where it is not installed.
    pub async fn start(server_port: u16) -> Option<Self> {
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"]
            .into_iter()
            .map(PathBuf::from)
            .find(|program| program.is_file())?;
        let folder = TempDir::new().expect("a folder");
        // started by root it becomes another user, who has to read it
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("it is ours");
        let port = Port::hold();
        let user = if nix::unistd::geteuid().is_root() { "user = nobody" } else { "" };
        let users = folder.path().join("users.txt");
        fs::write(&users, "\"paloma\" \"\"\n").expect("a file");
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={server_port} connect_query='{AT_CONNECT}'\n[pgbouncer]\n{SETTINGS}listen_port = {}\nauth_file = {}\n{user}\n",
            port.number(),
            users.display()
        );
        fs::write(folder.path().join("pgbouncer.ini"), settings).expect("a file");
        let child = launch(&program, folder.path());
        let pooler = Self { program, folder, port, child };
        pooler.answers().await;
        Some(pooler)
    }

    /// The address of a database behind it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://paloma@127.0.0.1:{}/{database}?sslmode=disable", self.port.number())
    }

    /// Kills it and starts it again.
    async fn kill_and_start(&mut self) {
        self.child.kill().await.expect("it is there");
        self.child = launch(&self.program, self.folder.path());
        self.answers().await;
    }

    async fn answers(&self) {
        eventually("the pooler listens", || async {
            tokio::net::TcpStream::connect(self.port.address()).await.is_ok()
        })
        .await;
    }
}

fn launch(program: &Path, folder: &Path) -> Child {
    let mut command = Command::new(program);
    command.arg("--quiet").arg(folder.join("pgbouncer.ini")).stdin(Stdio::null()).kill_on_drop(true);
    command.spawn().expect("it starts")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_in_transaction_mode_changes_nothing() {
    let Some(mut scene) = Scene::behind_a_pooler(Ground::start().await, "PgBouncer", 20_261_114).await else {
        return e2e::leave_out("pgbouncer is not installed (Debian's package of that name)");
    };
    for _ in 0..rounds(1) {
        scene.gets_on(100).await;
        // an enqueue through the pooler wakes who listens past it
        let mut listener = scene.db.listen(&[CHANNEL]).await.expect("a direct connection");
        tokio::time::timeout(Duration::from_secs(5), listener.recv()).await.expect("in time").expect("a notice");
        scene.pooler.as_mut().expect("it is there").kill_and_start().await;
        scene.each_worker_gets_on().await;
    }
    scene.concludes().await;
}
