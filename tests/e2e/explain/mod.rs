//! `evenkeel explain` tells what the proxy does.
//!
//! Random files and random requests, from `generator`: `compiled` puts them to the functions that the proxy calls, `running` to a proxy in
//! front of backends that say what they were sent. `told` is what is compared; `command` is the command itself.

mod command;
mod compiled;
mod generator;
mod running;
mod told;
