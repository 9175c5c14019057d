//! Behaviour of the client over real sockets of this machine.

use super::*;
use crate::scripted::{Script, serve};

const CANARY: &str = "canary-7f3a";

fn http(egress: Egress) -> Http {
    Http::new(HttpOptions::new(egress)).unwrap()
}

fn call(url: &str, effect: Effect) -> Call {
    Call {
        service: "test",
        op: "probe",
        method: Method::POST,
        url: Url::parse(url).unwrap(),
        form: None,
        file: None,
        range: None,
        json: Some(b"{}".to_vec()),
        headers: &[],
        own_headers: Vec::new(),
        timeout: Duration::from_secs(20),
        effect,
    }
}

#[tokio::test]
async fn a_refused_connection_is_transient_even_for_a_call_that_acts() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = http(Egress::AllowPrivate)
        .call(call(&format!("http://{closed}/?password={CANARY}"), Effect::Once))
        .await
        .unwrap_err();
    assert_eq!(error, ClientError::Transient { reason: "connect_refused" });
    assert!(!format!("{error:?} {error}").contains(CANARY));
}

#[tokio::test]
async fn a_connection_closed_after_the_request_leaves_the_outcome_open() {
    let base = serve([Script::Close, Script::Close]).await;
    let http = http(Egress::AllowPrivate);
    let acted = http.call(call(&format!("{base}/?password={CANARY}"), Effect::Once)).await.unwrap_err();
    assert!(matches!(acted, ClientError::UnknownOutcome { .. }), "{acted:?}");
    let read = http.call(call(&base, Effect::Repeatable)).await.unwrap_err();
    assert!(matches!(read, ClientError::Transient { .. }), "{read:?}");
    assert!(!format!("{acted:?} {acted} {read:?}").contains(CANARY));
}

#[tokio::test]
async fn an_answer_that_never_comes_is_open_for_a_call_that_acts() {
    let base = serve([Script::Silence]).await;
    let mut slow = call(&base, Effect::Once);
    slow.timeout = Duration::from_millis(50);
    let error = http(Egress::AllowPrivate).call(slow).await.unwrap_err();
    assert_eq!(error, ClientError::UnknownOutcome { reason: "timeout" });
}

#[tokio::test]
async fn a_truncated_answer_is_open_for_a_call_that_acts() {
    let base = serve([Script::Raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"status\"")]).await;
    let error = http(Egress::AllowPrivate).call(call(&base, Effect::Once)).await.unwrap_err();
    assert_eq!(error, ClientError::UnknownOutcome { reason: "answer_cut" });
}

#[tokio::test]
async fn an_answer_longer_than_the_limit_is_not_read() {
    let base = serve([Script::Answer(200, "0123456789")]).await;
    let http = Http::new(HttpOptions { answer_limit: 5, ..HttpOptions::new(Egress::AllowPrivate) }).unwrap();
    let error = http.call(call(&base, Effect::Repeatable)).await.unwrap_err();
    assert_eq!(error, ClientError::Transient { reason: "answer_too_long" });
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let base =
        serve([Script::Raw("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")]).await;
    let answer = http(Egress::AllowPrivate).call(call(&base, Effect::Once)).await.unwrap();
    assert_eq!(answer.status, StatusCode::FOUND);
}

#[tokio::test]
async fn a_name_that_resolves_inside_is_refused_like_an_address_inside() {
    let base = serve([Script::Answer(200, "secret")]).await;
    let port = Url::parse(&base).unwrap().port().unwrap();
    let http = http(Egress::Public);
    for host in ["localhost", "127.0.0.1", "[::1]", "0x7f000001", "2130706433", "169.254.169.254", "[::ffff:10.0.0.1]"]
    {
        let error = http.call(call(&format!("http://{host}:{port}/"), Effect::Repeatable)).await.unwrap_err();
        assert_eq!(error, egress_refused(), "{host}");
    }
}

#[tokio::test]
async fn a_name_is_connected_to_where_it_was_checked_and_not_where_it_moves_inside() {
    let base = serve([Script::Answer(200, "secret")]).await;
    let url = format!("http://rebinds.example:{}/", Url::parse(&base).unwrap().port().unwrap());
    let of = |address: &str| HashMap::from([("rebinds.example".to_owned(), vec![address.parse().unwrap()])]);
    let list = Arc::new(std::sync::RwLock::new(of("93.184.216.34")));
    let with = |egress| {
        let names = Names::Listed(Arc::clone(&list));
        Http::new(HttpOptions { names, ..HttpOptions::new(egress) }).unwrap()
    };
    let public = with(Egress::Public);
    public.check(&Url::parse(&url).unwrap()).await.unwrap();
    *list.write().unwrap() = of("127.0.0.1");
    let refused = public.check(&Url::parse(&url).unwrap()).await.unwrap_err();
    let called = public.glance(call(&url, Effect::Repeatable), 100).await.unwrap_err();
    assert_eq!((refused, called), (egress_refused(), egress_refused()));
    // nobody has taken the one answer: the list alone says where the name leads
    let answer = with(Egress::AllowPrivate).glance(call(&url, Effect::Repeatable), 3).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"sec"[..]));
}

#[tokio::test]
async fn of_a_glance_the_status_counts_whatever_becomes_of_the_body() {
    let cut = "HTTP/1.1 202 Accepted\r\ncontent-length: 100\r\n\r\nbeg";
    let base = serve([Script::Raw(cut), Script::Silence]).await;
    let http = http(Egress::AllowPrivate);
    let answer = http.glance(call(&base, Effect::Repeatable), 100).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::ACCEPTED, &b"beg"[..]));
    let mut slow = call(&base, Effect::Repeatable);
    slow.timeout = Duration::from_millis(50);
    let error = http.glance(slow, 100).await.unwrap_err();
    assert_eq!(error, ClientError::Transient { reason: "timeout" });
}

#[tokio::test]
async fn a_client_that_only_speaks_tls_refuses_everything_else() {
    let options = HttpOptions { https_only: true, ..HttpOptions::new(Egress::AllowPrivate) };
    let http = Http::new(options).unwrap();
    let base = serve([Script::Answer(200, "")]).await;
    let error = http.call(call(&base, Effect::Repeatable)).await.unwrap_err();
    assert_eq!(error, egress_refused());
}

#[tokio::test]
async fn a_host_that_refuses_is_soon_no_longer_called() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let http = http(Egress::AllowPrivate);
    for _ in 0..5 {
        let error = http.call(call(&format!("http://{closed}/"), Effect::Once)).await.unwrap_err();
        assert_eq!(error.code(), "connect_refused");
    }
    let error = http.call(call(&format!("http://{closed}/"), Effect::Once)).await.unwrap_err();
    assert_eq!(error, ClientError::Transient { reason: "breaker_open" });
}

#[test]
fn a_url_is_logged_without_its_secrets() {
    let url = Url::parse(&format!("http://me:{CANARY}@host:1234/a?x=1&password={CANARY}&Guid={CANARY}&token={CANARY}"));
    let shown = redacted(&url.unwrap());
    assert!(!shown.contains(CANARY), "{shown}");
    assert!(shown.starts_with("http://host:1234/a?x=1&password="), "{shown}");
    let call = call(&format!("http://host/?password={CANARY}"), Effect::Once);
    assert!(!format!("{call:?}").contains(CANARY));
}

#[tokio::test]
async fn a_connection_that_is_never_accepted_is_transient() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let patience = Duration::from_millis(50);
    let mut queued = Vec::new();
    // Nobody accepts: once the queue of the system is full, connecting hangs.
    while let Ok(Ok(stream)) = tokio::time::timeout(patience, tokio::net::TcpStream::connect(address)).await {
        queued.push(stream);
    }
    let options = HttpOptions { connect_timeout: patience, ..HttpOptions::new(Egress::AllowPrivate) };
    let error = Http::new(options).unwrap().call(call(&format!("http://{address}/"), Effect::Once)).await.unwrap_err();
    assert_eq!(error, ClientError::Transient { reason: "connect_timeout" });
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_meanwhile_is_replaced_without_a_loss() {
    // The first answer promises to keep the connection, then the server closes it, as a Mac does when idle.
    let kept = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    let base = serve([Script::Raw(kept), Script::Raw(kept)]).await;
    let http = http(Egress::AllowPrivate);
    for _ in 0..2 {
        assert_eq!(http.call(call(&base, Effect::Once)).await.unwrap().body, b"{}");
        // Lets the connection's task see the close; a close that crosses a request is an unknown outcome.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    }
}
