//! The web application as the api serves it: what a browser may keep and for how long, in which coding it comes, and what stays a 404.

use std::{fs, path::PathBuf};

use e2e::World;
use reqwest::{Client, Response, header};

/// What `make ui` wrote.
fn dist() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../web/dist"))
}

/// A script of the application, by its path; none where it has not been built.
fn script() -> Option<String> {
    let files = fs::read_dir(dist().join("assets")).ok()?;
    let mut names = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
    let found = names.find(|name| name.starts_with("index-") && name.ends_with(".js"))?;
    Some(format!("/assets/{found}"))
}

/// Whether the application is built; where nothing may be left out it has to be.
fn is_built() -> bool {
    let is_built = script().is_some();
    assert!(is_built || std::env::var_os("PALOMA_LEAVE_NOTHING_OUT").is_none(), "build it first: make ui");
    if !is_built {
        println!("left out: the web application is not built");
    }
    is_built
}

async fn get(world: &World, path: &str, coding: &str) -> Response {
    let request = Client::new().get(format!("{}{path}", world.base())).header(header::ACCEPT_ENCODING, coding);
    request.send().await.unwrap()
}

fn header_of(answer: &Response, name: impl header::AsHeaderName) -> &str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn every_address_of_a_screen_is_the_one_page_which_is_asked_for_anew_each_time() {
    let world = World::without_workers().await;
    if is_built() {
        let page = fs::read_to_string(dist().join("index.html")).unwrap();
        for path in ["/", "/inbox", "/campaigns/0197f0c4-0000-7000-8000-000000000000?state=failed", "/no/such/screen"] {
            let answer = get(&world, path, "").await;
            assert_eq!(answer.status(), 200, "{path}");
            assert_eq!(header_of(&answer, header::CACHE_CONTROL), "no-cache", "{path}");
            assert_eq!(header_of(&answer, header::CONTENT_TYPE), "text/html; charset=utf-8", "{path}");
            assert_eq!(answer.text().await.unwrap(), page, "{path}");
        }
        assert!(!page.contains("<style") && !page.contains("style="), "the policy refuses styles in the page");
        assert!(page.split("<script").skip(1).all(|script| script.contains("src=")), "and scripts in it");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_file_with_a_hash_in_its_name_is_kept_for_good_and_comes_in_the_smallest_coding_that_is_taken() {
    let world = World::without_workers().await;
    if let Some(path) = script().filter(|_| is_built()) {
        let mut sizes = Vec::new();
        for (asked, given, ending) in [("", "", ""), ("gzip", "gzip", ".gz"), ("gzip, br", "br", ".br")] {
            let answer = get(&world, &path, asked).await;
            assert_eq!(answer.status(), 200);
            assert_eq!(header_of(&answer, header::CONTENT_ENCODING), given);
            assert_eq!(header_of(&answer, header::CACHE_CONTROL), "public, max-age=31536000, immutable");
            assert_eq!(header_of(&answer, header::VARY), "accept-encoding");
            assert!(header_of(&answer, header::CONTENT_TYPE).starts_with("text/javascript"), "{answer:?}");
            let bytes = answer.bytes().await.unwrap();
            assert_eq!(bytes, fs::read(dist().join(format!("{}{ending}", &path[1..]))).unwrap());
            sizes.push(bytes.len());
        }
        assert!(sizes.is_sorted_by(|larger, smaller| larger > smaller), "{sizes:?}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_page_that_the_browser_has_already_is_not_sent_again() {
    let world = World::without_workers().await;
    if is_built() {
        let first = get(&world, "/inbox", "br").await;
        let tag = header_of(&first, header::ETAG).to_owned();
        let again = Client::new().get(format!("{}/inbox", world.base())).header(header::IF_NONE_MATCH, &tag);
        let again = again.send().await.unwrap();
        assert_eq!(again.status(), 304);
        assert_eq!(header_of(&again, header::ETAG), tag);
        assert!(again.bytes().await.unwrap().is_empty());
    }
    world.finish().await;
}

#[tokio::test]
async fn the_page_may_load_nothing_from_elsewhere_and_nobody_may_frame_it() {
    let world = World::without_workers().await;
    if is_built() {
        let answer = get(&world, "/inbox", "").await;
        let policy = header_of(&answer, header::CONTENT_SECURITY_POLICY).to_owned();
        for part in ["default-src 'none'", "script-src 'self';", "style-src 'self';", "connect-src 'self';"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(header_of(&answer, header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(header_of(&answer, header::X_FRAME_OPTIONS), "DENY");
        assert_eq!(header_of(&answer, "cross-origin-opener-policy"), "same-origin");
        assert!(header_of(&answer, "permissions-policy").contains("camera=()"));
    }
    world.finish().await;
}

/// D11: what is missing under the API answers alike, also where a page could be shown.
#[tokio::test]
async fn what_is_missing_among_the_files_and_under_the_api_is_a_404() {
    let world = World::without_workers().await;
    for path in [
        "/api",
        "/api/v1/nothing",
        "/api/v2/session",
        "/assets/index-00000000.js",
        "/assets/",
        "/assets/index.html",
        "/assets/..%2findex.html",
    ] {
        let answer = get(&world, path, "").await;
        assert_eq!(answer.status(), 404, "{path}");
        assert_eq!(header_of(&answer, header::CONTENT_TYPE), "application/problem+json", "{path}");
    }
    let posted = Client::new().post(format!("{}/inbox", world.base())).send().await.unwrap();
    assert_eq!(posted.status(), 404);
    world.finish().await;
}
