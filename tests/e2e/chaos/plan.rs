//! What happens when, from a seed.

use std::time::Duration;

use super::backend::Mood;

#[derive(Debug, PartialEq)]
pub(super) enum Event {
    /// A backend of the storm falls into this mood, or gets well.
    Storm(usize, Mood),
    /// It dies and comes back so many times.
    Flaps(usize, u64),
    /// A backend that never fails is slow, or fast again.
    Calm(usize, Mood),
    /// The file changes; the number says how.
    Reload(u64),
    /// The name stands for another backend.
    Name(usize),
}

/// Without end.
pub(super) struct Plan {
    random: fastrand::Rng,
    storm: [Mood; STORM],
}

/// How many backends the storm has; the first one is never ill at the same time as all others.
pub(super) const STORM: usize = 4;
/// How many others.
pub(super) const CALM: usize = 3;

impl Plan {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            storm: [Mood::Well; STORM],
        }
    }

    fn storm(&mut self) -> Event {
        const ILL: [Mood; 5] = [
            Mood::Dead,
            Mood::Hangs,
            Mood::Resets,
            Mood::Closes,
            Mood::IsSlow,
        ];
        let who = self.random.usize(..STORM);
        let are_ill = self.storm.iter().filter(|mood| **mood != Mood::Well);
        if self.storm[who] == Mood::Well && are_ill.count() < STORM - 1 {
            if self.random.u8(..6) == 0 {
                return Event::Flaps(who, self.random.u64(2..6));
            }
            self.storm[who] = ILL[self.random.usize(..ILL.len())];
        } else {
            self.storm[who] = Mood::Well;
        }
        Event::Storm(who, self.storm[who])
    }
}

impl Iterator for Plan {
    /// An event, and how long it is until then.
    type Item = (Duration, Event);

    fn next(&mut self) -> Option<Self::Item> {
        let pause = Duration::from_millis(self.random.u64(30..500));
        let event = match self.random.u8(..10) {
            0 | 1 => Event::Reload(self.random.u64(..)),
            2 => Event::Name(self.random.usize(..2)),
            3 => {
                let mood = [Mood::Well, Mood::IsSlow][self.random.usize(..2)];
                Event::Calm(self.random.usize(..CALM), mood)
            }
            _ => self.storm(),
        };
        Some((pause, event))
    }
}

#[test]
fn a_plan_is_what_its_seed_says_and_everything_happens_in_it() {
    let plan = |seed| Plan::new(seed).take(1000).collect::<Vec<_>>();
    assert_eq!(plan(1), plan(1));
    assert_ne!(plan(1), plan(2));
    let kinds = [
        |event: &Event| matches!(event, Event::Storm(_, Mood::Dead)),
        |event: &Event| matches!(event, Event::Storm(_, Mood::Hangs)),
        |event: &Event| matches!(event, Event::Storm(_, Mood::Resets)),
        |event: &Event| matches!(event, Event::Storm(_, Mood::Closes)),
        |event: &Event| matches!(event, Event::Storm(_, Mood::IsSlow)),
        |event: &Event| matches!(event, Event::Flaps(..)),
        |event: &Event| matches!(event, Event::Reload(_)),
        |event: &Event| matches!(event, Event::Name(_)),
    ];
    for (index, is_kind) in kinds.iter().enumerate() {
        assert!(plan(1).iter().any(|(_, event)| is_kind(event)), "{index}");
    }
}
