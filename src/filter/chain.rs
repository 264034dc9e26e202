//! The order in which filters see a message.

use super::{Broken, Facts, Link, Links, RequestHead, ResponseHead, Verdict};

/// The filters that a request passes: the listener's limits, those of all routes, those of its listener, those of its route.
#[derive(Debug, Clone, Copy)]
pub struct Chain<'a> {
    parts: [&'a [Link]; 4],
    reads_upstream_headers: bool,
}

/// How far a message has come in its chain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passage {
    /// So many filters have let the request pass and have not seen the answer.
    passed: usize,
}

impl<'a> Chain<'a> {
    /// The filters of these places, where there are any.
    pub fn new(parts: [Option<&'a Links>; 4]) -> Self {
        let reads = |part: &Option<&Links>| part.is_some_and(Links::reads_upstream_headers);
        Chain {
            reads_upstream_headers: parts.iter().any(reads),
            parts: parts.map(|part| part.map_or(&[][..], |links| links.iter().as_slice())),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(|part| part.is_empty())
    }

    /// Whether one of them reads the headers of backends' answers as they came.
    pub fn reads_upstream_headers(&self) -> bool {
        self.reads_upstream_headers
    }

    /// The filters, in the order of the request.
    pub fn links(&self) -> impl Iterator<Item = &'a Link> + use<'a> {
        self.parts.into_iter().flatten()
    }

    /// Shows the request to the filters, until one answers.
    ///
    /// # Errors
    /// A filter panicked or took too long; those before it are still to see the answer.
    pub async fn request(
        &self,
        request: &mut RequestHead<'_>,
        facts: &Facts<'_>,
        passage: &mut Passage,
    ) -> Result<Verdict, Broken> {
        for link in self.links() {
            match link.request(request, facts).await? {
                Verdict::Pass => passage.passed += 1,
                answer @ Verdict::Answer(_) => return Ok(answer),
            }
        }
        Ok(Verdict::Pass)
    }

    /// Shows the answer, in reverse, to the filters that let the request pass; each sees one answer, once.
    ///
    /// # Errors
    /// A filter panicked or took too long; called again with the answer that takes its place, the rest see that one.
    pub async fn response(
        &self,
        response: &mut ResponseHead<'_>,
        facts: &Facts<'_>,
        passage: &mut Passage,
    ) -> Result<(), Broken> {
        while let Some(index) = passage.passed.checked_sub(1) {
            passage.passed = index;
            if let Some(link) = self.links().nth(index) {
                link.response(response, facts).await?;
            }
        }
        Ok(())
    }
}

impl Passage {
    /// Whether no filter is left that has to see the answer.
    pub fn is_over(self) -> bool {
        self.passed == 0
    }
}
