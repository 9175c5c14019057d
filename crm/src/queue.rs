//! The queues: which slots of a worker run what.

use jobs::Queue;

/// Calls to gateways.
pub const OUTBOUND: Queue = Queue("outbound");
/// What came in from gateways.
pub const INBOUND: Queue = Queue("inbound");
/// Everything short.
pub const DEFAULT: Queue = Queue("default");
/// Imports: few at a time, they take memory.
pub const IMPORT: Queue = Queue("import");
