//! The live feed's route; what it does is in [`crate::live`].

use utoipa_axum::routes;

use crate::{gate::Routes, live};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().socket("each event is filtered by the caller's permissions", routes!(live::open))
}
