//! From what was written to filters.

use super::link::{Kind, Link, Links};
use crate::config;

/// The filters that stand in one place of the file.
pub fn links(written: &[config::Filter]) -> Links {
    Links::new(written.iter().map(link))
}

fn link(written: &config::Filter) -> Link {
    match written {
        config::Filter::Own(own) => {
            let kind = own.part::<Kind>();
            let kind = kind.expect("only `register` adds filters to a vocabulary");
            Link::new(&own.name, kind.clone())
        }
    }
}
