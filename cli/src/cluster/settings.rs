//! The settings that a server is started with: what the launcher depends on, and what suits the memory of the machine. Nothing
//! is written into a configuration file, so that a changed default reaches an old cluster.

/// The settings, as `name=value`; `memory` is that of the machine in MiB.
pub fn of(durable: bool, memory: u64) -> Vec<String> {
    let mut all: Vec<String> = [
        "listen_addresses=",
        "unix_socket_permissions=0700",
        "port=5432",
        "timezone=UTC",
        "log_timezone=UTC",
        "log_line_prefix=%m [%p] %q%u@%d ",
        "max_connections=200",
        "random_page_cost=1.1",
        "jit=off", // compiling costs more than it saves on queries of milliseconds
        "max_wal_size=2GB",
        "autovacuum_naptime=10s", // tables grow from nothing to thousands of rows in seconds: their statistics follow
    ]
    .map(str::to_owned)
    .into();
    all.push(format!("shared_buffers={}MB", (memory / 16).clamp(64, 256)));
    all.push(format!("effective_cache_size={}MB", (memory / 2).max(256)));
    all.push(format!("maintenance_work_mem={}MB", (memory / 64).clamp(32, 128)));
    if !durable {
        let quick = ["fsync=off", "full_page_writes=off", "synchronous_commit=off", "autovacuum=off"];
        all.extend(quick.map(str::to_owned));
        let little_log = ["wal_level=minimal", "max_wal_senders=0", "checkpoint_timeout=1h"];
        all.extend(little_log.map(str::to_owned));
    }
    // the operator's own, `name=value,name=value`; the last one wins
    if let Ok(own) = std::env::var("PALOMA_PG_SETTINGS") {
        all.extend(own.split(',').filter(|setting| setting.contains('=')).map(str::to_owned));
    }
    all
}

/// The memory of this machine in MiB; 1 GiB where it cannot be told.
pub fn memory_mib() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.map_or(1024, |kib| kib / 1024)
}
