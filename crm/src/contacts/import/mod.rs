//! Import of contacts from a CSV file: the upload, the resumable job that turns its rows into contacts, and what it tells of them.
//! `sniff`, `decode`, `rows`, `map` and `report` are pure; `start`, `run`, `stage`, `progress` and `errors` work on rows of the database.

mod batch;
mod belongings;
pub mod decode;
pub mod errors;
pub mod held;
pub mod map;
pub mod progress;
pub mod report;
pub mod rows;
mod run;
pub mod sniff;
mod stage;
pub mod start;

pub use progress::{Import, ImportId, ImportState, Mode};
pub use run::{EndImport, RunImport};
