//! Which pages may act with a person's cookie: ours. A browser always names the page it acts for; a program has no page.

use axum::http::{HeaderMap, Method, header};

/// Whether the request can change something, or opens a socket, which browsers let any page do.
#[must_use]
pub fn must_be_checked(method: &Method, headers: &HeaderMap) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) || headers.contains_key(header::UPGRADE)
}

/// Whether the page that the request names is ours: that of the public address, or of the host the request came to, which a
/// foreign page can't choose. Without a name it comes from a program, unless the browser says that another site sent it.
#[must_use]
pub fn is_ours(headers: &HeaderMap, public_url: &str) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        let site = headers.get("sec-fetch-site").map(axum::http::HeaderValue::as_bytes);
        return matches!(site, None | Some(b"same-origin" | b"none"));
    };
    let Ok(origin) = origin.to_str() else { return false };
    let Some((scheme, authority)) = origin.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))
    else {
        return false;
    };
    let public = public_url.trim_end_matches('/');
    if public.eq_ignore_ascii_case(origin) {
        return true;
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let downgraded = public.starts_with("https://") && scheme != "https";
    !downgraded && host.is_some_and(|host| host.eq_ignore_ascii_case(authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(pairs: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        is_ours(&headers, "https://app.example.com/")
    }

    #[test]
    fn our_own_pages_and_programs_may() {
        assert!(ours(&[("origin", "https://app.example.com"), ("host", "10.0.0.1:8080")]));
        assert!(ours(&[("origin", "https://other.example.com"), ("host", "other.example.com")]));
        assert!(ours(&[("host", "app.example.com")]));
    }

    #[test]
    fn foreign_pages_may_not() {
        for origin in
            ["https://evil.example", "null", "https://app.example.com.evil.example", "http://app.example.com", ""]
        {
            assert!(!ours(&[("origin", origin), ("host", "app.example.com")]), "{origin}");
        }
        assert!(!ours(&[("sec-fetch-site", "cross-site"), ("host", "app.example.com")]));
    }

    #[test]
    fn a_socket_is_checked_like_a_change() {
        let mut headers = HeaderMap::new();
        assert!(!must_be_checked(&Method::GET, &headers));
        assert!(must_be_checked(&Method::DELETE, &headers));
        headers.insert(header::UPGRADE, "websocket".parse().unwrap());
        assert!(must_be_checked(&Method::GET, &headers));
    }
}
