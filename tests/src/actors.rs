//! Who acts in a test, over HTTP: a tenant's owner with a browser's session, the platform's operator with the token.

use reqwest::{Client, Method, StatusCode, header};
use serde_json::{Value, json};

use crate::{World, eventually_some};

/// The password of every tenant's owner.
pub const PASSWORD: &str = "a long enough password";

/// A tenant's owner, logged in.
#[derive(Clone)]
pub struct Tenant {
    base: String,
    cookie: String,
    client: Client,
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body as it came.
    pub text: String,
    /// The body as JSON; null where it is none.
    pub body: Value,
}

impl Answer {
    /// Asserts the status and gives the body.
    ///
    /// # Panics
    /// Where the status is another.
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.body
    }
    /// The stable code of a problem.
    #[must_use]
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// The platform's operator.
#[derive(Clone)]
pub struct Operator {
    base: String,
    client: Client,
}

impl Operator {
    pub(crate) fn new(base: &str) -> Self {
        Self { base: base.to_owned(), client: Client::new() }
    }
    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}/api/v1/platform{path}", self.base)).bearer_auth(crate::world::OPERATOR)
    }
    /// GET, under `/platform`.
    pub async fn get(&self, path: &str) -> Answer {
        Tenant::answer(self.request(Method::GET, path)).await
    }
    /// POST with a JSON body, under `/platform`.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Tenant::answer(self.request(Method::POST, path).json(body)).await
    }
    /// PUT with a JSON body, under `/platform`.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        Tenant::answer(self.request(Method::PUT, path).json(body)).await
    }
    /// PATCH with a JSON body, under `/platform`.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        Tenant::answer(self.request(Method::PATCH, path).json(body)).await
    }
    /// The rows of a list's first page.
    ///
    /// # Panics
    /// Where the API refuses.
    pub async fn items(&self, path: &str) -> Vec<Value> {
        self.get(path).await.expect(200)["items"].as_array().expect("a list").clone()
    }
}

impl Tenant {
    /// Makes a tenant through the operator's API, and logs its owner in.
    ///
    /// # Panics
    /// Where the API refuses.
    pub async fn found(base: &str, slug: &str, region: &str) -> Self {
        let email = format!("owner@{slug}.example");
        let body = json!({
            "name": slug, "slug": slug, "region": region, "time_zone": "America/New_York",
            "owner": { "email": email, "password": PASSWORD, "name": "Owner" },
        });
        Operator::new(base).post("/tenants", &body).await.expect(201);
        Self::log_in(base, &email, PASSWORD).await
    }

    /// Logs in.
    ///
    /// # Panics
    /// Where the log-in is refused.
    pub async fn log_in(base: &str, email: &str, password: &str) -> Self {
        let client = Client::builder().build().expect("a client");
        let answer = client
            .post(format!("{base}/api/v1/session"))
            .header(header::ORIGIN, base)
            .json(&json!({ "email": email, "password": password }))
            .send()
            .await
            .expect("an answer");
        let cookies = answer.headers().get_all(header::SET_COOKIE).iter();
        let cookie: Vec<String> =
            cookies.filter_map(|cookie| Some(cookie.to_str().ok()?.split(';').next()?.to_owned())).collect();
        assert!(answer.status().is_success() && !cookie.is_empty(), "the log-in was refused: {}", answer.status());
        Self { base: base.to_owned(), cookie: cookie.join("; "), client }
    }

    /// Invites a colleague, who sets a password by the link and logs in.
    ///
    /// # Panics
    /// Where the API refuses.
    pub async fn colleague(&self, name: &str, role: &str) -> Self {
        let email = format!("{}-{}@example.com", name.to_lowercase(), uuid::Uuid::now_v7().simple());
        let body = json!({ "name": name, "email": email, "role": role });
        let invited = self.post("/users", &body).await.expect(201);
        let url = invited["invitation_url"].as_str().expect("a link");
        let token = url.rsplit('/').next().expect("a token");
        self.post(&format!("/invitations/{token}"), &json!({ "password": PASSWORD })).await.expect(200);
        Self::log_in(&self.base, &email, PASSWORD).await
    }

    /// The id of whoever is logged in.
    ///
    /// # Panics
    /// Where the API refuses.
    pub async fn user_id(&self) -> String {
        self.get("/session").await.expect(200)["user"]["id"].as_str().expect("an id").to_owned()
    }

    /// The session's cookie, for a client of another kind.
    #[must_use]
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    /// A request with this session, to be completed by the test.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client
            .request(method, format!("{}/api/v1{path}", self.base))
            .header(header::COOKIE, &self.cookie)
            .header(header::ORIGIN, &self.base)
    }

    async fn answer(request: reqwest::RequestBuilder) -> Answer {
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a whole answer");
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status, text, body }
    }

    /// The answer to a request that the test has completed.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        Self::answer(request).await
    }
    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        Self::answer(self.request(Method::GET, path)).await
    }
    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Self::answer(self.request(Method::POST, path).json(body)).await
    }
    /// POST without a body.
    pub async fn act(&self, path: &str) -> Answer {
        Self::answer(self.request(Method::POST, path)).await
    }
    /// PATCH with a JSON body.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        Self::answer(self.request(Method::PATCH, path).json(body)).await
    }
    /// PUT with a JSON body.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        Self::answer(self.request(Method::PUT, path).json(body)).await
    }
    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        Self::answer(self.request(Method::DELETE, path)).await
    }
    /// POST of raw bytes, as a file is uploaded.
    pub async fn upload(&self, path: &str, bytes: impl Into<reqwest::Body>) -> Answer {
        Self::answer(self.request(Method::POST, path).header(header::CONTENT_TYPE, "text/csv").body(bytes)).await
    }

    /// A line on the world's gateway, without rate or cap, with its webhook registered; `more` overrides fields. Answers its id.
    ///
    /// # Panics
    /// Where the API refuses.
    pub async fn line(&self, world: &World, more: Value) -> String {
        self.line_on(&world.gateway_url(), more).await
    }

    /// The same on the gateway at that address.
    ///
    /// # Panics
    /// Where the API refuses.
    pub async fn line_on(&self, gateway_url: &str, more: Value) -> String {
        let mut body = json!({
            "name": "Line", "address": "+15550000001", "base_url": gateway_url, "password": crate::world::GATEWAY_PASSWORD,
            "method": "private_api", "unlimited": true, "send_timeout_s": 5, "resolve_after_s": 60,
        });
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        let id = self.post("/lines", &body).await.expect(201)["id"].as_str().expect("an id").to_owned();
        let registered = |id: String| async move {
            let line = self.get(&format!("/lines/{id}")).await.expect(200);
            (line["hook_state"] == "registered").then_some(())
        };
        eventually_some("the webhook is registered", || registered(id.clone())).await;
        id
    }

    /// Uploads a file and waits until it is imported. Answers the import.
    ///
    /// # Panics
    /// Where the API refuses the upload.
    pub async fn import(&self, csv: impl Into<reqwest::Body>, query: &str) -> Value {
        let made = self.upload(&format!("/imports?file_name=contacts.csv{query}"), csv).await;
        assert!(made.status.is_success(), "{}", made.text);
        let id = made.body["id"].as_str().expect("an id").to_owned();
        eventually_some("the import ends", || async {
            let import = self.get(&format!("/imports/{id}")).await.expect(200);
            matches!(import["state"].as_str(), Some("completed" | "failed")).then_some(import)
        })
        .await
    }

    /// Contacts with consecutive numbers from `+13055560000` on, imported. Answers the import's id.
    pub async fn contacts(&self, count: usize) -> String {
        let rows: String = (0..count).map(|n| format!("Name {n},+1305556{n:04}\n")).collect();
        let import = self.import(format!("first_name,phone\n{rows}"), "").await;
        assert_eq!(import["created_count"], count, "{import}");
        import["id"].as_str().expect("an id").to_owned()
    }

    /// A draft to the contacts of an import. Answers its id.
    ///
    /// # Panics
    /// Where the API refuses.
    pub async fn draft(&self, line: &str, import: &str, more: Value) -> String {
        let mut body = json!({
            "name": format!("Campaign {}", uuid::Uuid::now_v7()), "line_id": line, "import_id": import, "body": "Hola {{firstName|amigo}}",
            // tests run at any hour
            "quiet_hours": false,
        });
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        self.post("/campaigns", &body).await.expect(201)["id"].as_str().expect("an id").to_owned()
    }

    /// Launches a draft.
    ///
    /// # Panics
    /// Where the API refuses.
    pub async fn launch(&self, campaign: &str) -> Value {
        self.act(&format!("/campaigns/{campaign}/launch")).await.expect(200)
    }

    /// Where a campaign stands.
    ///
    /// # Panics
    /// Where the API refuses.
    pub async fn progress(&self, campaign: &str) -> Value {
        self.get(&format!("/campaigns/{campaign}/progress")).await.expect(200)
    }

    /// Waits until a campaign is in a state. Answers its progress then.
    pub async fn until(&self, campaign: &str, state: &str) -> Value {
        eventually_some(&format!("the campaign is {state}"), || async {
            let progress = self.progress(campaign).await;
            (progress["state"] == state).then_some(progress)
        })
        .await
    }

    /// Waits until so many recipients of a campaign are in a state.
    pub async fn until_count(&self, campaign: &str, state: &str, count: u64) -> Value {
        eventually_some(&format!("{count} recipients are {state}"), || async {
            let progress = self.progress(campaign).await;
            (progress["counts"][state].as_u64().unwrap_or(0) >= count).then_some(progress)
        })
        .await
    }

    /// The recipients of a campaign in a state, at most 200.
    pub async fn recipients(&self, campaign: &str, state: &str) -> Vec<Value> {
        self.items(&format!("/campaigns/{campaign}/recipients?limit=200&state={state}")).await
    }

    /// The rows of a list's first page.
    ///
    /// # Panics
    /// Where the API refuses.
    pub async fn items(&self, path: &str) -> Vec<Value> {
        self.get(path).await.expect(200)["items"].as_array().expect("a list").clone()
    }

    /// The messages with an address, newest first; none where there is no conversation.
    ///
    /// # Panics
    /// Where there is more than one conversation with it.
    pub async fn messages(&self, address: &str) -> Vec<Value> {
        let all = self.items("/conversations?limit=200").await;
        let mut found = all.iter().filter(|conversation| conversation["address"] == address);
        let Some(conversation) = found.next() else { return Vec::new() };
        assert!(found.next().is_none(), "two conversations with {address}");
        self.items(&format!("/conversations/{}/messages?limit=200", conversation["id"].as_str().expect("an id"))).await
    }
}
