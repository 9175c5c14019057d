//! The web application, built into this program: its files by their names, and its one page for every other address of ours.
//! Knows nothing of what the pages do. An address under `/api/` or `/assets/` that is not there stays a 404: a program that asks
//! for something that is missing must not get a page, and a page of the last version must not take one for a script.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use crm::Error;
use rust_embed::{Embed, EmbeddedFile};

use crate::problem::Problem;

/// What `npm run build` wrote in `web/`. A debug build reads the folder at run time; any build compiles without it.
#[derive(Embed)]
#[folder = "../web/dist"]
#[allow_missing = true]
struct Files;

const PAGE: &str = "index.html";
/// Where nothing but files with a hash in their names lies.
const HASHED: &str = "assets/";
/// Nothing from elsewhere, nothing inline. Pictures and sounds may be made on the page, for a preview before an upload.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; \
                      font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'";
/// What the page of the application may ask the browser for: a microphone, for voice messages.
const FEATURES: &str =
    "camera=(), geolocation=(), microphone=(self), payment=(), usb=(), clipboard-read=(self), clipboard-write=(self)";

/// Twins of a file that a browser may take instead, the smallest first.
const TWINS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// Answers for every address that no route has.
pub async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let is_look = matches!(method, Method::GET | Method::HEAD);
    if !is_look || path == "api" || path.starts_with("api/") {
        return Problem::from(Error::NotFound).into_response();
    }
    match find(path) {
        Some(file) => of_file(path, file, &headers),
        None if path.starts_with(HASHED) => Problem::from(Error::NotFound).into_response(),
        None => page(&headers),
    }
}

/// A file of the application; its page and the twins are nobody's to name, and a file has one name only.
fn find(path: &str) -> Option<EmbeddedFile> {
    let is_twin = TWINS.iter().any(|(_, ending)| path.ends_with(ending));
    let is_plain = path.split('/').all(|part| !part.is_empty() && !part.starts_with('.'));
    if path == PAGE || is_twin || !is_plain { None } else { Files::get(path) }
}

fn page(headers: &HeaderMap) -> Response {
    match Files::get(PAGE) {
        Some(file) => of_file(PAGE, file, headers),
        None => not_built(),
    }
}

/// The file, or its smaller twin where the browser takes that, or the news that what the browser has is still right.
fn of_file(path: &str, file: EmbeddedFile, asked: &HeaderMap) -> Response {
    let lasting = if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let tag = tag_of(&file);
    let mime = mime_of(path, &file);
    let known = asked.get(header::IF_NONE_MATCH).is_some_and(|known| names(known, &tag));
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let twin = TWINS.into_iter().find_map(|(coding, ending)| {
            let twin = accepts(asked, coding).then(|| Files::get(&format!("{path}{ending}")))??;
            Some((coding, twin))
        });
        let (coding, bytes) = match twin {
            Some((coding, twin)) => (Some(coding), twin.data),
            None => (None, file.data),
        };
        let mut response = Body::from(bytes.into_owned()).into_response();
        if let Some(coding) = coding {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        response
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, mime);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(lasting));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert("permissions-policy", HeaderValue::from_static(FEATURES));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// Weak, since a twin has other bytes that mean the same.
fn tag_of(file: &EmbeddedFile) -> String {
    let hash: String = file.metadata.sha256_hash().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("W/\"{hash}\"")
}

fn names(known: &HeaderValue, tag: &str) -> bool {
    known.to_str().is_ok_and(|known| known.split(',').any(|known| known.trim() == tag))
}

fn mime_of(path: &str, file: &EmbeddedFile) -> HeaderValue {
    let mime = file.metadata.mimetype();
    let is_text = mime.starts_with("text/") || path.ends_with(".js") || path.ends_with(".json");
    let mime = if is_text { format!("{mime}; charset=utf-8") } else { mime.to_owned() };
    HeaderValue::from_str(&mime).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

/// Whether the browser takes that coding: named, and not with a weight of nothing.
fn accepts(asked: &HeaderMap, coding: &str) -> bool {
    let lines = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|part| {
        let mut words = part.split(';').map(str::trim);
        let is_named = words.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
        let weight = words.find_map(|word| word.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>);
        is_named && weight.is_ok_and(|weight| weight > 0.0)
    })
}

/// What stands in place of an application that nobody has built yet.
fn not_built() -> Response {
    const TEXT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Paloma</title>\
        <h1>The web application is not built</h1>\
        <p>This program was built without it. Run <code>make ui</code> (it needs Node 20.19 or newer) and load this page again; \
        a release build has to be built again too. The API works without it.</p></html>";
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], TEXT).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
        headers
    }

    #[test]
    fn a_coding_is_taken_where_it_is_named_and_weighs_something() {
        assert!(accepts(&asking("gzip, deflate, br"), "br"));
        assert!(accepts(&asking("gzip;q=0.5, BR;q=1.0"), "br"));
        assert!(!accepts(&asking("gzip, br;q=0"), "br"));
        assert!(!accepts(&asking("gzip, br;q=soon"), "br"));
        assert!(!accepts(&asking("brotli, *"), "br"));
        assert!(!accepts(&HeaderMap::new(), "gzip"));
    }

    #[test]
    fn the_policy_lets_nothing_in_from_elsewhere_and_nothing_inline() {
        assert!(!POLICY.contains("unsafe") && !POLICY.contains("http") && !POLICY.contains('*'), "{POLICY}");
        assert!(!POLICY.contains("  "), "{POLICY}");
    }

    #[tokio::test]
    async fn what_is_missing_under_the_api_or_among_the_files_is_a_404() {
        for path in ["/api", "/api/v1/nothing", "/assets/index-0000.js", "/assets/../index.html"] {
            let answer = serve(Method::GET, path.parse().unwrap(), HeaderMap::new()).await;
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        }
        let answer = serve(Method::POST, "/inbox".parse().unwrap(), HeaderMap::new()).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    }
}
