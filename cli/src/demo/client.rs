//! A customer's way into the API: a tenant is made, its owner logs in, and asks with the session's cookie. Knows paths and JSON only.

use crate::secrets;
use anyhow::{Context, Result, bail};
use cli::stack::loopback_client;
use reqwest::header::{CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue, ORIGIN, SET_COOKIE};
use reqwest::{Body, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

const PATIENCE: Duration = Duration::from_secs(30);

/// Who the demo is.
pub struct Tenant {
    slug: String,
    email: String,
    password: String,
}

impl Tenant {
    /// With a password that nobody knows.
    pub fn random() -> Self {
        Self::named("demo")
    }
    /// The same under another name.
    pub fn named(slug: &str) -> Self {
        Self { slug: slug.to_owned(), email: format!("owner@{slug}.example"), password: secrets::random() }
    }
}

/// A session.
pub struct Client {
    http: reqwest::Client,
    api: String,
    headers: HeaderMap,
}

impl Client {
    /// Makes the tenant and logs in.
    pub async fn sign_up(api: &str, operator_token: &str, tenant: &Tenant) -> Result<Self> {
        let http = loopback_client(PATIENCE)?;
        let new = json!({
            "name": "Demo", "slug": tenant.slug, "region": "US", "time_zone": "America/New_York",
            "owner": { "email": tenant.email, "password": tenant.password, "name": "Demo Owner" },
        });
        let request = http.post(format!("{api}/api/v1/platform/tenants")).bearer_auth(operator_token).json(&new);
        fine(request.send().await?).await.context("making the tenant")?;
        Self::log_in(api, &tenant.email, &tenant.password).await
    }

    /// Logs in.
    pub async fn log_in(api: &str, email: &str, password: &str) -> Result<Self> {
        let http = loopback_client(PATIENCE)?;
        let login = json!({ "email": email, "password": password });
        let request = http.post(format!("{api}/api/v1/session")).header(ORIGIN, api).json(&login);
        let answer = fine(request.send().await?).await.context("logging in")?;
        let cookies = answer.headers().get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
        let pairs: Vec<&str> = cookies.filter_map(|cookie| cookie.split(';').next()).collect();
        if pairs.is_empty() {
            bail!("logging in brought no cookie");
        }
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_str(&pairs.join("; "))?);
        headers.insert(ORIGIN, HeaderValue::from_str(api)?);
        Ok(Self { http, api: api.to_owned(), headers })
    }

    /// What is at `path` below the API's root.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.answer(self.http.get(self.url(path))).await.with_context(|| format!("reading {path}"))
    }

    /// The bytes of what is at `path`, unread, and how long they took to come.
    pub async fn timed(&self, path: &str) -> Result<(Duration, usize)> {
        let began = Instant::now();
        let answer = fine(self.http.get(self.url(path)).headers(self.headers.clone()).send().await?).await;
        let bytes = answer.with_context(|| format!("reading {path}"))?.bytes().await?;
        Ok((began.elapsed(), bytes.len()))
    }

    /// How long it takes to be told that nothing is at `path`.
    pub async fn timed_missing(&self, path: &str) -> Result<Duration> {
        let began = Instant::now();
        let answer = self.http.get(self.url(path)).headers(self.headers.clone()).send().await?;
        let status = answer.status();
        answer.bytes().await?;
        if status != StatusCode::NOT_FOUND {
            bail!("reading {path}: {status}, where nothing was expected");
        }
        Ok(began.elapsed())
    }

    /// The session's cookie, as it is to be sent back.
    pub fn cookie(&self) -> &str {
        self.headers.get(COOKIE).and_then(|cookie| cookie.to_str().ok()).unwrap_or_default()
    }

    /// Posts JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.answer(self.http.post(self.url(path)).json(body)).await
    }

    /// Changes something.
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Value> {
        self.answer(self.http.patch(self.url(path)).json(body)).await.with_context(|| format!("changing {path}"))
    }

    /// Posts a file of any length as it is.
    pub async fn upload(&self, path: &str, query: &[(&str, &str)], body: Body, deadline: Instant) -> Result<Value> {
        let patience = deadline.saturating_duration_since(Instant::now());
        let request = self.http.post(self.url(path)).query(query).header(CONTENT_TYPE, "text/csv").body(body);
        self.answer(request.timeout(patience)).await
    }

    /// All items of a list, page by page, each handed to `take`.
    pub async fn each(&self, path: &str, query: &str, mut take: impl FnMut(&Value)) -> Result<()> {
        let mut cursor = None::<String>;
        loop {
            let mut request = self.http.get(format!("{}?limit=200{query}", self.url(path)));
            if let Some(cursor) = &cursor {
                request = request.query(&[("cursor", cursor)]);
            }
            let page = self.answer(request).await.with_context(|| format!("reading {path}"))?;
            page["items"].as_array().context("a page has items")?.iter().for_each(&mut take);
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(()),
            }
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.api)
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Value> {
        Ok(fine(request.headers(self.headers.clone()).send().await?).await?.json().await?)
    }
}

async fn fine(answer: Response) -> Result<Response> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let problem: Value = answer.json().await.unwrap_or_default();
    bail!("the API answered {status}: {problem}")
}
