//! The filters that a request passes, one by one, and what each makes of its head.

use pingora_http::RequestHeader;

use super::explanation::{Change, FilterSeen};
use crate::filter::{Answer, Broken, Facts, Links, RequestHead, Verdict};

/// What the filters said in the end.
pub(super) enum End {
    /// All let it pass.
    Passed,
    /// One answered.
    Answered(Box<Answer>),
    /// One broke.
    Broke(Broken),
}

/// Filters that stand in one place of the file.
pub(super) struct Place<'a> {
    /// The path to them: `routes[1].filters`.
    pub(super) path: String,
    /// Whether that is a list, in which each has its number.
    pub(super) is_list: bool,
    pub(super) links: &'a Links,
}

/// Shows the request to the filters as a chain does, and writes down what each of them does.
pub(super) async fn pass(
    places: &[Place<'_>],
    head: &mut RequestHead<'_>,
    facts: &Facts<'_>,
) -> (Vec<FilterSeen>, End) {
    let mut seen = Vec::new();
    for Place {
        path,
        is_list,
        links,
    } in places
    {
        for (index, link) in links.iter().enumerate() {
            let before = head.now().clone();
            let watchers = head.watchers();
            let verdict = link.request(head, facts).await;
            let mut step = FilterSeen {
                place: match is_list {
                    true => format!("{path}[{index}]"),
                    false => path.clone(),
                },
                name: link.name().to_owned(),
                changes: changes(&before, head.now()),
                watches_body: head.watchers() > watchers,
                answered: None,
                failed: None,
            };
            let end = match verdict {
                Ok(Verdict::Pass) => None,
                Ok(Verdict::Answer(answer)) => {
                    step.answered = Some(answer.status().as_u16());
                    Some(End::Answered(answer))
                }
                Err(broken) => {
                    step.failed = Some(broken.to_string());
                    Some(End::Broke(broken))
                }
            };
            seen.push(step);
            if let Some(end) = end {
                return (seen, end);
            }
        }
    }
    (seen, End::Passed)
}

fn changes(before: &RequestHeader, after: &RequestHeader) -> Vec<Change> {
    let (from, to) = (text(before.raw_path()), text(after.raw_path()));
    let target = (from != to).then_some(Change::Target { from, to });
    let (old, new) = (lines(before), lines(after));
    let removed = missing(&old, &new);
    let added = missing(&new, &old);
    let removed = removed.into_iter();
    let removed = removed.map(|(name, value)| Change::Removed { name, value });
    let added = added.into_iter();
    let added = added.map(|(name, value)| Change::Added { name, value });
    target.into_iter().chain(removed).chain(added).collect()
}

type Line = (String, String);

fn lines(head: &RequestHeader) -> Vec<Line> {
    let lines = head.case_header_iter();
    lines
        .map(|(name, value)| (text(name.as_slice()), text(value.as_bytes())))
        .collect()
}

/// Those of `lines` that are not among `others`, each as often as it is missing.
fn missing(lines: &[Line], others: &[Line]) -> Vec<Line> {
    let mut others: Vec<&Line> = others.iter().collect();
    let lines = lines.iter();
    let missing = lines.filter(|line| {
        let found = others.iter().position(|other| other == line);
        found.map(|index| others.swap_remove(index)).is_none()
    });
    missing.cloned().collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
