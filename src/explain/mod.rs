//! Why a request goes where it goes, from the very functions that decide it.
//!
//! A [`Question`] is a request as it would come in; [`explain`] takes it the way that `proxy` takes one: the same checks, the same table
//! of routes, the same filters, the same policies, the same rewriting of the head. What is done here and not there is to write down what
//! happened, and to leave no trace: no backend is asked, and no policy is a turn further.
//!
//! - `question`: from `GET http://host/path` to a request on a listener
//! - `engine`: what Pingora does to a head between our phases
//! - `journey`: the way of a request, from decision to decision
//! - `filters`, `routes`, `upstream`: the steps of it
//! - `offline`: without a proxy that runs
//! - `explanation`: what was found, for programs; `text`: for people

mod engine;
mod explanation;
mod filters;
mod journey;
mod offline;
mod question;
mod routes;
mod text;
mod upstream;

pub use explanation::{
    BackendSeen, Change, Considered, Explanation, FilterSeen, Limits, RetryPlan, Rewritten, Session,
};
pub use journey::explain;
pub use offline::explain_file;
pub use question::{Question, Unclear};
