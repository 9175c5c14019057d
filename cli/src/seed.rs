//! The demo tenant of `paloma run`: an owner's login and one line to the simulated gateway, made through the HTTP API as anybody
//! would make them. Safe to run again.

use crate::secrets;
use anyhow::{Context, Result, bail};
use cli::stack::loopback_client;
use reqwest::header::{COOKIE, ORIGIN, SET_COOKIE};
use reqwest::{Client, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// Where the demo login is kept.
pub const LOGIN_FILE: &str = "demo-login.json";
/// The password of the simulated gateway.
pub const SIM_PASSWORD: &str = "simulated";

/// Who may log in to the demo tenant.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Login {
    /// The name in the log-in form.
    pub email: String,
    /// Random, made once.
    pub password: String,
}

/// The gateway behind the demo tenant's line.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Its address.
    pub base_url: &'a str,
    /// Its password.
    pub password: &'a str,
}

/// The demo login of this data folder.
pub fn login(folder: &Path) -> Result<Login> {
    let kept = secrets::kept(folder, LOGIN_FILE, || {
        let password = secrets::random().split_off(44); // 20 digits
        Ok(serde_json::to_string(&Login { email: "owner@demo.example".to_owned(), password })?)
    })?;
    serde_json::from_str(&kept).with_context(|| format!("reading {LOGIN_FILE} in {}", folder.display()))
}

/// Makes the demo tenant, its owner and its line, as far as they are not there yet. `api` is the API's address. Answers the owner's cookie.
pub async fn seed_demo(api: &str, operator_token: &str, line: &Line<'_>, login: &Login) -> Result<String> {
    let client = loopback_client(Duration::from_secs(30))?;
    let tenant = json!({
        "name": "Demo", "slug": "demo", "region": "US", "time_zone": "America/New_York",
        "owner": { "email": login.email, "password": login.password, "name": "Demo Owner" },
    });
    let request = client.post(format!("{api}/api/v1/platform/tenants")).bearer_auth(operator_token).json(&tenant);
    made_or_there(request.send().await?).await.context("making the tenant")?;
    let cookie = log_in(&client, api, login).await?;
    let line = json!({
        "name": "Demo line", "address": "+15550000001", "base_url": line.base_url, "password": line.password,
        "method": "private_api", "rate_per_minute": 60, "cap": 1,
    });
    let request = client.post(format!("{api}/api/v1/lines")).header(COOKIE, &cookie).header(ORIGIN, api).json(&line);
    made_or_there(request.send().await?).await.context("making the line")?;
    Ok(cookie)
}

/// The session's cookie, as it is to be sent back.
async fn log_in(client: &Client, api: &str, login: &Login) -> Result<String> {
    let body = json!({ "email": login.email, "password": login.password });
    let answer = client.post(format!("{api}/api/v1/session")).header(ORIGIN, api).json(&body).send().await?;
    if answer.status() == StatusCode::UNAUTHORIZED {
        bail!("the demo tenant is there, but not with the login of this data folder: `paloma reset --yes` begins anew");
    }
    let answer = fine(answer).await.context("logging in")?;
    let cookies = answer.headers().get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
    let pairs: Vec<&str> = cookies.filter_map(|cookie| cookie.split(';').next()).collect();
    if pairs.is_empty() { bail!("logging in brought no cookie") } else { Ok(pairs.join("; ")) }
}

async fn made_or_there(answer: Response) -> Result<()> {
    if answer.status() == StatusCode::CONFLICT {
        return Ok(());
    }
    fine(answer).await.map(drop)
}

async fn fine(answer: Response) -> Result<Response> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let problem: Value = answer.json().await.unwrap_or_default();
    bail!("the API answered {status}: {problem}")
}
