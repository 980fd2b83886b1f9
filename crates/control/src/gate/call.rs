//! How many of the line to call: as many as there are seats, and more where experience says that not all of them come.

use hustings_media::time::Now;

use super::limits::{CALLED_WINDOW_S, SHOW_MIN, SHOW_WINDOW_S};

/// Seconds of calling before the line has a pace.
const PACE_FROM_S: u64 = 10;

/// What was called and who came, by second, over the last minute.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    called: [u64; SHOW_WINDOW_S],
    came: [u64; SHOW_WINDOW_S],
    /// Knocks of called ones whose prefix had its share: nobody need wait for those.
    over: [u64; SHOW_WINDOW_S],
    second: u64,
    /// The second in which calling began, since the line was last empty.
    began: Option<u64>,
}

impl Default for Caller {
    fn default() -> Self {
        Self {
            called: [0; SHOW_WINDOW_S],
            came: [0; SHOW_WINDOW_S],
            over: [0; SHOW_WINDOW_S],
            second: 0,
            began: None,
        }
    }
}

impl Caller {
    /// What happened without calling: everybody was let in.
    pub(crate) fn note(&mut self, called: u64, came: u32, now: Now) {
        self.roll(now);
        self.began = None;
        self.count(called, came);
    }

    /// How many to call for so many seats; `came` and `over` since the last time.
    pub(crate) fn call(&mut self, seats: u32, came: u32, over: u32, waiting: u64, now: Now) -> u64 {
        self.roll(now);
        self.count(0, came);
        self.over[(self.second % SHOW_WINDOW_S as u64) as usize] += u64::from(over);
        let second = self.second;
        if self.began.is_none() && waiting > 0 {
            self.began = Some(second);
        }
        let missing = seats.saturating_sub(self.expected());
        let more = ((f64::from(missing) / self.show()) as u64).min(waiting);
        self.count(more, 0);
        more
    }

    /// How many of those called in the last seconds are still likely to come.
    pub(crate) fn expected(&self) -> u32 {
        let called = self.newest(&self.called, CALLED_WINDOW_S) as f64 * self.show();
        let came = (self.newest(&self.came, CALLED_WINDOW_S)
            + self.newest(&self.over, CALLED_WINDOW_S)) as f64;
        (called - came).max(0.0).min(f64::from(u32::MAX)) as u32
    }

    /// Places called a second, slow and quick, once it has gone on for some seconds.
    pub(crate) fn pace(&self) -> Option<(f64, f64)> {
        let ran = self.second - self.began?;
        if ran < PACE_FROM_S {
            return None;
        }
        let over = |ring, seconds: usize| {
            let seconds = seconds.min(ran as usize + 1);
            self.newest(ring, seconds) as f64 / seconds as f64
        };
        // When nobody is called because many of the called still seek a seat, the line moves as those come in.
        let came = over(&self.came, SHOW_WINDOW_S);
        let long = over(&self.called, SHOW_WINDOW_S).max(came);
        let short = over(&self.called, CALLED_WINDOW_S).max(came);
        let (slow, quick) = (long.min(short) * 0.8, long.max(short) * 1.25);
        // While nothing was called lately the minute's pace is all that is known.
        (quick > 0.0).then_some((slow.max(quick / 8.0), quick))
    }

    /// Of those called, the part that comes. Who was called in the last seconds may still be on the way.
    fn show(&self) -> f64 {
        let called =
            self.newest(&self.called, SHOW_WINDOW_S) - self.newest(&self.called, CALLED_WINDOW_S);
        if called == 0 {
            return 1.0;
        }
        let came = self.newest(&self.came, SHOW_WINDOW_S) as f64;
        (came / called as f64).clamp(SHOW_MIN, 1.0)
    }

    fn newest(&self, ring: &[u64; SHOW_WINDOW_S], seconds: usize) -> u64 {
        let back = |back: u64| {
            ring[((self.second + SHOW_WINDOW_S as u64 - back) % SHOW_WINDOW_S as u64) as usize]
        };
        (0..seconds.min(SHOW_WINDOW_S) as u64).map(back).sum()
    }

    fn roll(&mut self, now: Now) {
        let second = now.0 / 1_000_000;
        let empty = second.saturating_sub(self.second).min(SHOW_WINDOW_S as u64);
        for back in 0..empty {
            let at = ((second - back) % SHOW_WINDOW_S as u64) as usize;
            (self.called[at], self.came[at], self.over[at]) = (0, 0, 0);
        }
        self.second = self.second.max(second);
    }

    fn count(&mut self, called: u64, came: u32) {
        let at = (self.second % SHOW_WINDOW_S as u64) as usize;
        self.called[at] += called;
        self.came[at] += u64::from(came);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frees so many seats a second; of those called the part `show` comes two seconds later. Returns seats filled.
    fn run(caller: &mut Caller, from: u64, seconds: u64, freed: u32, show: f64) -> (u32, u64) {
        let (mut free, mut filled, mut called) = (0, 0, 0);
        let mut coming = std::collections::VecDeque::from([0.0; 20]);
        for tick in from * 10..(from + seconds) * 10 {
            free += if tick % 10 == 0 { freed } else { 0 };
            let here: f64 = coming.pop_front().unwrap_or(0.0);
            let came = (here as u32).min(free);
            free -= came;
            filled += came;
            let more = caller.call(free, came, 0, u64::MAX, Now::from_millis(tick * 100));
            called += more;
            let rest = here - f64::from(came);
            coming.push_back(more as f64 * show);
            coming[0] += rest;
        }
        (filled, called)
    }

    #[test]
    fn seats_fill_though_few_of_the_called_come() {
        for show in [1.0, 0.3, 0.02] {
            let mut caller = Caller::default();
            run(&mut caller, 0, 120, 100, show);
            let (filled, called) = run(&mut caller, 120, 60, 100, show);
            assert!((5_400..=6_200).contains(&filled), "{show}: {filled}");
            let needed = 6_000.0 / show;
            assert!((called as f64) < needed * 1.5, "{show}: {called} called");
            let (slow, quick) = caller.pace().unwrap();
            assert!(
                slow <= 100.0 / show && 100.0 / show <= quick,
                "{show}: {slow} {quick}"
            );
        }
    }

    #[test]
    fn places_that_nobody_uses_hold_the_line_up_shortly() {
        let mut caller = Caller::default();
        let (_, called) = run(&mut caller, 0, 180, 100, 0.0);
        assert!(called > 1_000_000, "{called}");
    }

    #[test]
    fn while_the_called_still_come_in_the_line_has_their_pace() {
        let mut caller = Caller::default();
        caller.call(10_000, 0, 0, 1_000_000, Now::from_millis(1_000));
        let mut pace = None;
        for tick in 11..2_000 {
            // Ten a second of those called long ago find a seat; none is left for anybody else.
            caller.call(0, 1, 0, 1_000_000, Now::from_millis(tick * 100));
            pace = caller.pace();
        }
        let (slow, quick) = pace.unwrap();
        assert!(
            slow <= 10.0 && (10.0..20.0).contains(&quick),
            "{slow} {quick}"
        );
    }

    #[test]
    fn no_pace_before_it_is_known() {
        let mut caller = Caller::default();
        run(&mut caller, 1_000, 5, 10, 1.0);
        assert_eq!(caller.pace(), None);
    }
}
