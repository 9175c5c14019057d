//! A database for one test: a clone of the migrated template, with a clock that moves by one number.

use std::{path::PathBuf, str::FromStr, time::Duration};

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use crate::cluster::{Cluster, cluster};

/// One test's database.
pub struct Database {
    cluster: Cluster,
    /// Its name in the cluster.
    pub name: String,
}

const HOLDING: &str = r#"
create or replace function public.holding(p_word text) returns setof text language plpgsql as $$
declare t text; found boolean;
begin
  for t in select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname in ('app', 'crm', 'jobs') and c.relkind in ('r', 'p') loop
    execute format('select exists (select from %s r where strpos(r::text, $1) > 0)', t) into found using p_word;
    if found then return next t; end if;
  end loop;
end $$;
"#;

impl Database {
    /// Clones the template.
    ///
    /// # Panics
    /// Where the cluster refuses.
    pub async fn new() -> Self {
        Self::in_cluster(cluster().await.clone()).await
    }

    /// The same in a cluster of the test's own, which it may stop and kill.
    ///
    /// # Panics
    /// Where the cluster refuses.
    pub async fn in_cluster(cluster: Cluster) -> Self {
        let name = format!("t_{}", uuid::Uuid::now_v7().simple());
        db::testing::clone_template(&cluster.url("postgres", "postgres"), &cluster.template, &name)
            .await
            .expect("a clone of the template");
        Self { cluster, name }
    }

    /// One without a schema.
    ///
    /// # Panics
    /// Where the cluster refuses.
    pub async fn bare() -> Self {
        let cluster = cluster().await.clone();
        let name = format!("t_{}", uuid::Uuid::now_v7().simple());
        db::testing::make_bare(&cluster.url("postgres", "postgres"), &name).await.expect("a database");
        Self { cluster, name }
    }

    /// The tables of ours of which a row holds a word, as text or as the digits of bytes.
    ///
    /// # Panics
    /// Where the database can't be read.
    pub async fn tables_with(&self, word: &str) -> Vec<String> {
        let mut superuser = self.superuser().await;
        sqlx::raw_sql(HOLDING).execute(&mut superuser).await.expect("a function");
        let found = sqlx::query_scalar("select public.holding($1)").bind(word).fetch_all(&mut superuser).await;
        found.expect("rows can be read")
    }

    /// The address that a process of ours is given.
    #[must_use]
    pub fn url(&self) -> String {
        self.cluster.url("paloma", &self.name)
    }

    /// The folder of the server's socket.
    ///
    /// # Panics
    /// Where the cluster was borrowed and is reached otherwise.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        let options = PgConnectOptions::from_str(&self.url()).expect("an address");
        options.get_socket().expect("a cluster of this machine").clone()
    }

    /// The address of the database for another role.
    #[must_use]
    pub fn url_of(&self, role: &str) -> String {
        self.cluster.url(role, &self.name)
    }

    /// Connects as a process of ours does, wall and self-check included.
    ///
    /// # Panics
    /// When the self-check refuses the database.
    pub async fn connect(&self, name: &'static str, connections: u32) -> db::Db {
        db::Db::connect(db::Options { url: self.url(), name, connections, direct_url: None })
            .await
            .expect("a database behind its wall")
    }

    /// A connection that no wall binds, for states that no API can reach.
    ///
    /// # Panics
    /// Where the cluster refuses.
    pub async fn superuser(&self) -> PgConnection {
        PgConnection::connect(&self.url_of("postgres")).await.expect("a connection of the superuser")
    }

    /// Moves the time forward.
    ///
    /// # Panics
    /// Where the cluster refuses.
    pub async fn advance(&self, by: Duration) {
        db::testing::advance(&self.url_of("postgres"), &self.name, by).await.expect("time moves");
    }

    /// Ends every connection of the processes with that name, as a restart or a failover would. Answers how many.
    ///
    /// # Panics
    /// Where the cluster refuses.
    pub async fn cut(&self, name: &str) -> i64 {
        sqlx::query_scalar(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = $1 and application_name = $2",
        )
        .bind(&self.name)
        .bind(name)
        .fetch_one(&mut self.superuser().await)
        .await
        .expect("connections are cut")
    }

    /// Drops it.
    ///
    /// # Panics
    /// Where the cluster refuses.
    pub async fn drop(self) {
        db::testing::drop_clone(&self.cluster.url("postgres", "postgres"), &self.name).await.expect("the clone goes");
    }
}
