//! Start-up of a process: configuration from the environment, the application that handlers and routes work with, signals.

use std::sync::Arc;

use clap::Args;
use clients::{Egress, Http, HttpOptions, Names, blobs::Blobs, oidc::Oidc};
use db::Db;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::{
    access::providers::OidcConfig,
    groups::Groups,
    messaging::{
        lines::LineCache,
        media::{store, transcribe::Transcriber},
    },
    secrets::Keys,
    webhooks::Outgoing,
};

/// Settings that every server binary takes. All faults are reported at once, then the process ends.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// The database, as the role `paloma`: postgres://paloma@host/paloma.
    #[arg(long, env = "PALOMA_DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
    /// The same database past a pooler: set where the address above leads through one in transaction mode.
    #[arg(long, env = "PALOMA_DIRECT_DATABASE_URL", hide_env_values = true)]
    pub direct_database_url: Option<String>,
    /// Signs sessions and encrypts secrets at rest: 32 bytes or more, as hex.
    #[arg(long, env = "PALOMA_SECRET", hide_env_values = true)]
    pub secret: SecretString,
    /// Secrets that were in its place before, parted by commas: what they sealed is opened, and resealed within an hour; what they signed still counts.
    #[arg(long, env = "PALOMA_PREVIOUS_SECRETS", value_delimiter = ',', hide_env_values = true)]
    pub previous_secrets: Vec<SecretString>,
    /// The bearer token of the platform's operator, 32 characters or more; without it the platform's routes answer 401.
    #[arg(long, env = "PALOMA_OPERATOR_TOKEN", hide_env_values = true)]
    pub operator_token: Option<SecretString>,
    /// Where gateways reach the api: webhooks are registered under it.
    #[arg(long, env = "PALOMA_PUBLIC_URL", default_value = "http://127.0.0.1:8080")]
    pub public_url: String,
    /// Lets gateways of lines stand at private and loopback addresses, as a Mac in the office does.
    #[arg(long, env = "PALOMA_ALLOW_PRIVATE_GATEWAYS", default_value_t = false, action = clap::ArgAction::Set)]
    pub allow_private_gateways: bool,
    /// Lets webhooks point at private and loopback addresses, and over plain HTTP: for a developer's machine.
    #[arg(long, env = "PALOMA_ALLOW_PRIVATE_ADDRESSES", default_value_t = false, action = clap::ArgAction::Set)]
    pub allow_private_addresses: bool,
    /// An identity provider that every tenant's people may log in with.
    #[command(flatten)]
    pub oidc: OidcConfig,
    /// Where files of messages are kept: one folder for all processes of an installation. With a bucket, where each machine has what it works on.
    #[arg(long, env = "PALOMA_MEDIA_FOLDER", default_value = "data/media")]
    pub media_folder: std::path::PathBuf,
    /// The bucket instead.
    #[command(flatten)]
    pub bucket: store::BucketConfig,
    /// The ffmpeg that makes thumbnails and forms that every browser plays; without it files are kept as they came.
    #[arg(long, env = "PALOMA_FFMPEG", default_value = "ffmpeg")]
    pub ffmpeg: String,
    /// Most connections to the database of this process.
    #[arg(long, env = "PALOMA_DATABASE_CONNECTIONS", default_value_t = 10)]
    pub database_connections: u32,
    /// Logs as JSON lines instead of text.
    #[arg(long, env = "PALOMA_LOG_JSON", default_value_t = false, action = clap::ArgAction::Set)]
    pub log_json: bool,
}

/// What handlers and routes work with. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The database, behind the wall.
    pub db: Db,
    /// The settings.
    pub config: Arc<Config>,
    /// The client for calls to gateways and the like.
    pub http: Http,
    /// The client for calls to wherever a tenant says.
    pub outgoing: Outgoing,
    /// The one client for identity providers.
    pub oidc: Oidc,
    /// Keys derived from the secret.
    pub keys: Keys,
    /// Files of messages.
    pub blobs: Blobs,
    /// What this process transcribes with, if it can.
    pub transcriber: Option<Arc<dyn Transcriber>>,
    /// Group commits of this process.
    pub groups: Groups,
    /// Lines as this process last read them.
    pub lines: LineCache,
    /// Cancelled when the process is asked to stop.
    pub stop: CancellationToken,
}

impl App {
    /// Connects, refuses an unsafe database, registers the job kinds.
    pub async fn start(config: Config, name: &'static str) -> anyhow::Result<Self> {
        install_tls();
        let keys = Keys::parse(&config.secret)?.with_previous(&config.previous_secrets)?;
        let blobs = config.bucket.store(&config.media_folder)?;
        store::check(&blobs).await?;
        store::sweep(&blobs).await;
        let db = Db::connect(db::Options {
            url: config.database_url.clone(),
            direct_url: config.direct_database_url.clone(),
            name,
            connections: config.database_connections,
        })
        .await?;
        crate::registry().register(&db).await?;
        let egress = if config.allow_private_gateways { Egress::AllowPrivate } else { Egress::Public };
        let http = Http::new(HttpOptions::new(egress))?;
        let outgoing = Outgoing::new(config.allow_private_addresses, Names::System)?;
        let issuers = if config.oidc.allow_private { Egress::AllowPrivate } else { Egress::Public };
        let oidc = Oidc::new(issuers)?;
        config.oidc.check(issuers)?;
        let groups = Groups::start(&db);
        Ok(Self {
            blobs,
            db,
            config: Arc::new(config),
            http,
            outgoing,
            oidc,
            keys,
            transcriber: None,
            groups,
            lines: LineCache::default(),
            stop: CancellationToken::new(),
        })
    }
}

/// Installs the one TLS provider; a second call changes nothing.
pub fn install_tls() {
    // the error says that one is installed already, which is what is wanted
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Cancels the token when the process is asked to stop; a second time ends it at once.
pub async fn stop_on_signal(stop: CancellationToken) {
    stop_signal().await;
    tracing::info!("asked to stop");
    stop.cancel();
    stop_signal().await;
    std::process::exit(130);
}

/// Ends when the process is asked to stop, by SIGTERM or Ctrl-C.
pub async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut stream) => {
                stream.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminate => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
