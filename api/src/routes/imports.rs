//! Routes of imports.

use crate::gate::Routes;

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
}
