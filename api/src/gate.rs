//! The one way to mount a route: with a permission, for the platform's operator, or public with a written reason. What a route asks
//! for is checked before anything of its body is read.

use axum::{
    extract::{DefaultBodyLimit, Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use crm::{
    Error,
    access::{self, Caller, Credential, Permission, Sight},
};
use tower_http::limit::RequestBodyLimitLayer;
use utoipa::openapi::path::Operation;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter, UtoipaMethodRouterExt};

use crate::{Api, actor, limits, meter::Standing, openapi, origin, problem::Problem};

/// Who may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever has the permission, in a tenant.
    Private(Permission),
    /// Anybody known, for the reason given: what they see is their own.
    SignedIn(&'static str),
    /// The same, also for whoever still has to set up a second factor: by these they do. Never for an operator in somebody's place.
    OwnAccess(&'static str),
    /// The same for an operator in somebody's place too: who asks, and the way out.
    OwnSession(&'static str),
    /// The operator of the platform.
    Platform,
    /// Anybody, for the reason given.
    Public(&'static str),
}

impl Access {
    /// As the snapshot of routes says it.
    #[must_use]
    pub fn label(self) -> String {
        match self {
            Self::Private(permission) => permission.name().to_owned(),
            Self::SignedIn(reason) | Self::OwnAccess(reason) | Self::OwnSession(reason) => {
                format!("signed_in: {reason}")
            }
            Self::Platform => "platform".to_owned(),
            Self::Public(reason) => format!("public: {reason}"),
        }
    }
}

/// How long and how much a route may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    /// A short request with a small body.
    Small,
    /// A body of any length up to the limit for uploads, for as long as it takes.
    Upload,
    /// A socket that stays open.
    Socket,
}

/// What a route of a tenant is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Anything else.
    Use,
    /// It takes data along: open while the tenant is suspended, and closed to an operator in somebody's place.
    Export,
    /// It reaches whomever: closed to whoever may do it in some conversations only.
    Whole,
}

struct Entry {
    access: Access,
    size: Size,
    purpose: Purpose,
    routes: UtoipaMethodRouter<Api>,
}

/// Routes of a feature, each with who may come in.
#[derive(Default)]
pub struct Routes {
    entries: Vec<Entry>,
}

impl Routes {
    /// No routes yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// For whoever has the permission.
    #[must_use]
    pub fn private(self, permission: Permission, routes: UtoipaMethodRouter<Api>) -> Self {
        self.add(Access::Private(permission), Size::Small, routes)
    }
    /// The same for what takes data along: also while the tenant is suspended (D19), and never for an operator in somebody's place.
    #[must_use]
    pub fn export(mut self, permission: Permission, routes: UtoipaMethodRouter<Api>) -> Self {
        self = self.add(Access::Private(permission), Size::Small, routes);
        self.for_purpose(Purpose::Export)
    }
    /// The same for what is not a matter of single conversations, though their permission opens it: it takes the permission for all of them.
    #[must_use]
    pub fn whole(mut self, permission: Permission, routes: UtoipaMethodRouter<Api>) -> Self {
        self = self.add(Access::Private(permission), Size::Small, routes);
        self.for_purpose(Purpose::Whole)
    }
    fn for_purpose(mut self, purpose: Purpose) -> Self {
        if let Some(entry) = self.entries.last_mut() {
            entry.purpose = purpose;
        }
        self
    }
    /// The same for a long body, which the handler reads as a stream.
    #[must_use]
    pub fn upload(self, permission: Permission, routes: UtoipaMethodRouter<Api>) -> Self {
        self.add(Access::Private(permission), Size::Upload, routes)
    }
    /// For anybody known.
    #[must_use]
    pub fn signed_in(self, reason: &'static str, routes: UtoipaMethodRouter<Api>) -> Self {
        self.add(Access::SignedIn(reason), Size::Small, routes)
    }
    /// For anybody known who sees to how they log in.
    #[must_use]
    pub fn own_access(self, reason: &'static str, routes: UtoipaMethodRouter<Api>) -> Self {
        self.add(Access::OwnAccess(reason), Size::Small, routes)
    }
    /// For anybody known, and an operator in their place: who asks, and the way out.
    #[must_use]
    pub fn own_session(self, reason: &'static str, routes: UtoipaMethodRouter<Api>) -> Self {
        self.add(Access::OwnSession(reason), Size::Small, routes)
    }
    /// A socket for anybody known, who gets through it what their permissions allow.
    #[must_use]
    pub fn socket(self, reason: &'static str, routes: UtoipaMethodRouter<Api>) -> Self {
        self.add(Access::SignedIn(reason), Size::Socket, routes)
    }
    /// For the operator of the platform.
    #[must_use]
    pub fn platform(self, routes: UtoipaMethodRouter<Api>) -> Self {
        self.add(Access::Platform, Size::Small, routes)
    }
    /// For anybody.
    #[must_use]
    pub fn public(self, reason: &'static str, routes: UtoipaMethodRouter<Api>) -> Self {
        self.add(Access::Public(reason), Size::Small, routes)
    }
    /// All routes of another feature too.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.entries.extend(other.entries);
        self
    }

    fn add(mut self, access: Access, size: Size, mut routes: UtoipaMethodRouter<Api>) -> Self {
        for (path, item) in &mut routes.1.paths {
            openapi::operations(item).into_iter().for_each(|(_, operation)| describe(access, path, operation));
        }
        self.entries.push(Entry { access, size, purpose: Purpose::Use, routes });
        self
    }

    /// `METHOD PATH PERMISSION`, a line a route, sorted.
    #[must_use]
    pub fn list(mut self) -> Vec<String> {
        let mut lines = Vec::new();
        for entry in &mut self.entries {
            let label = entry.access.label();
            for (path, item) in &mut entry.routes.1.paths {
                lines.extend(
                    openapi::operations(item).into_iter().map(|(method, _)| format!("{method} {path} {label}")),
                );
            }
        }
        lines.sort();
        lines
    }
    /// The routes without their guards, for the document alone.
    #[must_use]
    pub fn describe(self) -> OpenApiRouter<Api> {
        self.entries
            .into_iter()
            .fold(OpenApiRouter::with_openapi(openapi::head()), |router, entry| router.routes(entry.routes))
    }
    /// The routes behind their guards.
    pub fn mount(self, api: &Api) -> axum::Router<Api> {
        let router = self.entries.into_iter().fold(OpenApiRouter::default(), |router, entry| {
            let routes = entry.routes.map(|methods| {
                let guard = Guard { api: api.clone(), access: entry.access, size: entry.size, purpose: entry.purpose };
                let methods = match entry.size {
                    Size::Small => methods.route_layer(DefaultBodyLimit::max(limits::BODY)),
                    Size::Socket => methods.route_layer(DefaultBodyLimit::max(0)),
                    Size::Upload => methods
                        .route_layer(RequestBodyLimitLayer::new(limits::upload(&api.settings)))
                        .route_layer(DefaultBodyLimit::disable()),
                };
                methods.route_layer(from_fn_with_state(guard, check))
            });
            router.routes(routes)
        });
        router.split_for_parts().0
    }
}

/// Adds to the document what the gate knows of an operation.
fn describe(access: Access, path: &str, operation: &mut Operation) {
    openapi::name(operation, path);
    openapi::add_access(operation, access);
    openapi::add_problems(operation, access);
}

#[derive(Clone)]
struct Guard {
    api: Api,
    access: Access,
    size: Size,
    purpose: Purpose,
}

async fn check(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let mut standing = None;
    let mut response = match admit(&guard, &mut request, &mut standing).await {
        Err(problem) => problem.into_response(),
        Ok(()) if guard.size == Size::Small => match tokio::time::timeout(limits::TIME, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Problem::from(Error::Unavailable).into_response(),
        },
        Ok(()) => next.run(request).await,
    };
    if let Some(standing) = standing {
        standing.write(response.headers_mut());
    }
    response
}

async fn admit(guard: &Guard, request: &mut Request, standing: &mut Option<Standing>) -> Result<(), Problem> {
    let app = &guard.api.app;
    refuse_nul(request)?;
    let credential = actor::credential(&app.config.public_url, request.headers());
    // a token in a header is put there by a program; a cookie comes along by itself, whatever page asks
    let by_header = matches!(credential, Some(Credential::Key(_)));
    if !by_header && origin::must_be_checked(request.method(), request.headers()) {
        let ours = origin::is_ours(request.headers(), &app.config.public_url);
        if !ours {
            let detail = "this page is not one of ours, so it may not act for whoever is logged in";
            return Err(Problem::new(axum::http::StatusCode::FORBIDDEN, "foreign_origin", detail));
        }
    }
    match guard.access {
        Access::Public(_) => Ok(()),
        Access::Platform => {
            let who = actor::require_operator(app, request.headers()).await?;
            request.extensions_mut().insert(who);
            Ok(())
        }
        Access::Private(_) | Access::SignedIn(_) | Access::OwnAccess(_) | Access::OwnSession(_) => {
            identify(guard, credential, request, standing).await
        }
    }
}

/// Sees who asks, and what a key has left to ask for, which every answer to it says.
async fn identify(
    guard: &Guard,
    credential: Option<Credential>,
    request: &mut Request,
    standing: &mut Option<Standing>,
) -> Result<(), Problem> {
    let Guard { access, purpose, .. } = guard;
    let credential = credential.ok_or(Error::Unauthorized)?;
    let (caller, allowance) = access::recognize(&guard.api.app, &credential).await?;
    if let Some(allowance) = allowance {
        let (stands, outcome) = guard.api.meter.ask(&allowance);
        *standing = Some(stands);
        outcome?;
    }
    if caller.lacks_factor && !matches!(access, Access::OwnAccess(_) | Access::OwnSession(_)) {
        return Err(Error::FactorNeeded.into());
    }
    if caller.impersonator_id.is_some() && (matches!(access, Access::OwnAccess(_)) || *purpose == Purpose::Export) {
        return Err(Error::Impersonated.into());
    }
    if let Access::Private(permission) = access {
        match purpose {
            Purpose::Whole => caller.require_whole(*permission)?,
            Purpose::Use | Purpose::Export => caller.require(*permission)?,
        }
        if caller.is_suspended && !request.method().is_safe() && *purpose != Purpose::Export {
            return Err(Error::Suspended.into());
        }
    }
    tracing::Span::current().record("tenant.id", tracing::field::display(caller.tenant_id));
    request.extensions_mut().insert(credential);
    request.extensions_mut().insert(sight(*access, *purpose, &caller));
    request.extensions_mut().insert(caller);
    Ok(())
}

/// Which conversations there are for a request. What a permission opens that has no scope is whole: whoever merges two contacts or takes somebody's
/// access away does so for all of their conversations, also those that they do not see. So is what reaches whomever.
fn sight(access: Access, purpose: Purpose, caller: &Caller) -> Sight {
    match access {
        Access::Private(_) if purpose == Purpose::Whole => Sight::All,
        Access::Private(permission) if !permission.is_scoped() => Sight::All,
        Access::Private(permission) => caller.sight(permission),
        Access::SignedIn(_) | Access::OwnAccess(_) | Access::OwnSession(_) | Access::Platform | Access::Public(_) => {
            caller.sight(Permission::ConversationsView)
        }
    }
}

/// Postgres holds no NUL, so none is let in: here in the address, in [`crate::extract`] in bodies.
fn refuse_nul(request: &Request) -> Result<(), Problem> {
    let address = request.uri().path_and_query().map_or("", axum::http::uri::PathAndQuery::as_str);
    if address.contains("%00") {
        return Err(Error::invalid("url", "nul_character", "the address contains a NUL character").into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_says_who_may_come_in_and_is_there_once() {
        let lines = crate::route_list();
        let mut seen = std::collections::BTreeSet::new();
        for line in &lines {
            let mut words = line.splitn(3, ' ');
            let (method, path, access) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            assert!(path.starts_with("/api/v1/") || ["/livez", "/readyz", "/metrics"].contains(&path), "{line}");
            let known = access == "platform"
                || access.strip_prefix("public: ").is_some_and(|reason| reason.len() > 10)
                || access.strip_prefix("signed_in: ").is_some_and(|reason| reason.len() > 10)
                || access.parse::<Permission>().is_ok();
            assert!(known, "{line}");
            assert!(seen.insert((method, path)), "{line} is there twice");
        }
    }
}
