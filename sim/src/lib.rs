//! Simulators of the outside services Paloma talks to, each written from that vendor's wire and sharing no type with the
//! rest of the workspace, so a misspelt field fails a test instead of agreeing with itself.

pub mod bluebubbles;
pub mod receiver;
