//! Behaviour of larder through its public API, one module per topic.

mod backup;
mod commit;
mod corruption;
mod crash;
mod deps;
mod doctor;
mod durability;
mod encoding;
mod evolution;
mod lock;
mod log;
mod macros;
mod reads;
mod rebuild;
mod registry;
mod streams;
mod verify;
