//! The platform's own affairs, for its operators: who they are, what plans there are, what tenants use, and who of them is inside which tenant. Tenants
//! stand in a file of their own beside this folder.

mod impersonations;
mod operators;
mod plans;
mod usage;

use crate::gate::Routes;

/// The routes.
pub fn routes() -> Routes {
    [impersonations::routes(), operators::routes(), plans::routes(), usage::routes()]
        .into_iter()
        .fold(Routes::new(), Routes::merge)
}
