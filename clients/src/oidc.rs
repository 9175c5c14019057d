//! Identity providers that speak OpenID Connect: the authorization code flow with PKCE, state and nonce, and what an ID token has to be before anything of it
//! is believed. It knows nobody and keeps nothing but what providers publish about themselves, for a while.

mod token;

use std::{
    collections::HashMap,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use openidconnect::{
    AccessToken, AdditionalProviderMetadata, AsyncHttpClient, AuthType, AuthorizationCode, ClientId, ClientSecret,
    CsrfToken, DiscoveryError, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl,
    JwsSigningAlgorithm, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata,
    RedirectUrl, RequestTokenError, Scope, SubjectIdentifier, TokenResponse,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient,
        CoreClientAuthMethod, CoreErrorResponseType, CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
        CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType,
        CoreSubjectIdentifierType, CoreUserInfoClaims,
    },
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::{ClientError, Egress, Http, HttpOptions, http::BuildError};
use token::{Refusal, check};

/// How long a provider may take for one answer. A person waits, and a log-in asks three times at the most.
const PATIENCE: Duration = Duration::from_secs(5);
/// And for all that ends a log-in, or tells an e-mail: requests of ours have half a minute.
const IN_ALL: Duration = Duration::from_secs(12);
/// And for the connection.
const CONNECT: Duration = Duration::from_secs(3);
/// The longest answer that is read: documents of providers are some kilobytes.
const ANSWER_LIMIT: usize = 256 << 10;
/// How long what a provider publishes is taken as it was read.
const KEPT: Duration = Duration::from_secs(600);
/// Providers that are remembered; above it all are forgotten and asked anew.
const MOST_KEPT: usize = 1024;

/// What a provider may say beyond the library's own fields.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Extra {
    /// It names itself when it sends somebody back (RFC 9207), so an answer that does not is somebody else's.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}
impl AdditionalProviderMetadata for Extra {}

type Metadata = ProviderMetadata<
    Extra,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;
type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// Why somebody is not known by what a provider said. Made of fixed words: nothing a provider wrote is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It does not answer, or says that it can't for now.
    #[error("the identity provider does not answer ({0})")]
    Unreachable(&'static str),
    /// It answers what no provider of this standard answers.
    #[error("the identity provider answers what the standard does not know ({0})")]
    Faulty(&'static str),
    /// It refuses the code, or us.
    #[error("the identity provider refuses ({0})")]
    Refused(&'static str),
    /// What it vouches for does not hold.
    #[error("what the identity provider sent can't be trusted ({0})")]
    Untrusted(&'static str),
}

/// What this installation is at a provider.
#[derive(Debug, Clone, Copy)]
pub struct Party<'a> {
    /// The provider.
    pub issuer: &'a str,
    /// Our name there.
    pub client_id: &'a str,
    /// Our secret there; none for a public client.
    pub client_secret: Option<&'a SecretString>,
    /// Where it sends people back to.
    pub redirect_url: &'a str,
}

/// What binds an answer to the log-in that was begun. Kept by us; the provider sees the state, the nonce, and a hash of the verifier.
pub struct Binding {
    /// Comes back with the browser.
    pub state: String,
    /// Comes back inside the ID token.
    pub nonce: String,
    /// Only who began can exchange the code. 43 to 128 characters.
    pub verifier: SecretString,
}

/// With what a browser comes back.
pub struct Returned<'a> {
    /// The code.
    pub code: &'a str,
    /// Who says so, where it does.
    pub issuer: Option<&'a str>,
}

/// Somebody a provider vouches for.
pub struct Vouched {
    /// Who, for ever, at that provider.
    pub subject: String,
    /// By what means they have logged in there (RFC 8176), as far as it says.
    pub methods: Vec<String>,
    /// When they last gave what they log in with, as far as it says.
    pub logged_in_at: Option<DateTime<Utc>>,
    email: Option<Email>,
    access_token: AccessToken,
}

/// What a provider says of somebody's e-mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// The address.
    pub address: String,
    /// Whether it has found out that the address is theirs.
    pub is_verified: bool,
}

/// What was read of each issuer, and when.
type Known = HashMap<String, (Instant, Arc<Metadata>)>;

/// The client for all providers of an installation.
#[derive(Clone)]
pub struct Oidc {
    http: Http,
    egress: Egress,
    known: Arc<Mutex<Known>>,
}

impl fmt::Debug for Oidc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oidc").field("egress", &self.egress).finish_non_exhaustive()
    }
}

/// How the library's requests go out.
struct Wire {
    http: Http,
    op: &'static str,
}

impl<'c> AsyncHttpClient<'c> for Wire {
    type Error = ClientError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, ClientError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.http.pass(("oidc", self.op), request, PATIENCE))
    }
}

/// Whether a provider may stand at that address: https, or http on this very machine where private addresses are allowed. What a name resolves to is
/// looked at when it is connected to.
pub fn is_usable(egress: Egress, address: &Url) -> bool {
    let is_local = match address.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(v4)) => v4.is_loopback(),
        Some(Host::Ipv6(v6)) => v6.is_loopback(),
        None => false,
    };
    let is_scheme = match address.scheme() {
        "https" => true,
        "http" => is_local && egress == Egress::AllowPrivate,
        _ => false,
    };
    let has_user = !address.username().is_empty() || address.password().is_some();
    is_scheme && !has_user && address.fragment().is_none() && egress.allows_url(address)
}

impl Oidc {
    /// Builds the client.
    pub fn new(egress: Egress) -> Result<Self, BuildError> {
        let options = HttpOptions { connect_timeout: CONNECT, answer_limit: ANSWER_LIMIT, ..HttpOptions::new(egress) };
        Ok(Self { http: Http::new(options)?, egress, known: Arc::default() })
    }

    fn wire(&self, op: &'static str) -> Wire {
        Wire { http: self.http.clone(), op }
    }

    /// Which addresses providers may have.
    #[must_use]
    pub const fn egress(&self) -> Egress {
        self.egress
    }

    /// Where the browser goes. `is_fresh` asks the provider to have them log in there anew.
    pub async fn begin(&self, party: &Party<'_>, binding: &Binding, is_fresh: bool) -> Result<Url, Fault> {
        let (metadata, _) = self.metadata(party.issuer).await?;
        let client = client(party, &metadata)?;
        let verifier = PkceCodeVerifier::new(binding.verifier.expose_secret().to_owned());
        let (state, nonce) = (CsrfToken::new(binding.state.clone()), Nonce::new(binding.nonce.clone()));
        let mut request = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || state, move || nonce)
            .add_scopes(["email", "profile"].map(|scope| Scope::new(scope.to_owned())))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        if is_fresh {
            request = request.add_prompt(CoreAuthPrompt::Login).set_max_age(Duration::ZERO);
        }
        Ok(request.url().0)
    }

    /// Exchanges the code, and checks everything that the ID token has to be: signature by a key of the provider, issuer, audience, expiry, nonce.
    pub async fn finish(
        &self,
        party: &Party<'_>,
        kept: (&str, SecretString),
        returned: &Returned<'_>,
        now: DateTime<Utc>,
    ) -> Result<Vouched, Fault> {
        let finished = tokio::time::timeout(IN_ALL, self.exchange(party, kept, returned, now)).await;
        finished.unwrap_or(Err(Fault::Unreachable("slow")))
    }

    async fn exchange(
        &self,
        party: &Party<'_>,
        (nonce, verifier): (&str, SecretString),
        returned: &Returned<'_>,
        now: DateTime<Utc>,
    ) -> Result<Vouched, Fault> {
        let (metadata, is_new) = self.metadata(party.issuer).await?;
        match returned.issuer {
            Some(issuer) if issuer != party.issuer => return Err(Fault::Untrusted("issuer")),
            None if metadata.additional_metadata().authorization_response_iss_parameter_supported => {
                return Err(Fault::Untrusted("issuer_missing"));
            }
            Some(_) | None => {}
        }
        let client = client(party, &metadata)?;
        let http = self.wire("token");
        let answer = client
            .exchange_code(AuthorizationCode::new(returned.code.to_owned()))
            .map_err(|_| Fault::Faulty("token_endpoint"))?
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.expose_secret().to_owned()))
            .request_async(&http)
            .await
            .map_err(of_token)?;
        let token = answer.id_token().ok_or(Fault::Faulty("id_token"))?;
        let nonce = Nonce::new(nonce.to_owned());
        let access_token = answer.access_token();
        let claims = match check(&client, token, access_token, &nonce, now) {
            // its keys may be others by now
            Err(Refusal::NoKey) if !is_new => {
                let metadata = self.read(party.issuer).await?;
                let client = self::client(party, &metadata)?;
                check(&client, token, access_token, &nonce, now).map_err(Refusal::fault)?
            }
            checked => checked.map_err(Refusal::fault)?,
        };
        let is_subject = |subject: &str| (1..=255).contains(&subject.len()) && !subject.chars().any(char::is_control);
        if !is_subject(claims.subject()) {
            return Err(Fault::Faulty("subject"));
        }
        let methods = claims.auth_method_refs().into_iter().flatten();
        Ok(Vouched {
            subject: claims.subject().to_string(),
            methods: methods.map(|method| method.to_string()).collect(),
            logged_in_at: claims.auth_time(),
            email: claims
                .email()
                .map(|email| Email { address: email.to_string(), is_verified: claims.email_verified() == Some(true) }),
            access_token: access_token.clone(),
        })
    }

    /// Somebody's e-mail: of the ID token, else asked for; none where the provider tells none.
    pub async fn email(&self, party: &Party<'_>, vouched: &Vouched) -> Result<Option<Email>, Fault> {
        let told = tokio::time::timeout(IN_ALL, self.tell_email(party, vouched)).await;
        told.unwrap_or(Err(Fault::Unreachable("slow")))
    }

    async fn tell_email(&self, party: &Party<'_>, vouched: &Vouched) -> Result<Option<Email>, Fault> {
        if vouched.email.is_some() {
            return Ok(vouched.email.clone());
        }
        let (metadata, _) = self.metadata(party.issuer).await?;
        if metadata.userinfo_endpoint().is_none() {
            return Ok(None);
        }
        let client = client(party, &metadata)?;
        let http = self.wire("userinfo");
        let subject = SubjectIdentifier::new(vouched.subject.clone());
        let request = client.user_info(vouched.access_token.clone(), Some(subject));
        let said: CoreUserInfoClaims =
            request.map_err(|_| Fault::Faulty("userinfo_endpoint"))?.request_async(&http).await.map_err(|error| {
                use openidconnect::UserInfoError as E;
                match error {
                    E::Request(error) => unreachable(&error),
                    E::ClaimsVerification(_) => Fault::Untrusted("userinfo"),
                    _ => Fault::Faulty("userinfo"),
                }
            })?;
        Ok(said
            .email()
            .map(|email| Email { address: email.to_string(), is_verified: said.email_verified() == Some(true) }))
    }

    /// What a provider publishes about itself, and whether it was read just now.
    async fn metadata(&self, issuer: &str) -> Result<(Arc<Metadata>, bool), Fault> {
        let kept = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(issuer).cloned();
        match kept {
            Some((at, metadata)) if at.elapsed() < KEPT => Ok((metadata, false)),
            Some(_) | None => Ok((self.read(issuer).await?, true)),
        }
    }

    async fn read(&self, issuer: &str) -> Result<Arc<Metadata>, Fault> {
        let url = IssuerUrl::new(issuer.to_owned()).map_err(|_| Fault::Faulty("issuer"))?;
        if !is_usable(self.egress, url.url()) {
            return Err(Fault::Unreachable("egress_refused"));
        }
        let http = self.wire("discovery");
        let metadata = Metadata::discover_async(url, &http).await.map_err(of_discovery)?;
        let endpoints = [
            Some(metadata.authorization_endpoint().url()),
            metadata.token_endpoint().map(|url| url.url()),
            metadata.userinfo_endpoint().map(|url| url.url()),
            Some(metadata.jwks_uri().url()),
        ];
        if !endpoints.into_iter().flatten().all(|url| is_usable(self.egress, url)) {
            return Err(Fault::Faulty("endpoints"));
        }
        // only keys that the provider alone has: a token that is signed by a secret we share could be ours
        let algorithms = metadata.id_token_signing_alg_values_supported();
        let signed: Vec<_> = algorithms
            .iter()
            .filter(|one| !one.uses_shared_secret() && **one != CoreJwsSigningAlgorithm::None)
            .cloned()
            .collect();
        if signed.is_empty() {
            return Err(Fault::Faulty("algorithms"));
        }
        let metadata = Arc::new(metadata.set_id_token_signing_alg_values_supported(signed));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_KEPT {
            known.clear();
        }
        known.insert(issuer.to_owned(), (Instant::now(), Arc::clone(&metadata)));
        Ok(metadata)
    }
}

fn client(party: &Party<'_>, metadata: &Metadata) -> Result<Client, Fault> {
    let redirect = RedirectUrl::new(party.redirect_url.to_owned()).map_err(|_| Fault::Faulty("redirect_url"))?;
    let secret = party.client_secret.map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
    let ways = metadata.token_endpoint_auth_methods_supported();
    // what the standard takes where nothing is said
    let is_basic = ways.is_none_or(|ways| ways.contains(&CoreClientAuthMethod::ClientSecretBasic));
    let way = if is_basic { AuthType::BasicAuth } else { AuthType::RequestBody };
    let client_id = ClientId::new(party.client_id.to_owned());
    Ok(CoreClient::from_provider_metadata(metadata.clone(), client_id, secret)
        .set_redirect_uri(redirect)
        .set_auth_type(way))
}

fn unreachable(error: &ClientError) -> Fault {
    match error {
        ClientError::Transient { reason } if *reason == "answer_too_long" => Fault::Faulty("answer_too_long"),
        error => Fault::Unreachable(error.code()),
    }
}

fn of_discovery(error: DiscoveryError<ClientError>) -> Fault {
    match error {
        DiscoveryError::Request(error) => unreachable(&error),
        DiscoveryError::Validation(_) => Fault::Faulty("issuer"),
        _ => Fault::Faulty("discovery"),
    }
}

type TokenError = openidconnect::StandardErrorResponse<CoreErrorResponseType>;

fn of_token(error: RequestTokenError<ClientError, TokenError>) -> Fault {
    match error {
        RequestTokenError::Request(error) => unreachable(&error),
        RequestTokenError::ServerResponse(said) => Fault::Refused(match said.error() {
            CoreErrorResponseType::InvalidGrant => "invalid_grant",
            CoreErrorResponseType::InvalidClient => "invalid_client",
            CoreErrorResponseType::UnauthorizedClient => "unauthorized_client",
            _ => "other",
        }),
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => Fault::Faulty("token"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_stands_behind_tls_or_on_this_machine_while_that_is_allowed() {
        let is_usable = |egress, text: &str| is_usable(egress, &Url::parse(text).unwrap());
        for text in ["https://id.example.com", "https://id.example.com/realms/acme", "https://93.184.216.34/"] {
            assert!(is_usable(Egress::Public, text) && is_usable(Egress::AllowPrivate, text), "{text}");
        }
        for text in ["http://127.0.0.1:9400", "http://localhost:9400/x", "http://[::1]:9400", "https://10.0.0.1"] {
            assert!(!is_usable(Egress::Public, text) && is_usable(Egress::AllowPrivate, text), "{text}");
        }
        for text in [
            "http://id.example.com",
            "http://10.0.0.1",
            "ftp://id.example.com",
            "https://user@id.example.com",
            "https://id.example.com/#x",
            "https://169.254.169.254",
        ] {
            assert!(!is_usable(Egress::Public, text) && !is_usable(Egress::AllowPrivate, text), "{text}");
        }
    }
}
