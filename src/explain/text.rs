//! An explanation for people.

use std::fmt::{self, Display, Formatter};

use super::explanation::{
    BackendSeen, Change, Considered, Explanation, FilterSeen, Limits, RetryPlan, Session,
};

/// So many routes are shown that lose to the winner, or match nothing.
const ROUTES: usize = 12;

impl Display for Explanation {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        line(out, "listener", &self.listener)?;
        if let Some(client) = &self.client {
            line(out, "client", client)?;
        }
        routes(&self.considered, self.route.as_deref(), out)?;
        filters(&self.filters, out)?;
        if let Some(upstream) = &self.upstream {
            self.upstream(upstream, out)?;
        }
        if let Some(request) = &self.request {
            writeln!(out, "\nthe backend gets")?;
            if let Some(header) = &request.proxy_protocol {
                writeln!(out, "    PROXY protocol {header}")?;
            }
            let (method, target) = (&request.method, &request.target);
            writeln!(out, "    {method} {target} {}", request.version)?;
            for (name, value) in &request.headers {
                writeln!(out, "    {name}: {value}")?;
            }
        }
        self.answer(out)
    }
}

impl Explanation {
    fn upstream(&self, upstream: &str, out: &mut Formatter<'_>) -> fmt::Result {
        let balance = self.balance.as_deref().unwrap_or_default();
        let by_chance = if self.by_chance { ", by chance" } else { "" };
        writeln!(out, "\nupstream  {upstream} ({balance}{by_chance})")?;
        for backend in &self.backends {
            let address = Some(&backend.address);
            let mark = match () {
                () if address == self.backend.as_ref() => "picked",
                () if address == self.then.as_ref() => "next, if that fails",
                () => "",
            };
            let text = format!("    {:<22} {}", backend.address, Standing(backend));
            writeln!(out, "{}", format!("{text:<64} {mark}").trim_end())?;
        }
        if self.backends.is_empty() {
            writeln!(out, "    it has no backend: none of its names resolves")?;
        }
        if let Some(session) = self.sticky {
            line(out, "session", session)?;
        }
        match &self.retry {
            Some(retry) => line(out, "retry", retry)?,
            None => line(out, "retry", "off")?,
        }
        self.limits
            .map_or(Ok(()), |limits| line(out, "limits", limits))
    }

    fn answer(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let because = self.because.as_deref();
        match (self.status, &self.location) {
            (Some(status), Some(location)) => writeln!(out, "\nanswer    {status}, to {location}"),
            (Some(status), None) => {
                let because = because.map(|because| format!(": {because}"));
                writeln!(out, "\nanswer    {status}{}", because.unwrap_or_default())
            }
            (None, _) => because.map_or(Ok(()), |because| writeln!(out, "\nanswer    {because}")),
        }
    }
}

fn line(out: &mut Formatter<'_>, name: &str, value: impl Display) -> fmt::Result {
    writeln!(out, "{name:<9} {value}")
}

/// Those up to the winner, and some of the rest.
fn routes(considered: &[Considered], winner: Option<&str>, out: &mut Formatter<'_>) -> fmt::Result {
    if considered.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nroutes    the most specific first")?;
    let place = considered
        .iter()
        .position(|one| Some(one.route.as_str()) == winner && one.matched);
    let shown = place.map_or(ROUTES, |place| (place + 3).max(ROUTES));
    for one in considered.iter().take(shown) {
        let mark = match one.matched {
            true if Some(one.route.as_str()) == winner => '>',
            true => '+',
            false => '-',
        };
        writeln!(out, "  {mark} {:<22} {}", one.route, one.why)?;
    }
    match considered.len().saturating_sub(shown) {
        0 => Ok(()),
        more => writeln!(out, "    and {more} more"),
    }
}

fn filters(filters: &[FilterSeen], out: &mut Formatter<'_>) -> fmt::Result {
    if filters.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nfilters")?;
    for filter in filters {
        let FilterSeen { place, name, .. } = filter;
        let said = match (&filter.failed, filter.answered) {
            (Some(failed), _) => format!(" failed: {failed}"),
            (None, Some(status)) => format!(" answers {status}"),
            (None, None) if filter.watches_body => " watches the body".to_owned(),
            (None, None) if filter.changes.is_empty() => {
                " changes nothing on the way there".to_owned()
            }
            (None, None) => String::new(),
        };
        writeln!(out, "    {place} {name}{said}")?;
        for change in &filter.changes {
            writeln!(out, "        {change}")?;
        }
    }
    Ok(())
}

impl Display for Change {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target { from, to } => write!(out, "{from} -> {to}"),
            Self::Added { name, value } => write!(out, "+ {name}: {value}"),
            Self::Removed { name, value } => write!(out, "- {name}: {value}"),
        }
    }
}

/// Everything that has a say in whether a backend is picked.
struct Standing<'a>(&'a BackendSeen);

impl Display for Standing<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let backend = self.0;
        out.write_str(match backend.health {
            "unknown" => "not checked",
            known => known,
        })?;
        if backend.state != "active" {
            write!(out, ", {}", backend.state)?;
        }
        for (is_so, word) in [
            (backend.ejected, "ejected"),
            (backend.backup, "backup"),
            (backend.full, "full"),
        ] {
            if is_so {
                write!(out, ", {word}")?;
            }
        }
        write!(
            out,
            ", weight {}, {} in flight",
            backend.weight, backend.in_flight
        )?;
        if let Some(score) = backend.score {
            write!(out, ", score {score:.2}")?;
        }
        Ok(())
    }
}

impl Display for Session {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Begins => "none yet: the policy picks, and the answer sets the cookie",
            Self::Kept => "the cookie names the backend",
            Self::Lost => "the cookie's backend cannot take it: the policy picks",
        })
    }
}

impl Display for RetryPlan {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self.on.as_slice() {
            [] => out.write_str("never")?,
            on => write!(out, "after {}", on.join(", "))?,
        }
        write!(
            out,
            "; {} attempts in all, within a budget of {} % of the requests",
            self.attempts, self.budget_percent
        )?;
        if let Some(deadline) = self.deadline_ms {
            write!(out, ", within {}", Milliseconds(deadline))?;
        }
        if let Some(why) = &self.held_back {
            write!(out, "; otherwise not: {why}")?;
        }
        Ok(())
    }
}

impl Display for Limits {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "connect {}, response {}, read {}, write {}",
            Milliseconds(self.connect_ms),
            Milliseconds(self.response_ms),
            Milliseconds(self.read_ms),
            Milliseconds(self.write_ms),
        )?;
        match self.queue_ms {
            Some(queue) => write!(out, ", queue {}", Milliseconds(queue)),
            None => Ok(()),
        }
    }
}

/// A duration as the file has it.
struct Milliseconds(u128);

impl Display for Milliseconds {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            whole if whole.is_multiple_of(1000) => write!(out, "{}s", whole / 1000),
            milliseconds => write!(out, "{milliseconds}ms"),
        }
    }
}
