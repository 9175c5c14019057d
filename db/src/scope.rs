//! Scopes are transactions: nothing reaches a table but through one, and each knows tenant, actor and the time.

use std::{fmt, sync::Arc};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, notify::Notifier, pool::Transaction, pulse::Beat};

/// A transaction that has a role and no scope yet.
pub(crate) struct Begun {
    pub tx: Transaction,
    pub notifier: Notifier,
    /// Where the work it belongs to is watched.
    pub beat: Option<Arc<Beat>>,
}

impl Begun {
    /// Statements come next: says that the work gets on.
    fn conn(&mut self) -> &mut PgConnection {
        if let Some(beat) = &self.beat {
            beat.note();
        }
        &mut self.tx
    }

    async fn commit(mut self, after: Vec<&'static str>) -> Result<(), sqlx::Error> {
        self.conn();
        let Self { tx, notifier, beat } = self;
        tx.commit().await?;
        drop(beat);
        notifier.send(after);
        Ok(())
    }
}

/// Who acts; goes into the audit trail and into the span.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A person who logged in.
    User(Uuid),
    /// An API key.
    Key(Uuid),
    /// A job of that kind.
    Job(&'static str),
    /// An outside service that posts to a hook.
    Hook(&'static str),
    /// The operator of the platform, by the installation's token.
    Operator,
    /// A person who operates the platform.
    OperatorPerson(Uuid),
    /// A person who operates the platform, inside a tenant as one of its users.
    Impersonator {
        /// As whom.
        user_id: Uuid,
        /// Who it is.
        operator_id: Uuid,
    },
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::Key(id) => write!(f, "key:{id}"),
            Self::Job(kind) => write!(f, "job:{kind}"),
            Self::Hook(name) => write!(f, "hook:{name}"),
            Self::Operator => f.write_str("operator"),
            Self::OperatorPerson(id) => write!(f, "operator:{id}"),
            // taken apart by app.enter_tenant: the user acts, and the audit keeps both
            Self::Impersonator { user_id, operator_id } => write!(f, "user:{user_id} via operator:{operator_id}"),
        }
    }
}

/// Why a transaction may see every tenant. Each use is a line of a checked-in snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The engine claims, renews and settles.
    Engine,
    /// Rescue, prune, partitions, schedules.
    Upkeep,
    /// A session, a key or a name is looked up before the tenant is known.
    Login,
    /// A webhook's secret is looked up before the tenant is known.
    Hook,
    /// Effects of many jobs, of whatever tenants, are written in one group.
    Group,
    /// Events are numbered and read for the live feed.
    Feed,
    /// The operator of the platform looks or acts.
    Operator,
}

/// What a transaction sees of a tenant's conversations, where it does not see them all: those of these people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Narrow {
    /// Whose.
    pub users: Arc<[Uuid]>,
    /// Those that nobody has, too.
    pub with_unassigned: bool,
    /// For whom it looks: by this they can be asked for again after it has ended.
    pub who: String,
}

/// A transaction inside one tenant. Dropping it rolls back.
pub struct TenantTx {
    begun: Begun,
    after: Vec<&'static str>,
    tenant_id: Uuid,
    tenant_number: i32,
    actor: Actor,
    now: DateTime<Utc>,
    narrow: Option<Narrow>,
}

/// A transaction that sees every tenant. Dropping it rolls back.
pub struct PlatformTx {
    begun: Begun,
    after: Vec<&'static str>,
    why: Why,
    now: DateTime<Utc>,
}

/// What both scopes share: a connection to run statements on, and the notice given once the commit has happened.
pub trait Scope: Send {
    /// Whether the rows of every tenant are seen.
    const SEES_ALL: bool;
    /// The connection, inside the transaction.
    fn conn(&mut self) -> &mut PgConnection;
    /// Tells the listeners of a channel, after the commit and from another connection.
    fn notify(&mut self, channel: &'static str);
    /// The time of this transaction, by the database's clock.
    fn now(&self) -> DateTime<Utc>;
}

impl TenantTx {
    pub(crate) async fn begin(
        mut begun: Begun,
        (id, number): (Option<Uuid>, Option<i32>),
        actor: Actor,
    ) -> Result<Self, Error> {
        let entered: Option<(Uuid, i32, DateTime<Utc>)> =
            sqlx::query_as("select id, number, at from app.enter_tenant($1, $2, $3)")
                .bind(id)
                .bind(number)
                .bind(actor.to_string())
                .fetch_optional(begun.conn())
                .await?;
        let (tenant_id, tenant_number, now) = entered.ok_or(Error::NoTenant)?;
        Ok(Self { begun, after: Vec::new(), tenant_id, tenant_number, actor, now, narrow: None })
    }
    /// The same where the transaction's role is the narrower one.
    pub(crate) async fn begin_within(mut begun: Begun, id: Uuid, actor: Actor, narrow: Narrow) -> Result<Self, Error> {
        let entered: Option<(i32, DateTime<Utc>)> =
            sqlx::query_as("select e.number, e.at from app.enter_within($1, $2, $3, $4) e")
                .bind(id)
                .bind(actor.to_string())
                .bind(&narrow.users[..])
                .bind(narrow.with_unassigned)
                .fetch_optional(begun.conn())
                .await?;
        let (tenant_number, now) = entered.ok_or(Error::NoTenant)?;
        Ok(Self { begun, after: Vec::new(), tenant_id: id, tenant_number, actor, now, narrow: Some(narrow) })
    }
    /// What it sees of the conversations, where that is not all of them.
    #[must_use]
    pub const fn narrow(&self) -> Option<&Narrow> {
        self.narrow.as_ref()
    }
    /// Sees all of the tenant from here on: for what somebody may do to what they do not see, or no longer see once it is done.
    pub async fn see_all(&mut self) -> Result<(), sqlx::Error> {
        if self.narrow.take().is_some() {
            sqlx::query("set local role paloma_tenant").execute(self.begun.conn()).await?;
        }
        Ok(())
    }
    /// The tenant whose rows this transaction sees.
    #[must_use]
    pub const fn tenant_id(&self) -> Uuid {
        self.tenant_id
    }
    /// The tenant's small key in the engine's tables.
    #[must_use]
    pub const fn tenant_number(&self) -> i32 {
        self.tenant_number
    }
    /// Who acts.
    #[must_use]
    pub const fn actor(&self) -> &Actor {
        &self.actor
    }
    /// Commits, then gives the notices.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.begun.commit(self.after).await
    }
}

impl PlatformTx {
    pub(crate) async fn begin(mut begun: Begun, why: Why) -> Result<Self, Error> {
        let now = sqlx::query_scalar("select app.now()").fetch_one(begun.conn()).await?;
        Ok(Self { begun, after: Vec::new(), why, now })
    }
    /// Says who acts, for what triggers write; until then it is the platform itself.
    pub async fn act_as(&mut self, actor: &Actor) -> Result<(), sqlx::Error> {
        sqlx::query("select app.act_as($1)").bind(actor.to_string()).execute(self.begun.conn()).await?;
        Ok(())
    }
    /// Why this transaction sees every tenant.
    #[must_use]
    pub const fn why(&self) -> Why {
        self.why
    }
    /// Commits, then gives the notices.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.begun.commit(self.after).await
    }
}

impl Scope for TenantTx {
    const SEES_ALL: bool = false;
    fn conn(&mut self) -> &mut PgConnection {
        self.begun.conn()
    }
    fn notify(&mut self, channel: &'static str) {
        if !self.after.contains(&channel) {
            self.after.push(channel);
        }
    }
    fn now(&self) -> DateTime<Utc> {
        self.now
    }
}

impl Scope for PlatformTx {
    const SEES_ALL: bool = true;
    fn conn(&mut self) -> &mut PgConnection {
        self.begun.conn()
    }
    fn notify(&mut self, channel: &'static str) {
        if !self.after.contains(&channel) {
            self.after.push(channel);
        }
    }
    fn now(&self) -> DateTime<Utc> {
        self.now
    }
}

/// A transaction of either scope, where what matters is only that it commits.
pub enum AnyTx {
    /// Inside one tenant.
    Tenant(TenantTx),
    /// Across tenants.
    Platform(PlatformTx),
}

impl AnyTx {
    /// The connection, inside the transaction.
    pub fn conn(&mut self) -> &mut PgConnection {
        match self {
            Self::Tenant(tx) => tx.conn(),
            Self::Platform(tx) => tx.conn(),
        }
    }
    /// Commits, then gives the notices.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Tenant(tx) => tx.commit().await,
            Self::Platform(tx) => tx.commit().await,
        }
    }
}
impl From<TenantTx> for AnyTx {
    fn from(tx: TenantTx) -> Self {
        Self::Tenant(tx)
    }
}
impl From<PlatformTx> for AnyTx {
    fn from(tx: PlatformTx) -> Self {
        Self::Platform(tx)
    }
}
