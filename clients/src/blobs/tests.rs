//! What a bucket's answers mean, over real sockets of this machine. What a real service answers is asked in `tests/e2e/bucket.rs`.

use std::time::Duration;

use super::*;
use crate::scripted::{Script, serve, serve_and_record};

const CANARY: &str = "canary-7f3a";

fn key() -> BlobKey {
    BlobKey { tenant_id: Uuid::from_u128(7), id: Uuid::from_u128(0xa1), form: Form::Original }
}

fn bucket(base: &str, root: &Path) -> Blobs {
    let options = BucketOptions {
        endpoint: base.parse().unwrap(),
        bucket: "files".to_owned(),
        region: "eu-central-1".to_owned(),
        key_id: "KEY".to_owned(),
        secret: CANARY.into(),
        is_in_path: true,
        patience: Duration::from_secs(5),
    };
    Blobs::bucket(root, options).unwrap()
}

fn root() -> PathBuf {
    std::env::temp_dir().join(format!("paloma-blobs-{}", Uuid::new_v4().simple()))
}

async fn opened(answer: &'static str, asked: Asked) -> Result<Found, BlobError> {
    bucket(&serve([Script::Raw(answer)]).await, &root()).open(key(), asked).await
}

async fn read(mut blob: Blob) -> Result<Vec<u8>, BlobError> {
    let mut all = Vec::new();
    while let Some(piece) = blob.next().await? {
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

#[track_caller]
fn blob(found: Result<Found, BlobError>) -> Blob {
    match found {
        Ok(Found::Blob(blob)) => blob,
        other => panic!("{other:?}"),
    }
}

async fn draft(blobs: &Blobs, bytes: &[u8]) -> Draft {
    let mut draft = blobs.draft(key().tenant_id).await.unwrap();
    draft.file.write_all(bytes).await.unwrap();
    draft
}

#[tokio::test]
async fn a_file_goes_out_signed_with_its_length_and_its_type_and_is_only_ever_saved() {
    let (base, seen) = serve_and_record([Script::Answer(200, "")]).await;
    let root = root();
    let blobs = bucket(&base, &root);
    blobs.keep(&draft(&blobs, b"hola").await, key(), "image/png").await.unwrap();
    let request = seen.lock().unwrap()[0].clone();
    let (tenant, id) = (key().tenant_id.simple(), key().id.simple());
    assert!(request.starts_with(&format!("PUT /files/{tenant}/a1/{id}.original?X-Amz-Algorithm=")), "{request}");
    for line in ["content-length: 4", "content-type: image/png", "content-disposition: attachment"] {
        assert!(request.contains(&format!("{line}\r\n")), "{line}: {request}");
    }
    assert!(request.ends_with("\r\n\r\nhola") && request.contains("eu-central-1") && !request.contains(CANARY));
    assert!(!format!("{blobs:?}").contains(CANARY));
    let _ = std::fs::remove_dir_all(root);
}

#[tokio::test]
async fn a_missing_bucket_and_a_wrong_key_are_not_a_missing_file() {
    let cases = [
        (404, "NoSuchKey", "missing"),
        (404, "NoSuchBucket", "no_bucket"),
        (404, "", "answer_not_understood"),
        (403, "InvalidAccessKeyId", "key_unknown"),
        (403, "SignatureDoesNotMatch", "secret_wrong"),
        (403, "AccessDenied", "access_denied"),
        (403, "RequestTimeTooSkewed", "clock_wrong"),
        (400, "AuthorizationHeaderMalformed", "elsewhere"),
        (301, "PermanentRedirect", "elsewhere"),
        (507, "XMinioStorageFull", "store_full"),
        (503, "SlowDown", "store_busy"),
        (500, "InternalError", "store_busy"),
    ];
    for (status, word, expected) in cases {
        let body = format!("<Error><Code>{word}</Code><Message>{CANARY}</Message></Error>").leak();
        let error = bucket(&serve([Script::Answer(status, body)]).await, &root()).open(key(), Asked::All).await;
        let error = error.unwrap_err();
        let code = match &error {
            BlobError::Missing => "missing",
            BlobError::Away { reason } => reason,
            BlobError::Refused { code, .. } => code,
            BlobError::Disk(_) => "disk",
        };
        assert_eq!(code, expected, "{status} {word}");
        assert!(!format!("{error} {error:?}").contains(CANARY));
    }
}

#[tokio::test]
async fn a_range_is_what_was_asked_for_or_it_is_not_taken() {
    let part = "HTTP/1.1 206 X\r\ncontent-length: 3\r\ncontent-range: bytes 2-4/9\r\n\r\nabc";
    let found = blob(opened(part, Asked::Between(2, 4)).await);
    assert_eq!((found.length, found.start, found.end, found.is_part), (9, 2, 5, true));
    assert_eq!(read(found).await.unwrap(), b"abc");
    assert!(matches!(opened(part, Asked::Between(3, 5)).await, Err(BlobError::Refused { .. })));
    // a service that knows no ranges gives all of it, and it is told so
    let all = "HTTP/1.1 200 X\r\ncontent-length: 3\r\n\r\nabc";
    let found = blob(opened(all, Asked::Last(1)).await);
    assert_eq!((found.length, found.start, found.end, found.is_part), (3, 0, 3, false));
    let beyond = "HTTP/1.1 416 X\r\ncontent-length: 0\r\n\r\n";
    assert!(matches!(opened(beyond, Asked::From(99)).await, Ok(Found::Beyond { .. })));
}

#[tokio::test]
async fn an_answer_that_is_cut_is_no_file() {
    let cut = "HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\nabc";
    let error = read(blob(opened(cut, Asked::All).await)).await.unwrap_err();
    assert!(matches!(error, BlobError::Away { reason: "answer_cut" }), "{error}");
    let root = root();
    let error = bucket(&serve([Script::Raw(cut)]).await, &root).local(key()).await.unwrap_err();
    assert!(matches!(error, BlobError::Away { reason: "answer_cut" }), "{error}");
    let left = std::fs::read_dir(root.join(key().tenant_id.simple().to_string()).join("drafts")).unwrap().count();
    assert_eq!(left, 0, "what was brought of it is gone");
    let _ = std::fs::remove_dir_all(root);
}

#[tokio::test]
async fn a_service_that_says_nothing_is_given_up() {
    let silent = serve([Script::Silence, Script::Silence]).await;
    let options = BucketOptions {
        endpoint: silent.parse().unwrap(),
        bucket: "files".to_owned(),
        region: String::new(),
        key_id: "KEY".to_owned(),
        secret: CANARY.into(),
        is_in_path: true,
        patience: Duration::from_millis(50),
    };
    let root = root();
    let blobs = Blobs::bucket(&root, options).unwrap();
    let error = blobs.open(key(), Asked::All).await.unwrap_err();
    assert!(matches!(error, BlobError::Away { reason: "timeout" }), "{error}");
    let error = blobs.keep(&draft(&blobs, b"hola").await, key(), "image/png").await.unwrap_err();
    assert!(matches!(error, BlobError::Away { reason: "timeout" }), "{error}");
    let _ = std::fs::remove_dir_all(root);
}

#[tokio::test]
async fn a_folder_keeps_opens_and_removes_as_a_bucket_does() {
    let root = root();
    let blobs = Blobs::folder(&root);
    for bytes in [&b"hola"[..], b"otra vez"] {
        blobs.keep(&draft(&blobs, bytes).await, key(), "image/png").await.unwrap();
        assert_eq!(read(blob(blobs.open(key(), Asked::All).await)).await.unwrap(), bytes);
    }
    let found = blob(blobs.open(key(), Asked::Last(3)).await);
    assert_eq!((found.length, found.start, found.end, found.is_part), (8, 5, 8, true));
    assert_eq!(read(found).await.unwrap(), b"vez");
    assert!(matches!(blobs.open(key(), Asked::From(8)).await, Ok(Found::Beyond { length: Some(8) })));
    assert_eq!(std::fs::read(blobs.local(key()).await.unwrap().path()).unwrap(), b"otra vez");
    for _ in 0..2 {
        blobs.remove(key().tenant_id, key().id).await.unwrap();
    }
    assert!(matches!(blobs.open(key(), Asked::All).await, Err(BlobError::Missing)));
    assert!(matches!(blobs.local(key()).await, Err(BlobError::Missing)));
    let _ = std::fs::remove_dir_all(root);
}

#[tokio::test]
async fn what_a_killed_process_had_begun_is_swept_away_and_nothing_else() {
    let root = root();
    let blobs = Blobs::folder(&root);
    assert_eq!(blobs.sweep(Duration::ZERO).await.unwrap(), 0, "there is no folder yet");
    let kept = draft(&blobs, b"kept").await;
    blobs.keep(&kept, key(), "text/plain").await.unwrap();
    let begun = draft(&blobs, b"half of").await;
    assert_eq!(blobs.sweep(Duration::from_secs(86_400)).await.unwrap(), 0, "somebody writes it");
    let old = std::time::SystemTime::now() - Duration::from_secs(90_000);
    std::fs::File::options().write(true).open(begun.path()).unwrap().set_modified(old).unwrap();
    assert_eq!(blobs.sweep(Duration::from_secs(86_400)).await.unwrap(), 1);
    assert!(!begun.path().exists());
    assert_eq!(read(blob(blobs.open(key(), Asked::All).await)).await.unwrap(), b"kept");
}
