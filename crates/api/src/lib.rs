//! The REST contract of the store: what goes over the wire, and a client for it.
//! What lives here: types, error codes and the client. What does not: the store's behaviour behind them.

pub mod admin;
pub mod client;
pub mod code;
pub mod envelope;
