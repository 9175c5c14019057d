//! Routes of contacts.

use crate::gate::Routes;

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
}
