//! The OpenAPI 3.1 document, made of the code: what handlers say of themselves and what the gate knows of who may call them.

use utoipa::{
    OpenApi, PartialSchema,
    openapi::{
        Components, ContentBuilder, Header, Object, Ref, RefOr, ResponseBuilder, SecurityRequirement, Type,
        extensions::ExtensionsBuilder,
        path::{Operation, PathItem},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::{
    gate::Access,
    problem::{MEDIA_TYPE, ProblemBody},
};

#[derive(OpenApi)]
#[openapi(info(
    title = "Paloma",
    description = "Campaigns and conversations over message gateways. Errors are problem+json with stable codes; lists are paged by \
                   cursor; creates take an Idempotency-Key."
))]
struct Head;

/// The document without paths: title, ways to log in, the shape of errors.
#[must_use]
pub fn head() -> utoipa::openapi::OpenApi {
    let mut document = Head::openapi();
    document.info.version = "1".to_owned();
    let components = document.components.get_or_insert_default();
    components.schemas.insert("Problem".to_owned(), ProblemBody::schema());
    add_answers(components);
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("paloma_session")));
    let bearer = |text: &str| {
        SecurityScheme::Http(
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(text.to_owned())).build(),
        )
    };
    components.add_security_scheme("session", cookie);
    components.add_security_scheme("api_key", bearer("an API key of a tenant, pk_…"));
    components.add_security_scheme("operator", bearer("the token of the platform's operator"));
    document
}

/// The document.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    crate::routes::all().describe().into_openapi()
}

/// The document as the checked-in file has it.
#[must_use]
pub fn text() -> String {
    document().to_pretty_json().unwrap_or_default() + "\n"
}

/// The operations of a path, each with its method.
pub fn operations(item: &mut PathItem) -> Vec<(&'static str, &mut Operation)> {
    let found = [
        ("GET", item.get.as_mut()),
        ("POST", item.post.as_mut()),
        ("PUT", item.put.as_mut()),
        ("PATCH", item.patch.as_mut()),
        ("DELETE", item.delete.as_mut()),
    ];
    found.into_iter().filter_map(|(method, operation)| Some((method, operation?))).collect()
}

/// Names the operation after its first word in the path and its handler, `lines_create`: names of handlers alone are not unique.
pub fn name(operation: &mut Operation, path: &str) {
    operation.tags.get_or_insert_default().dedup();
    let path = path.strip_prefix("/api/v1/").unwrap_or(path.trim_start_matches('/'));
    let noun = path.split('/').next().unwrap_or_default().replace(['-', '.'], "_");
    operation.operation_id = operation.operation_id.take().map(|handler| format!("{noun}_{handler}"));
}

/// Says who may call the operation.
pub fn add_access(operation: &mut Operation, access: Access) {
    let any_of = |names: &[&str]| {
        Some(names.iter().map(|name| SecurityRequirement::new(*name, Vec::<String>::new())).collect::<Vec<_>>())
    };
    operation.security = match access {
        Access::Private(_) | Access::SignedIn(_) | Access::OwnAccess(_) | Access::OwnSession(_) => {
            any_of(&["session", "api_key"])
        }
        Access::Platform => any_of(&["operator"]),
        Access::Public(_) => Some(Vec::new()),
    };
    if let Access::Private(permission) = access {
        operation.extensions = Some(ExtensionsBuilder::new().add("x-permission", permission.name()).build());
    }
}

/// Says with which statuses the gate and the extractors refuse, all in one form, and what a key is told of its limits. A handler that refuses in
/// another way says so itself; its errors get that form here.
pub fn add_problems(operation: &mut Operation, access: Access) {
    let is_known = !matches!(access, Access::Public(_));
    let is_key_taken = is_known && access != Access::Platform;
    let has_body = operation.request_body.is_some();
    let parameters = operation.parameters.as_deref().unwrap_or_default();
    let names_things = has_body || !parameters.is_empty();
    // a NUL in the address is refused everywhere
    let mut statuses = vec!["422", "500", "503"];
    if is_known {
        statuses.extend(["401", "403"]);
    }
    if names_things {
        statuses.extend(["404", "409"]);
    }
    if has_body {
        statuses.extend(["400", "413", "415"]);
    }
    if is_known || names_things {
        statuses.push("429");
    }
    let responses = &mut operation.responses.responses;
    for status in statuses {
        responses.insert(status.to_owned(), RefOr::Ref(Ref::from_response_name("Problem")));
    }
    for (status, response) in responses.iter_mut() {
        if status == "429" {
            *response = RefOr::Ref(Ref::from_response_name("Limited"));
        } else if status.starts_with(['4', '5']) {
            *response = RefOr::Ref(Ref::from_response_name("Problem"));
        } else if let (true, RefOr::T(response)) = (is_key_taken, response) {
            response.headers.extend(LIMIT_HEADERS.map(|(name, _)| (name.to_owned(), header(name))));
        }
    }
}

/// What every answer to a key says of its limits.
const LIMIT_HEADERS: [(&str, &str); 2] = [
    (
        "RateLimit",
        "For an API key: what is left of each window, `\"minute\";r=5999;t=1`; `t` is when all of it is there again, in seconds",
    ),
    (
        "RateLimit-Policy",
        "For an API key: what it may ask, `\"minute\";q=6000;w=60`, and with a quota `\"day\";q=10000;w=86400`",
    ),
];

fn header(name: &str) -> RefOr<Header> {
    RefOr::Ref(Ref::new(format!("#/components/headers/{name}")))
}

/// The forms of errors and of limits, once for all operations.
fn add_answers(components: &mut Components) {
    let problem = || {
        let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
        ContentBuilder::new().schema(Some(schema)).build()
    };
    let refused = ResponseBuilder::new().description("Refused, with the reason").content(MEDIA_TYPE, problem()).build();
    let wait = "Seconds until it is worth asking again";
    let mut limited = ResponseBuilder::new().description("Too much was asked").content(MEDIA_TYPE, problem()).build();
    for (name, text) in LIMIT_HEADERS.into_iter().chain([("Retry-After", wait)]) {
        let kind = if name == "Retry-After" { Type::Integer } else { Type::String };
        let mut described = Header::new(Object::with_type(kind));
        described.description = Some(text.to_owned());
        components.headers.insert(name.to_owned(), RefOr::T(described));
        limited.headers.insert(name.to_owned(), header(name));
    }
    components.responses.insert("Problem".to_owned(), RefOr::T(refused));
    components.responses.insert("Limited".to_owned(), RefOr::T(limited));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_operation_has_a_name_of_its_own_and_says_who_may_call_it() {
        let mut document = document();
        let mut names = BTreeSet::new();
        for (method, operation) in document.paths.paths.values_mut().flat_map(operations) {
            let name = operation.operation_id.clone().unwrap();
            assert!(operation.security.is_some(), "{method} {name}");
            assert!(operation.responses.responses.contains_key("500"), "{method} {name}");
            assert!(!operation.responses.responses.contains_key("default"), "{method} {name}: which statuses?");
            assert!(names.insert(name.clone()), "{name} is there twice");
        }
        assert_eq!(names.len(), crate::route_list().len());
    }

    #[test]
    fn every_shape_that_is_referred_to_is_in_the_document() {
        let text = text();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["openapi"], "3.1.0");
        for part in text.split("#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(json["components"]["schemas"].get(name).is_some(), "{name} is missing");
        }
    }

    #[test]
    fn the_checked_in_document_is_the_codes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi.json");
        let checked_in = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            checked_in == text(),
            "regenerate it: cargo run -p api --bin paloma-api -- --print-openapi > openapi.json"
        );
    }
}
