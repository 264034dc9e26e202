//! A program of one's own: this library with more words for the file.
//!
//! ```
//! use evenkeel::Evenkeel;
//! use evenkeel::filter::{Facts, Filter, Name, RequestHead, Verdict};
//! use evenkeel::http::HeaderValue;
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! struct Settings {
//!     color: String,
//! }
//!
//! #[derive(Debug)]
//! struct Paint(HeaderValue);
//!
//! impl Paint {
//!     fn from_config(settings: Settings) -> Result<Self, evenkeel::config::Refusal> {
//!         Ok(Paint(settings.color.parse()?))
//!     }
//! }
//!
//! impl Filter for Paint {
//!     fn request(&self, request: &mut RequestHead<'_>, _: &Facts<'_>) -> Verdict {
//!         request.set(&Name::from_static("X-Color"), self.0.clone());
//!         Verdict::Pass
//!     }
//! }
//!
//! let program = Evenkeel::builder().filter("paint", Paint::from_config);
//!
//! // The file now knows the name, and the settings are checked with everything else.
//! let file = "
//! listeners: [{ address: 127.0.0.1:8080 }]
//! routes:
//!   - filters: [{ paint: { colour: red } }]
//!     respond: { status: 200 }
//! ";
//! let faults = program.check("lb.yaml", file).unwrap_err();
//! assert_eq!(
//!     faults.to_string(),
//!     "lb.yaml:4:26: routes[0].filters[0].paint.colour: there is no key \"colour\"; did you mean \"color\"?"
//! );
//! ```
//!
//! [`Builder::run`] then does what the `evenkeel` command does, with the same command line; `examples/tenant.rs` is a
//! whole program.

use std::process::ExitCode;

use serde::de::DeserializeOwned;

use crate::cli;
use crate::config::{
    self, Checked, Config, Faults, Filter as Written, Refusal, Surroundings, Vocabulary,
};
use crate::filter::{self, AsyncFilter, Filter};
use crate::upstream::{self, balance::Policy};

/// The load balancer, as a part of a program.
#[derive(Debug)]
pub struct Evenkeel(());

impl Evenkeel {
    /// The load balancer as the `evenkeel` command has it, to add to.
    pub fn builder() -> Builder {
        Builder {
            vocabulary: Vocabulary::default(),
        }
    }
}

/// The load balancer, with parts of the program's own.
#[derive(Debug, Clone)]
pub struct Builder {
    vocabulary: Vocabulary,
}

impl Builder {
    /// Adds a filter: `filters: [{ name: { … } }]`.
    ///
    /// `from_config` makes the filter of its settings, or says what is wrong with them. It is called whenever the file
    /// is read, for a check alone as well, once for each place in which the filter stands: it makes the filter and
    /// does nothing else.
    ///
    /// # Panics
    /// The name is taken, or is no name of lower-case letters, digits and underscores.
    #[must_use]
    pub fn filter<C: DeserializeOwned, F: Filter + 'static, E: Into<Refusal>>(
        mut self,
        name: &str,
        from_config: impl Fn(C) -> Result<F, E> + Send + Sync + 'static,
    ) -> Self {
        is_free(name, Written::is_built_in(name));
        filter::register(&mut self.vocabulary, name, from_config);
        self
    }

    /// Adds a filter that has to wait: for a lookup over the network, or for a computation elsewhere.
    ///
    /// # Panics
    /// As [`Builder::filter`].
    #[must_use]
    pub fn async_filter<C: DeserializeOwned, F: AsyncFilter + 'static, E: Into<Refusal>>(
        mut self,
        name: &str,
        from_config: impl Fn(C) -> Result<F, E> + Send + Sync + 'static,
    ) -> Self {
        is_free(name, Written::is_built_in(name));
        filter::register_async(&mut self.vocabulary, name, from_config);
        self
    }

    /// Adds a policy: `balance: name`, or `balance: { name: { … } }`. Each upstream gets one of its own.
    ///
    /// # Panics
    /// As [`Builder::filter`].
    #[must_use]
    pub fn policy<C: DeserializeOwned, P: Policy + 'static, E: Into<Refusal>>(
        mut self,
        name: &str,
        from_config: impl Fn(C) -> Result<P, E> + Send + Sync + 'static,
    ) -> Self {
        is_free(name, config::Balance::is_built_in(name));
        upstream::register(&mut self.vocabulary, name, from_config);
        self
    }

    /// Reads and checks a configuration, as `-t` does; `name` is the file's, for messages. Nothing is taken from the
    /// environment.
    ///
    /// # Errors
    /// When there are faults; all of them at once.
    pub fn check(&self, name: &str, text: &str) -> Result<Checked<Config>, Faults> {
        config::parse_with(name, text, &Surroundings::nothing_but(&self.vocabulary))
    }

    /// Does what the command line says, as the `evenkeel` command would: serves, checks a file, prints the schema.
    pub fn run(self) -> ExitCode {
        cli::main(&self.vocabulary)
    }
}

fn is_free(name: &str, is_built_in: bool) {
    assert!(!is_built_in, "{name:?} is built in; choose another name");
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    assert!(
        !name.is_empty() && name.bytes().all(is_letter),
        "{name:?} is no name; write lower-case letters, digits and underscores"
    );
}
