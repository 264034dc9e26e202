//! Hello is the service that stands behind the load balancer in demos, tests and benches: small enough to
//! be started by the dozen, and honest about what reached it.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | `{"message":"Hello from hello","hostname":"app1"}` |
//! | any method, `/headers` | `{"method":…,"target":…,"headers":[[name,value],…]}`: the request as it arrived |
//! | `GET /health` | `{"status":"ok"}` |
//! | anything else | 404, `{"error":"not found"}` |
//!
//! Every answer is JSON on one line and is given once the request's body has been read to its end.
//! `/headers` keeps the order, the duplicates and the case of the header names; bytes of a value that are not
//! UTF-8 are shown as U+FFFD.
//!
//! ```
//! # async fn start() -> std::io::Result<()> {
//! let app1 = hello::spawn(hello::Options::default().name("app1")).await?;
//! println!("{} is at http://{}", app1.name(), app1.address());
//! app1.stop().await;
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(start()).unwrap();
//! ```
//!
//! It speaks HTTP/1 without TLS, sets no timeouts and writes no log: it is a stand-in, not a server to put
//! on the open internet.

mod answers;
mod options;
mod server;
mod wire;

pub use options::Options;
pub use server::{Hello, serve, spawn};
