//! A timer that goes from one wait to the next.

use std::pin::Pin;

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer for waits of which most are over before their time.
///
/// To set a timer takes a lock, and to take it back another. This one stays set, and is only set anew when it has gone off too early. That
/// costs whoever has waited a turn for nothing, once in the time that it was set for.
#[derive(Debug, Default)]
pub struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Returns at `until`.
    pub async fn at(&mut self, until: Instant) {
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if timer.deadline() > until {
            timer.as_mut().reset(until);
        }
        loop {
            timer.as_mut().await;
            if timer.deadline() >= until {
                return;
            }
            timer.as_mut().reset(until);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// How long the next wait takes that should take so many seconds, if it is not given up after `most`.
    async fn waited(alarm: &mut Alarm, seconds: u32, most: u32) -> Option<Duration> {
        let began = Instant::now();
        let over = alarm.at(began + SECOND * seconds);
        let over = timeout(SECOND * most, over).await;
        over.ok().map(|()| began.elapsed())
    }

    /// Seen failing with the timer not set anew, and with it not brought forward.
    #[tokio::test(start_paused = true)]
    async fn a_wait_takes_its_time_whatever_those_before_it_took() {
        let mut alarm = Alarm::default();
        assert_eq!(waited(&mut alarm, 5, 3).await, None);
        // The timer goes off after two of these.
        assert_eq!(waited(&mut alarm, 5, 9).await, Some(5 * SECOND));
        assert_eq!(waited(&mut alarm, 5, 1).await, None);
        assert_eq!(waited(&mut alarm, 1, 9).await, Some(SECOND));
        assert_eq!(waited(&mut alarm, 7, 9).await, Some(7 * SECOND));
    }
}
