//! The engine over a provider made of memory.

mod bench;
mod model;
mod named;
mod pairs;
mod random;
mod remote;
