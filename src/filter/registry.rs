//! Filters of one's own.

use super::link::Kind;
use super::{AsyncFilter, Filter};
use crate::config::{Refusal, Vocabulary};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Makes the filter `name` known. `from_config` gets the filter's block of the file and makes the filter of it, or says
/// what is wrong; it is called once for each place in which the filter stands, whenever the file is read.
pub fn register<C: DeserializeOwned, F: Filter + 'static, E: Into<Refusal>>(
    vocabulary: &mut Vocabulary,
    name: &str,
    from_config: impl Fn(C) -> Result<F, E> + Send + Sync + 'static,
) {
    vocabulary.add_filter(name, move |settings| {
        let filter = from_config(settings).map_err(Into::into)?;
        Ok(Kind::Now(Arc::new(filter)))
    });
}

/// The same for a filter that has to wait.
pub fn register_async<C: DeserializeOwned, F: AsyncFilter + 'static, E: Into<Refusal>>(
    vocabulary: &mut Vocabulary,
    name: &str,
    from_config: impl Fn(C) -> Result<F, E> + Send + Sync + 'static,
) {
    vocabulary.add_filter(name, move |settings| {
        let filter = from_config(settings).map_err(Into::into)?;
        Ok(Kind::Waiting(Arc::new(filter)))
    });
}
