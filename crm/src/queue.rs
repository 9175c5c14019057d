//! The queues: which slots of a worker run what.

use jobs::Queue;

/// Calls to gateways.
pub const OUTBOUND: Queue = Queue("outbound");
/// What came in from gateways.
pub const INBOUND: Queue = Queue("inbound");
/// Files: fetched, and turned into what browsers show. Few at a time, each may take a processor.
pub const MEDIA: Queue = Queue("media");
/// Everything short.
pub const DEFAULT: Queue = Queue("default");
/// Imports: few at a time, they take memory.
pub const IMPORT: Queue = Queue("import");
/// Calls to programs of tenants, which may be slow: slots of their own, so that nothing else waits for them.
pub const WEBHOOKS: Queue = Queue("webhooks");
/// Speech into text, one at a time: served by workers that have a model.
pub const TRANSCRIBE: Queue = Queue("transcribe");
