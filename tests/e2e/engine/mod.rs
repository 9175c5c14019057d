//! The queue engine's promises, one by one, on a small application of its own: engine.md sections 2, 3 and 9.

mod admission;
mod batch_life;
mod batch_race;
mod batches;
mod breaker;
mod connections;
mod costs;
mod drain;
mod enqueue;
mod fairness;
mod fences;
mod gates;
mod horizon;
mod kinds;
mod lanes;
mod operators;
mod outcomes;
mod races;
mod rescue;
mod schedule_races;
mod schedules;
mod slots;
mod unique;
mod watch;
mod why;
mod world;
