//! The configuration file from the outside: its faults, its documentation, and its laws.

#[path = "config/backend_tls.rs"]
mod backend_tls;
#[path = "config/balance.rs"]
mod balance;
#[path = "config/documentation.rs"]
mod documentation;
#[path = "config/faults.rs"]
mod faults;
#[path = "config/limits.rs"]
mod limits;
#[path = "config/properties.rs"]
mod properties;
#[path = "config/reading.rs"]
mod reading;
#[path = "config/reference.rs"]
mod reference;
#[path = "config/vocabulary.rs"]
mod vocabulary;
