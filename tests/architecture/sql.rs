//! The SQL in the sources: every literal is planned against the migrated schema, under the role it will run in, and may not say what
//! the wall or the clock forbids. Runtime queries have no compiler; this is theirs.

#![expect(clippy::disallowed_methods, reason = "transactions of a superuser, beside the scopes")]

use e2e::Database;
use sqlx::Connection;

use crate::sources::of;

/// Plans a statement as whoever calls it; answers what is wrong with it.
const PLANNER: &str = r"
create function public.plan(p_sql text, p_parameters int) returns text language plpgsql as $$
begin
  execute 'prepare tried as ' || p_sql;
  begin
    if p_sql ~* '^\s*(select|insert|update|delete|with)' then
      execute 'explain execute tried' || case when p_parameters > 0 then '(' || repeat('null, ', p_parameters - 1) || 'null)' else '' end;
    end if;
    execute 'deallocate tried';
    return null;
  exception when others then
    execute 'deallocate tried';
    return sqlerrm;
  end;
exception when others then
  return sqlerrm;
end $$";

struct Query {
    at: String,
    sql: String,
}

/// The literals that are the first argument of a `sqlx::query…` call.
fn queries(name: &str) -> Vec<Query> {
    let mut found = Vec::new();
    for source in of(name) {
        let code = source.text.split("#[cfg(test)]").next().unwrap_or_default();
        let mut from = 0;
        while let Some(start) = code[from..].find("sqlx::query").map(|at| from + at) {
            from = start + "sqlx::query".len();
            let Some(open) = call(&code[from..]) else { continue };
            let argument = code[from + open..].trim_start();
            if let Some(sql) = literal(argument) {
                let line = code[..start].lines().count();
                found.push(Query { at: format!("{}:{line}", source.path), sql });
            }
        }
    }
    found
}

/// Where the arguments begin, after `_as::<_, (i64, String)>(` and its like.
fn call(rest: &str) -> Option<usize> {
    let name = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    if let Some(generic) = rest[name..].strip_prefix("::<") {
        let mut depth = 1;
        let end = generic.find(|c| {
            depth += match c {
                '<' => 1,
                '>' => -1,
                _ => 0,
            };
            depth == 0
        })?;
        let after = name + 3 + end + 1;
        return rest[after..].starts_with('(').then_some(after + 1);
    }
    rest[name..].starts_with('(').then_some(name + 1)
}

/// A string literal at the beginning, with its escapes resolved.
fn literal(text: &str) -> Option<String> {
    if let Some(raw) = text.strip_prefix('r') {
        let hashes = raw.bytes().take_while(|byte| *byte == b'#').count();
        let body = raw[hashes..].strip_prefix('"')?;
        return Some(body[..body.find(&format!("\"{}", "#".repeat(hashes)))?].to_owned());
    }
    let mut characters = text.strip_prefix('"')?.chars().peekable();
    let mut sql = String::new();
    loop {
        match characters.next()? {
            '"' => return Some(sql),
            '\\' => match characters.next()? {
                '\n' => while characters.next_if(|c| c.is_whitespace()).is_some() {},
                'n' => sql.push('\n'),
                other => sql.push(other),
            },
            other => sql.push(other),
        }
    }
}

fn parameters(sql: &str) -> i32 {
    let numbers = sql
        .split('$')
        .skip(1)
        .filter_map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<i32>().ok());
    numbers.max().unwrap_or(0)
}

fn faults(sql: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for word in ["clock_timestamp(", "set role", "set local role", "set_config", "current_timestamp", "truncate "] {
        if sql.contains(word) {
            faults.push(format!("says {word}"));
        }
    }
    if sql.match_indices("now()").any(|(at, _)| !sql[..at].ends_with("app.")) {
        faults.push("says now(): the time is app.now()".to_owned());
    }
    let keywords = ["SELECT", "FROM", "WHERE", "INSERT", "UPDATE", "DELETE", "JOIN", "VALUES", "RETURNING"];
    if sql.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| keywords.contains(&word)) {
        faults.push("shouts: keywords are lowercase".to_owned());
    }
    for rest in sql.split("select * from ").skip(1) {
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '.').collect();
        if name.contains('.') && !rest[name.len()..].starts_with('(') {
            faults.push(format!("says select * from {name}: name the columns"));
        }
    }
    faults
}

#[test]
fn sql_does_not_say_what_the_wall_and_the_clock_forbid() {
    let mut found = Vec::new();
    for query in ["crm", "jobs"].into_iter().flat_map(queries) {
        found.extend(faults(&query.sql).into_iter().map(|fault| format!("{}: {fault}", query.at)));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn there_is_no_sql_outside_crm_jobs_and_db() {
    for name in ["clients", "api", "worker", "scheduler", "sim"] {
        assert!(queries(name).is_empty(), "{name} has SQL");
    }
}

#[tokio::test]
async fn every_statement_can_be_planned_under_a_scope() {
    let database = Database::new().await;
    let mut superuser = database.superuser().await;
    sqlx::raw_sql(PLANNER).execute(&mut superuser).await.unwrap();
    let queries: Vec<Query> = ["crm", "jobs", "db"].into_iter().flat_map(queries).collect();
    assert!(queries.len() > 100, "only {} statements were found", queries.len());
    let mut found = Vec::new();
    for query in &queries {
        let mut answers = Vec::new();
        for role in ["paloma_tenant", "paloma_scoped", "paloma_platform"] {
            let mut tx = superuser.begin().await.unwrap();
            sqlx::query(
                "select set_config('role', $1, true), set_config('app.tenant_id', '00000000-0000-0000-0000-000000000000', true),
                   set_config('app.tenant_number', '0', true), set_config('app.actor', 'nobody', true)",
            )
            .bind(role)
            .execute(&mut *tx)
            .await
            .unwrap();
            let answer: Option<String> = sqlx::query_scalar("select public.plan($1, $2)")
                .bind(&query.sql)
                .bind(parameters(&query.sql))
                .fetch_one(&mut *tx)
                .await
                .unwrap();
            tx.rollback().await.unwrap();
            answers.push(answer);
        }
        // transaction control and roles are not statements that can be prepared
        if answers.iter().all(Option::is_some) && !["set ", "reset "].iter().any(|word| query.sql.starts_with(word)) {
            found.push(format!("{}: {}", query.at, answers.into_iter().flatten().collect::<Vec<_>>().join(" | ")));
        }
    }
    superuser.close().await.unwrap();
    database.drop().await;
    assert!(found.is_empty(), "{found:#?}");
}
