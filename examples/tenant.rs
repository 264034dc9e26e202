//! A filter and a policy of its own: `cargo run --example tenant -- -c examples/tenant.yaml`
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use evenkeel::filter::{Answer, Denial, Facts, Filter, Name, RequestHead, Verdict};
use evenkeel::upstream::balance::{Members, Policy, Request};
use evenkeel::{Evenkeel, config::Refusal, http::HeaderValue};

#[derive(serde::Deserialize)]
struct Settings {
    requests: HashMap<String, u64>,
}

/// Lets the tenants in that the file names, each for so many requests.
#[derive(Debug)]
struct Tenants(HashMap<String, AtomicU64>);

impl Tenants {
    fn from_config(settings: Settings) -> Result<Self, Refusal> {
        if settings.requests.is_empty() {
            return Err(Refusal::of("requests", "name a tenant: `acme: 100`"));
        }
        let tenants = settings.requests.into_iter();
        Ok(Self(tenants.map(|(name, n)| (name, n.into())).collect()))
    }
}

impl Filter for Tenants {
    fn request(&self, request: &mut RequestHead<'_>, _: &Facts<'_>) -> Verdict {
        let name = request.headers().get("x-tenant");
        let Some(left) = name.and_then(|name| self.0.get(name.to_str().ok()?)) else {
            return Answer::denied(Denial::Forbidden).into();
        };
        match left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)) {
            Err(_) => return Answer::denied(Denial::TooMany).into(),
            Ok(left) => request.set(&Name::from_static("X-Left"), HeaderValue::from(left - 1)),
        }
        Verdict::Pass
    }
}

/// Fills one backend after the other, in the order of the file.
#[derive(Debug, serde::Deserialize)]
struct Fill {
    up_to: u32,
}

impl Policy for Fill {
    fn pick(&self, members: &Members, request: &mut Request<'_>) -> Option<usize> {
        let mut able = (0..members.len()).filter(|index| request.allows(members, *index));
        let load = |index| members.member(index).map(|member| member.in_flight());
        let with_room = able.clone().find(|index| load(*index) < Some(self.up_to));
        with_room.or_else(|| able.next())
    }
}

fn main() -> std::process::ExitCode {
    let program = Evenkeel::builder().filter("tenant", Tenants::from_config);
    program.policy("fill", Ok::<Fill, Refusal>).run()
}
