//! How fast all sessions together may commit.
//! What lives here: handing out moments. What does not: waiting for them (session.rs).

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Hands out the moments at which commits may be sent, evenly spaced.
#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    next: Mutex<Instant>,
}

impl Pace {
    /// At most `rate` commits a second; zero is no limit.
    pub fn new(rate: u32, now: Instant) -> Pace {
        let interval = if rate == 0 {
            Duration::ZERO
        } else {
            Duration::from_secs(1) / rate
        };
        Pace {
            interval,
            next: Mutex::new(now),
        }
    }

    /// How long to wait before the next commit. What a standstill missed is not caught up on.
    pub fn wait(&self, now: Instant) -> Duration {
        if self.interval.is_zero() {
            return Duration::ZERO;
        }
        let mut next = self
            .next
            .lock()
            .expect("nothing panics while a moment is handed out");
        let moment = (*next).max(now);
        *next = moment + self.interval;
        moment - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_evenly_spaced_and_a_standstill_is_not_caught_up_on() {
        let start = Instant::now();
        let pace = Pace::new(10, start);
        let waits: Vec<u128> = (0..3).map(|_| pace.wait(start).as_millis()).collect();
        assert_eq!(waits, [0, 100, 200]);
        let later = start + Duration::from_secs(60);
        assert_eq!(pace.wait(later), Duration::ZERO);
        assert_eq!(pace.wait(later), Duration::from_millis(100));
    }

    #[test]
    fn rate_zero_is_no_limit() {
        let start = Instant::now();
        let pace = Pace::new(0, start);
        assert!((0..100).all(|_| pace.wait(start).is_zero()));
    }
}
