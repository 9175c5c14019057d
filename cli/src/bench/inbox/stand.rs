//! What the bench of the inbox stands on: a server that counts its statements, one api process, and people of the largest tenant logged in.

use crate::demo::client::Client;
use crate::secrets;
use anyhow::{Context, Result};
use cli::cluster::{Cluster, DATABASE, Options, SUPERUSER};
use cli::seeding::{self, Size};
use cli::stack::{Output, Program, Restart, Stack};
use sqlx::{Connection, PgConnection};
use std::fs::Permissions;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use uuid::Uuid;

const READY_WITHIN: Duration = Duration::from_secs(60);
const GRACE: Duration = Duration::from_secs(20);
const PASSWORD_FILE: &str = "seed-password";

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Has much unread.
    Owner,
    /// Has little unread.
    Agent,
}

/// Everything that is needed to ask.
pub struct Stand {
    /// Looks from outside.
    pub admin: PgConnection,
    /// The tenant that is asked for.
    pub tenant: Uuid,
    cluster: Cluster,
    stack: Stack,
    owner: Client,
    agent: Client,
    folder: Option<TempDir>, // last: the server ends before its folder
}

impl Stand {
    /// Starts it; seeds the database where there is none.
    pub async fn start(kept: Option<&Path>, size: &Size) -> Result<Self> {
        let (path, folder) = place(kept)?;
        let options = Options::kept(&path)
            .set("shared_buffers", "2GB")
            .set("effective_cache_size", "8GB")
            .set("max_wal_size", "4GB")
            .set("shared_preload_libraries", "pg_stat_statements");
        let cluster = Cluster::start(options).await?;
        let url = cluster.url(SUPERUSER, DATABASE);
        db::migrate::run(&url).await.context("migrating the database")?;
        let mut admin = PgConnection::connect(&url).await?;
        sqlx::raw_sql("create extension if not exists pg_stat_statements").execute(&mut admin).await?;
        let password = secrets::kept(&path, PASSWORD_FILE, || Ok(secrets::random()))?;
        let is_seeded: bool =
            sqlx::query_scalar("select exists (select from crm.tenants)").fetch_one(&mut admin).await?;
        if !is_seeded {
            seeding::seed(&url, size, &password, false).await?;
        }
        // the first that was seeded is the largest
        let (tenant, slug): (Uuid, String) =
            sqlx::query_as("select id, slug from crm.tenants where slug like 'seed-%' order by number limit 1")
                .fetch_optional(&mut admin)
                .await?
                .context("the database has tenants, but none that was seeded")?;
        let (stack, api) = start_api(&cluster, &path).await?;
        let owner = Client::log_in(&api, &format!("owner@{slug}.example"), &password).await?;
        let agent = Client::log_in(&api, &format!("agent-1@{slug}.example"), &password).await?;
        Ok(Self { admin, tenant, cluster, stack, owner, agent, folder })
    }

    /// A session of theirs.
    pub fn client(&self, who: Who) -> &Client {
        match who {
            Who::Owner => &self.owner,
            Who::Agent => &self.agent,
        }
    }

    /// Counts statements from here on.
    pub async fn forget_statements(&mut self) -> Result<()> {
        sqlx::query("select pg_stat_statements_reset()").execute(&mut self.admin).await?;
        Ok(())
    }

    /// Statements of each of so many requests since. What the api does by the clock is left out, as it comes less often.
    pub async fn statements(&mut self, requests: i64) -> Result<i64> {
        let count = sqlx::query_scalar(
            "select coalesce(sum(s.calls / $1), 0)::bigint from pg_stat_statements s join pg_roles r on r.oid = s.userid
              where r.rolname in ('paloma', 'paloma_tenant', 'paloma_scoped', 'paloma_platform') and s.toplevel and s.query !~* '^\\s*(begin|commit|rollback|start|set|reset|discard)'",
        );
        Ok(count.bind(requests).fetch_one(&mut self.admin).await?)
    }

    /// Conversations, messages, and conversations of the tenant.
    pub async fn counts(&mut self) -> Result<[i64; 3]> {
        let (conversations, messages, of_tenant) = sqlx::query_as(
            "select (select count(*) from crm.conversations), (select count(*) from crm.messages), (select count(*) from crm.conversations where tenant_id = $1)",
        )
        .bind(self.tenant)
        .fetch_one(&mut self.admin)
        .await?;
        Ok([conversations, messages, of_tenant])
    }

    /// Stops all; a temporary database goes away.
    pub async fn clear(self) -> Result<()> {
        let stopped = self.stack.stop(GRACE).await;
        self.admin.close().await?;
        self.cluster.stop().await?;
        stopped?;
        self.folder.map_or(Ok(()), |folder| Ok(folder.close()?))
    }
}

fn place(kept: Option<&Path>) -> Result<(PathBuf, Option<TempDir>)> {
    let (path, folder) = match kept {
        Some(path) => {
            std::fs::create_dir_all(path).with_context(|| format!("making {}", path.display()))?;
            (path.to_owned(), None)
        }
        None => {
            let folder = tempfile::Builder::new().prefix("paloma-bench-").tempdir()?;
            (folder.path().to_owned(), Some(folder))
        }
    };
    // as root the server runs as another user, who has to get in
    std::fs::set_permissions(&path, Permissions::from_mode(0o755))?;
    Ok((path, folder))
}

/// One api process, as it would be run for a small installation.
async fn start_api(cluster: &Cluster, folder: &Path) -> Result<(Stack, String)> {
    // known before it starts, since a browser's requests have to name it
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("finding a free port")?.local_addr()?;
    let (api, listen) = (format!("http://{address}"), address.to_string());
    let (url, secret, token) = (cluster.url("paloma", DATABASE), secrets::random(), secrets::random());
    let mut stack = Stack::new(Output::Files(folder.to_owned()), Restart::Never);
    let env = [
        ("PALOMA_DATABASE_URL", url.as_str()),
        ("PALOMA_SECRET", &secret),
        ("PALOMA_PUBLIC_URL", &api),
        ("PALOMA_LISTEN", &listen),
        ("PALOMA_OPERATOR_TOKEN", &token),
    ];
    let child = stack.spawn(Program::Api, &[], &env)?;
    child.ready_at(&format!("{api}/readyz"), READY_WITHIN).await?;
    Ok((stack, api))
}
