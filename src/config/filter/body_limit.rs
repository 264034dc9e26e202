//! `body_limit`: the largest body of a request.

use crate::config::read::Word;
use crate::config::size::Size;

/// The most bytes that a request's body may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimit(pub u64);

impl Word for BodyLimit {
    const EXAMPLE: &'static str = Size::EXAMPLE;

    fn parse(text: &str) -> Result<Self, String> {
        Size::parse(text).map(|size| BodyLimit(size.0))
    }

    fn schema() -> serde_json::Value {
        <Size as Word>::schema()
    }
}
