//! Two versions at once: the last one, built from its own sources, and this one. They work on one schema, which the last one has made and this
//! one has migrated while work went on; then the last one is replaced, and then it is brought back.
//!
//! What the two have to agree on beside the schema is how a process of the chaos tests is told its part (`chaos::kinds::Part`) and the tables
//! in which its jobs write.

mod product;
mod programs;
mod queue;
