//! The server through its doors: in this process over real sockets, and as the program that people run.

mod agreed;
mod apps;
mod binary;
mod cuts;
mod doors;
mod ending;
mod flawed;
mod hooks;
mod kills;
mod lab;
mod larder_clients;
mod larder_peers;
mod limits;
mod log_file;
mod order;
mod process;
mod recorded;
mod recovery;
mod secrets;
mod secrets_of_clients;
mod security;
mod slow;
mod stress;
mod tls;
