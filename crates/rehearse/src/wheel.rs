//! The time wheel: who is due in which slot. A bucket a slot, filled in order; nothing is sorted and nothing boxed.

#[derive(Debug)]
pub(crate) struct Wheel {
    slots: Vec<Vec<u32>>,
    /// Emptied buckets, to be filled again.
    emptied: Vec<Vec<u32>>,
    now: u32,
}

impl Wheel {
    pub(crate) fn new(slots: u32) -> Self {
        Self {
            slots: vec![Vec::new(); slots as usize],
            emptied: Vec::new(),
            now: 0,
        }
    }

    /// Puts somebody into a slot, at the earliest the next, and returns which; what lies beyond the end never comes.
    pub(crate) fn put(&mut self, slot: u32, who: u32) -> u32 {
        let slot = slot.max(self.now + 1);
        if let Some(bucket) = self.slots.get_mut(slot as usize) {
            if bucket.capacity() == 0
                && let Some(emptied) = self.emptied.pop()
            {
                *bucket = emptied;
            }
            bucket.push(who);
        }
        slot
    }

    /// All of a slot, in the order they were put there.
    pub(crate) fn take(&mut self, slot: u32) -> Vec<u32> {
        self.now = slot;
        self.slots
            .get_mut(slot as usize)
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// Takes back what `take` gave, for its room.
    pub(crate) fn give_back(&mut self, mut bucket: Vec<u32>) {
        bucket.clear();
        if bucket.capacity() > 0 {
            self.emptied.push(bucket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_comes_once_in_order_and_never_in_the_past() {
        let mut wheel = Wheel::new(10);
        assert_eq!(wheel.put(3, 7), 3);
        assert_eq!(wheel.put(3, 5), 3);
        assert_eq!(wheel.put(99, 1), 99);
        assert_eq!(wheel.take(3), [7, 5]);
        assert_eq!(wheel.put(2, 8), 4);
        assert!(wheel.take(3).is_empty());
        assert_eq!(wheel.take(4), [8]);
    }
}
