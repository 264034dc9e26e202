//! The points of the members, one sorted ring for each binary digit of the weights.

use super::super::{FULL_WEIGHT, Member, Members};
use std::collections::HashMap;

/// Points of a member for each digit of its weight.
const REPLICAS: u64 = 160;

/// Digits of the largest weight, in eighths of weight 1.
const DIGITS: usize = 13;

#[derive(Debug)]
pub(super) struct Ring {
    slots: Vec<Slot>,
    by_identity: HashMap<u64, usize>,
    rings: [Digit; DIGITS],
    weight: u64,
}

/// The points of one digit, and where each of as many equal parts of the ring begins among them.
#[derive(Debug)]
pub(super) struct Digit {
    points: Vec<Point>,
    parts: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    index: usize,
    identity: u64,
    weight: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    place: u64,
    slot: u32,
}

impl Ring {
    /// A ring of `members`; points of those who stay are taken from `former`.
    pub(super) fn resume<'a>(
        former: Option<&Self>,
        members: impl Iterator<Item = (usize, &'a Member)>,
    ) -> Self {
        let slots: Vec<Slot> = members
            .map(|(index, member)| Slot {
                index,
                identity: member.identity(),
                weight: member.weight(),
            })
            .collect();
        let by_identity = slots.iter().map(|slot| slot.identity).zip(0..).collect();
        Self {
            weight: slots.iter().map(|slot| u64::from(slot.weight)).sum(),
            rings: std::array::from_fn(|digit| {
                Digit::of(points(former, digit, &slots, &by_identity))
            }),
            by_identity,
            slots,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn weight(&self) -> u64 {
        self.weight
    }

    pub(super) fn index(&self, slot: usize) -> Option<usize> {
        self.slots.get(slot).map(|slot| slot.index)
    }

    pub(super) fn slot(&self, identity: u64) -> Option<usize> {
        self.by_identity.get(&identity).copied()
    }

    pub(super) fn load(&self, members: &Members, slot: usize) -> u32 {
        let member = self.index(slot).and_then(|index| members.member(index));
        member.map_or(0, Member::in_flight)
    }

    /// The ring of those whose weight has this digit.
    #[cfg(test)]
    pub(super) fn digit(&self, digit: usize) -> &Digit {
        &self.rings[digit]
    }

    /// The slots of the points from `hash` on, next first; a slot comes once for each of its points.
    pub(super) fn walk(&self, hash: u64) -> Walk<'_> {
        Walk {
            ring: self,
            hash,
            starts: self.rings.each_ref().map(|ring| ring.start(hash)),
            passed: [0; DIGITS],
        }
    }
}

impl Digit {
    #[cfg(test)]
    pub(super) fn places(&self) -> Vec<u64> {
        self.points.iter().map(|point| point.place).collect()
    }

    fn of(points: Vec<Point>) -> Self {
        let mut parts = vec![0; points.len()];
        // Backwards, so that the first point of a part is what stays.
        let mut next = points.len();
        for part in (0..points.len()).rev() {
            while next > 0 && part_of(points[next - 1].place, points.len()) >= part {
                next -= 1;
            }
            parts[part] = u32::try_from(next).unwrap_or(u32::MAX);
        }
        Self { points, parts }
    }

    /// The first point at or after `hash`; the number of points when there is none.
    pub(super) fn start(&self, hash: u64) -> usize {
        if self.points.is_empty() {
            return 0;
        }
        let first = self.parts[part_of(hash, self.parts.len())] as usize;
        let passed = self.points[first..].iter();
        first + passed.take_while(|point| point.place < hash).count()
    }
}

fn part_of(place: u64, parts: usize) -> usize {
    ((u128::from(place) * parts as u128) >> 64) as usize
}

pub(super) struct Walk<'a> {
    ring: &'a Ring,
    hash: u64,
    starts: [usize; DIGITS],
    passed: [usize; DIGITS],
}

impl Iterator for Walk<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let ahead = (0..DIGITS).filter_map(|digit| self.ahead(digit));
        let (_, slot, digit) = ahead.min()?;
        self.passed[digit] += 1;
        usize::try_from(slot).ok()
    }
}

impl Walk<'_> {
    /// The next point of one ring: its distance by the measure of all rings, slot and digit.
    fn ahead(&self, digit: usize) -> Option<(u128, u32, usize)> {
        let ring = &self.ring.rings[digit].points;
        if self.passed[digit] >= ring.len() {
            return None;
        }
        let Point { place, slot } = ring[(self.starts[digit] + self.passed[digit]) % ring.len()];
        let distance = u128::from(place.wrapping_sub(self.hash)) << (DIGITS - digit);
        Some((distance, slot, digit))
    }
}

fn points(
    former: Option<&Ring>,
    digit: usize,
    slots: &[Slot],
    by_identity: &HashMap<u64, usize>,
) -> Vec<Point> {
    let mut is_new: Vec<bool> = slots.iter().map(|slot| has(slot.weight, digit)).collect();
    let mut points = Vec::new();
    if let Some(ring) = former {
        let staying: Vec<Option<u32>> = ring
            .slots
            .iter()
            .map(|slot| {
                let now = *by_identity.get(&slot.identity)?;
                let stays = has(slot.weight, digit) && std::mem::take(&mut is_new[now]);
                u32::try_from(now).ok().filter(|_| stays)
            })
            .collect();
        points.extend(ring.rings[digit].points.iter().filter_map(|point| {
            let slot = staying[point.slot as usize]?;
            Some(Point { slot, ..*point })
        }));
    }
    for (number, slot) in (0..).zip(slots) {
        if is_new[number as usize] {
            points.extend((0..REPLICAS).map(|replica| Point {
                place: mixed(slot.identity ^ mixed(((digit as u64) << 32) | replica)),
                slot: number,
            }));
        }
    }
    // Those who stay are a sorted run, which this sort makes use of.
    points.sort();
    points
}

fn has(weight: u32, digit: usize) -> bool {
    let eighths = (weight * 8).div_ceil(FULL_WEIGHT);
    (eighths >> digit) & 1 == 1
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014).
pub(super) fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}
