//! Teams: who works together. What somebody may do for their teams' conversations they may do for those of the people named here, from the moment
//! they are (0113).

use chrono::{DateTime, Utc};
use db::{Id, Page, PageOf, Scope, TenantTx};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{caller::Caller, permission::Permissions, users::UserId};
use crate::Error;

/// The id of a team.
pub type TeamId = Id<Team>;

/// So many teams a tenant may make: a list that a person chooses from.
const MOST: i64 = 100;
/// So many people a team may have: each transaction of a member carries them.
const MOST_MEMBERS: i64 = 200;
/// And in so many teams somebody may be, for the same reason.
const MOST_OF_ONE: i64 = 20;

/// A team.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct Team {
    /// The id.
    #[schema(value_type = Uuid)]
    pub id: TeamId,
    /// What it is called; once in a tenant, whatever its case and accents.
    pub name: String,
    /// How many people are in it, those without access too.
    pub member_count: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last given a name.
    pub updated_at: DateTime<Utc>,
}

/// Somebody in a team.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = TeamMember)]
pub struct Member {
    /// The user.
    #[schema(value_type = Uuid)]
    pub user_id: UserId,
    /// Their name.
    pub name: String,
    /// Their e-mail.
    pub email: String,
    /// Whether they can log in.
    pub is_active: bool,
}

/// What is said of a team.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TeamBody)]
pub struct Fields {
    /// 1 to 60 characters; the tenant has no other of that name.
    #[schema(min_length = 1, max_length = 60)]
    pub name: String,
}

impl Fields {
    fn normal_name(&self) -> Result<&str, Error> {
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > 60 {
            return Err(Error::invalid("name", "team_name_length", "the name of a team has 1 to 60 characters"));
        }
        Ok(name)
    }
}

/// The teams, in the order in which they were made.
pub async fn list(tx: &mut TenantTx, page: &PageOf<TeamId>) -> Result<Page<Team>, Error> {
    let teams: Vec<Team> = sqlx::query_as(
        "select t.id, t.name, t.created_at, t.updated_at,
                (select count(*) from crm.team_members m where m.tenant_id = app.tenant_id() and m.team_id = t.id) as member_count
           from crm.teams t where t.tenant_id = app.tenant_id() and ($1::uuid is null or t.id > $1) order by t.id limit $2",
    )
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(teams, |team| team.id))
}

async fn get(tx: &mut TenantTx, id: TeamId) -> Result<Team, Error> {
    Ok(sqlx::query_as(
        "select t.id, t.name, t.created_at, t.updated_at,
                (select count(*) from crm.team_members m where m.tenant_id = app.tenant_id() and m.team_id = t.id) as member_count
           from crm.teams t where t.tenant_id = app.tenant_id() and t.id = $1",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?)
}

/// Makes a team, with nobody in it.
pub async fn create(tx: &mut TenantTx, fields: &Fields) -> Result<Team, Error> {
    // counted one after the other, so that two at once do not both find room for the last
    sqlx::query("select pg_advisory_xact_lock(7247, app.tenant_number())").execute(tx.conn()).await?;
    let id = TeamId::new();
    let made = sqlx::query(
        "insert into crm.teams (id, name) select $1, $2
          where (select count(*) from crm.teams t where t.tenant_id = app.tenant_id()) < $3",
    )
    .bind(id)
    .bind(fields.normal_name()?)
    .bind(MOST)
    .execute(tx.conn())
    .await
    .map_err(refused)?;
    if made.rows_affected() == 0 {
        return Err(Error::conflict("too_many_teams", format!("an account has {MOST} teams at most")));
    }
    get(tx, id).await
}

/// Gives a team another name.
pub async fn rename(tx: &mut TenantTx, id: TeamId, fields: &Fields) -> Result<Team, Error> {
    let renamed = sqlx::query(
        "update crm.teams t set name = $2, updated_at = app.now() where t.tenant_id = app.tenant_id() and t.id = $1",
    )
    .bind(id)
    .bind(fields.normal_name()?)
    .execute(tx.conn())
    .await
    .map_err(refused)?;
    if renamed.rows_affected() == 0 { Err(Error::NotFound) } else { get(tx, id).await }
}

/// Removes a team. Who was in it sees at once what they see without it. It takes a proof.
pub async fn delete(tx: &mut TenantTx, caller: &Caller, id: TeamId) -> Result<(), Error> {
    may_change(tx, caller, id, None).await?;
    sqlx::query("delete from crm.teams t where t.tenant_id = app.tenant_id() and t.id = $1")
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Who is in a team, in the order in which they became users.
pub async fn members(tx: &mut TenantTx, id: TeamId, page: &PageOf<UserId>) -> Result<Page<Member>, Error> {
    get(tx, id).await?;
    let members: Vec<Member> = sqlx::query_as(
        "select u.id as user_id, u.name, u.email, u.disabled_at is null as is_active
           from crm.team_members m join crm.users u on u.tenant_id = m.tenant_id and u.id = m.user_id
          where m.tenant_id = app.tenant_id() and m.team_id = $1 and ($2::uuid is null or m.user_id > $2)
          order by m.user_id limit $3",
    )
    .bind(id)
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(members, |member| member.user_id))
}

/// Puts somebody into a team; who is in it stays in it. It takes a proof.
pub async fn add(tx: &mut TenantTx, caller: &Caller, id: TeamId, user_id: UserId) -> Result<Team, Error> {
    may_change(tx, caller, id, Some(user_id)).await?;
    // the team's row is held, and so is the person's: two who are put in at once count each other, and so do two teams that take one person
    sqlx::query_scalar::<_, bool>(
        "select true from crm.users u where u.tenant_id = app.tenant_id() and u.id = $1 for no key update",
    )
    .bind(user_id)
    .fetch_one(tx.conn())
    .await?;
    let (is_in, member_count, team_count): (bool, i64, i64) = sqlx::query_as(
        "select exists (select from crm.team_members m where m.tenant_id = app.tenant_id() and m.team_id = $1 and m.user_id = $2),
                (select count(*) from crm.team_members m where m.tenant_id = app.tenant_id() and m.team_id = $1),
                (select count(*) from crm.team_members m where m.tenant_id = app.tenant_id() and m.user_id = $2)",
    )
    .bind(id)
    .bind(user_id)
    .fetch_one(tx.conn())
    .await?;
    if is_in {
        return get(tx, id).await;
    }
    if member_count >= MOST_MEMBERS {
        return Err(Error::conflict("team_full", format!("a team has {MOST_MEMBERS} people at most")));
    }
    if team_count >= MOST_OF_ONE {
        return Err(Error::conflict("too_many_teams_of_one", format!("somebody is in {MOST_OF_ONE} teams at most")));
    }
    sqlx::query("insert into crm.team_members (team_id, user_id) values ($1, $2)")
        .bind(id)
        .bind(user_id)
        .execute(tx.conn())
        .await?;
    get(tx, id).await
}

/// Takes somebody out of a team, at once also for what is open; one who is not in it is no fault. It takes a proof.
pub async fn remove(tx: &mut TenantTx, caller: &Caller, id: TeamId, user_id: UserId) -> Result<(), Error> {
    may_change(tx, caller, id, Some(user_id)).await?;
    sqlx::query(
        "delete from crm.team_members m where m.tenant_id = app.tenant_id() and m.team_id = $1 and m.user_id = $2",
    )
    .bind(id)
    .bind(user_id)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// ADM-03: who is in a team decides what its members may do whose role, or a key of theirs, says "of their teams". Nobody gives that, or takes it away, who may not do it
/// everywhere themselves. Holds the team's row until the end.
async fn may_change(tx: &mut TenantTx, caller: &Caller, id: TeamId, user_id: Option<UserId>) -> Result<(), Error> {
    caller.require_proof(tx.now())?;
    sqlx::query_scalar::<_, bool>(
        "select true from crm.teams t where t.tenant_id = app.tenant_id() and t.id = $1 for no key update",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    let granted: Vec<Vec<String>> = sqlx::query_scalar(
        "with people as (
           select m.user_id from crm.team_members m where m.tenant_id = app.tenant_id() and m.team_id = $1
           union
           select $2::uuid)
         select r.permissions from crm.roles r
          where r.tenant_id = app.tenant_id()
            and r.id in (select u.role_id from crm.users u join people p on p.user_id = u.id where u.tenant_id = app.tenant_id())
         union all
         -- whoever sees all may have made a key that sees what their teams do
         select k.permissions from crm.api_keys k join people p on p.user_id = k.created_by
          where k.tenant_id = app.tenant_id() and k.revoked_at is null and (k.expires_at is null or k.expires_at > app.now())",
    )
    .bind(id)
    .bind(user_id)
    .fetch_all(tx.conn())
    .await?;
    granted.iter().try_for_each(|names| caller.within_own(Permissions::from_names(names).of_teams()))
}

fn refused(error: sqlx::Error) -> Error {
    match db::constraint::violated(&error) {
        Some("teams_name_key") => Error::conflict("team_name_taken", "there is a team of that name already"),
        _ => error.into(),
    }
}
