//! Behaviour of larder through its public API, one module per topic.

mod backup;
mod board;
mod change_record;
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
mod materialize;
mod query;
mod readme;
mod reads;
mod rebuild;
mod registry;
mod streams;
mod tidy;
mod verify;
mod warnings;
