//! The queue with backends that it knows nothing of. Requests follow the protocol of `admission` in small steps, and between any two of
//! them anything may happen: in the laws every order is a case, and among eight threads every step may be held up.

mod threads;

use super::{Place, Queue};
use proptest::prelude::*;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Wake, Waker};

/// Backends with room for so many requests.
struct House {
    rooms: Vec<AtomicU32>,
}

/// What a request that found nothing sees when it looks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Look {
    RoomForMe,
    RoomForOthers,
    NoRoom,
}

impl House {
    fn of(rooms: &[u32]) -> Self {
        Self {
            rooms: rooms.iter().copied().map(AtomicU32::new).collect(),
        }
    }

    /// Takes room at a backend that is not in `tried`.
    fn take(&self, tried: u8) -> Option<usize> {
        (0..self.rooms.len()).find(|&backend| {
            let take = |room: u32| room.checked_sub(1);
            let room = &self.rooms[backend];
            tried & 1 << backend == 0
                && room
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                    .is_ok()
        })
    }

    fn give_back(&self, backend: usize) {
        self.rooms[backend].fetch_add(1, Ordering::Relaxed);
    }

    fn has_room(&self, tried: u8) -> bool {
        let mut rooms = self.rooms.iter().enumerate();
        rooms.any(|(backend, room)| tried & 1 << backend == 0 && room.load(Ordering::Relaxed) > 0)
    }

    fn look(&self, tried: u8) -> Look {
        match (self.has_room(tried), self.has_room(0)) {
            (true, _) => Look::RoomForMe,
            (false, true) => Look::RoomForOthers,
            (false, false) => Look::NoRoom,
        }
    }
}

#[derive(Default)]
struct Alarm(AtomicBool);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Waiter<'q> {
    number: usize,
    tried: u8,
    place: Place<'q, u8>,
    alarm: Arc<Alarm>,
    next: Step,
}

/// What a waiter does next.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    /// It has joined, and looks for room.
    LookOnce,
    /// It has seen room.
    Tell,
    /// It waits for its turn, and takes room then.
    Take,
    /// It has found none.
    Look,
    EndTurn(Look),
    Leave {
        with: usize,
        is_more_free: bool,
    },
}

/// What happens, one small step at a time.
#[derive(Debug, Clone)]
enum Event {
    Arrives {
        tried: u8,
    },
    /// A request is over: its room is free.
    Ends(usize),
    /// And the queue is told so.
    Tells,
    Cancels(usize),
    Runs(usize),
}

struct Scene<'q> {
    queue: &'q Queue<u8>,
    house: House,
    waiters: Vec<Waiter<'q>>,
    in_flight: Vec<usize>,
    to_tell: usize,
    arrived: usize,
    /// Who got which backend, in order.
    served: Vec<(usize, usize)>,
}

impl<'q> Scene<'q> {
    fn new(queue: &'q Queue<u8>, rooms: &[u32]) -> Self {
        Self {
            queue,
            house: House::of(rooms),
            waiters: Vec::new(),
            in_flight: Vec::new(),
            to_tell: 0,
            arrived: 0,
            served: Vec::new(),
        }
    }

    fn happens(&mut self, event: &Event) {
        match *event {
            Event::Arrives { tried } => self.arrive(tried),
            Event::Ends(_) if self.in_flight.is_empty() => {}
            Event::Ends(which) => {
                let backend = self.in_flight.swap_remove(which % self.in_flight.len());
                self.house.give_back(backend);
                self.to_tell += 1;
            }
            Event::Tells if self.to_tell == 0 => {}
            Event::Tells => {
                self.to_tell -= 1;
                self.queue.wake();
            }
            Event::Cancels(_) if self.waiters.is_empty() => {}
            Event::Cancels(which) => self.cancel(which % self.waiters.len()),
            Event::Runs(which) => drop(self.run(which)),
        }
    }

    fn arrive(&mut self, tried: u8) {
        self.arrived += 1;
        let number = self.arrived;
        if self.queue.is_empty()
            && let Some(backend) = self.house.take(tried)
        {
            self.served.push((number, backend));
            self.in_flight.push(backend);
        } else if let Some(place) = self.queue.join(tried) {
            self.waiters.push(Waiter {
                number,
                tried,
                place,
                alarm: Arc::new(Alarm(AtomicBool::new(true))),
                next: Step::LookOnce,
            });
        }
    }

    fn cancel(&mut self, at: usize) {
        let gone = self.waiters.remove(at);
        drop(gone.place);
        // One that has its backend already drops that as well.
        if let Step::Leave { with, .. } = gone.next {
            self.house.give_back(with);
            self.queue.wake();
        }
    }

    /// Lets one of those run that can, one step far; false when none can.
    fn run(&mut self, which: usize) -> bool {
        let can_run = |waiter: &Waiter<'_>| {
            waiter.next != Step::Take || waiter.alarm.0.load(Ordering::Relaxed)
        };
        let awake: Vec<_> = (0..self.waiters.len())
            .filter(|&at| can_run(&self.waiters[at]))
            .collect();
        let Some(&at) = awake.get(which % awake.len().max(1)) else {
            return false;
        };
        let waiter = &mut self.waiters[at];
        let (house, tried) = (&self.house, waiter.tried);
        waiter.next = match waiter.next {
            Step::LookOnce if house.has_room(0) => Step::Tell,
            Step::LookOnce => Step::Take,
            Step::Tell => {
                self.queue.wake();
                Step::Take
            }
            Step::Take => {
                let waker = Arc::clone(&waiter.alarm).into();
                let mut context = Context::from_waker(&waker);
                waiter.alarm.0.store(false, Ordering::Relaxed);
                if pin!(waiter.place.turn()).poll(&mut context).is_pending() {
                    return true;
                } else if let Some(backend) = house.take(tried) {
                    self.served.push((waiter.number, backend));
                    Step::Leave {
                        with: backend,
                        is_more_free: house.has_room(0),
                    }
                } else {
                    Step::Look
                }
            }
            Step::Look => match house.look(tried) {
                Look::RoomForMe => Step::Take,
                look => Step::EndTurn(look),
            },
            Step::EndTurn(look) => {
                match look {
                    Look::NoRoom => waiter.place.rest(),
                    _ => waiter.place.pass(),
                }
                Step::Take
            }
            Step::Leave { with, is_more_free } => {
                self.in_flight.push(with);
                self.waiters.remove(at).place.leave(is_more_free);
                return true;
            }
        };
        if waiter.next == Step::Take {
            // As in `admission`, it goes on until it waits.
            waiter.alarm.0.store(true, Ordering::Relaxed);
        }
        true
    }

    /// Lets all run until nobody can.
    fn settle(&mut self) {
        while self.to_tell > 0 {
            self.happens(&Event::Tells);
        }
        while self.run(0) {}
    }

    /// The first waiter that could be served.
    fn neglected(&self) -> Option<usize> {
        let mut waiters = self.waiters.iter();
        waiters
            .find(|waiter| self.house.has_room(waiter.tried))
            .map(|waiter| waiter.number)
    }
}

fn events(tried: impl Strategy<Value = u8>) -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => tried.prop_map(|tried| Event::Arrives { tried }),
        3 => any::<usize>().prop_map(Event::Ends),
        3 => Just(Event::Tells),
        1 => any::<usize>().prop_map(Event::Cancels),
        12 => any::<usize>().prop_map(Event::Runs),
    ];
    prop::collection::vec(event, 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nobody_waits_beside_a_backend_that_could_serve_it(
        rooms in prop::collection::vec(1..3_u32, 1..=3), events in events(0..7_u8)
    ) {
        // Seen failing with `again` never set, not looked at, and with a turn that then goes on behind instead of at the front; with a
        // place that ends the turn when it is dropped in it; with `pass` as `rest`; and with newcomers that do not look for room.
        let queue = Queue::new(100);
        let mut scene = Scene::new(&queue, &rooms);
        events.iter().for_each(|event| scene.happens(event));
        scene.settle();
        prop_assert_eq!(scene.neglected(), None);
        prop_assert_eq!(queue.is_empty(), scene.waiters.is_empty());
    }

    #[test]
    fn nobody_is_overtaken_by_one_who_came_later(
        // All can use all, and yet they are not all of one kind.
        events in events(prop_oneof![Just(0), Just(64), Just(128)]),
        rooms in prop::collection::vec(1..3_u32, 1..=2)
    ) {
        // Seen failing with newcomers that take free room while others wait, with a turn that begins at the end of the line, and with one
        // that is passed on where there is room for whoever passes it.
        let queue = Queue::new(100);
        let mut scene = Scene::new(&queue, &rooms);
        events.iter().for_each(|event| scene.happens(event));
        let numbers: Vec<_> = scene.served.iter().map(|(number, _)| *number).collect();
        prop_assert!(numbers.is_sorted(), "{:?}", numbers);
    }

    #[test]
    fn a_later_one_gets_only_what_no_earlier_one_can_use(
        events in events(0..8_u8), rooms in prop::collection::vec(1..3_u32, 3)
    ) {
        // Seen failing with a turn that begins at the end of the line.
        let queue = Queue::new(100);
        let mut scene = Scene::new(&queue, &rooms);
        for event in events {
            let waiting: Vec<_> = scene.waiters.iter().map(|waiter| (waiter.number, waiter.tried)).collect();
            let before = scene.served.len();
            scene.happens(&event);
            scene.settle();
            for &(served, backend) in &scene.served[before..] {
                let is_neglected = |&&(number, tried): &&(usize, u8)| {
                    let still_waits = scene.waiters.iter().any(|waiter| waiter.number == number);
                    number < served && tried & 1 << backend == 0 && still_waits
                };
                let neglected = waiting.iter().find(is_neglected);
                prop_assert_eq!(neglected, None, "{} got {}", served, backend);
            }
        }
    }
}

#[test]
fn a_full_line_takes_nobody_until_somebody_leaves() {
    let queue = Queue::new(2);
    let first = queue.join(0).unwrap();
    let _second = queue.join(1).unwrap();
    assert!(queue.join(2).is_none());
    drop(first);
    assert!(queue.join(3).is_some());
}

#[test]
fn it_is_known_which_kinds_wait() {
    let queue = Queue::new(9);
    let waiting = |kind| queue.holds(|&waits| waits == kind);
    let _seven = queue.join(7);
    assert!(!waiting(8));
    let eights = [queue.join(8), queue.join(8)];
    assert!(waiting(7) && waiting(8));
    drop(eights);
    assert!(waiting(7) && !waiting(8));
}

/// Those who have the turn.
fn in_turn(places: &[Place<'_, u8>]) -> Vec<usize> {
    let mut context = Context::from_waker(Waker::noop());
    let mut has_it = |place: &Place<'_, u8>| pin!(place.turn()).poll(&mut context).is_ready();
    (0..places.len())
        .filter(|&at| has_it(&places[at]))
        .collect()
}

#[test]
fn of_each_kind_only_the_first_is_asked() {
    // A thousand that have all tried the one backend that is free must not each be woken for everybody who comes and goes there.
    let queue = Queue::new(9);
    let places = [1, 1, 2, 1, 3, 2].map(|kind| queue.join(kind).unwrap());
    queue.wake();
    for asked in [0, 2, 4] {
        assert_eq!(in_turn(&places), [asked]);
        places[asked].pass();
    }
    assert_eq!(in_turn(&places), [0; 0]);
    queue.wake();
    assert_eq!(in_turn(&places), [0]);
}

#[test]
fn when_all_are_asked_each_kind_is_though_nothing_is_free() {
    let queue = Queue::new(9);
    let places = [1, 1, 2].map(|kind| queue.join(kind).unwrap());
    queue.ask_all();
    for asked in [0, 2] {
        assert_eq!(in_turn(&places), [asked]);
        places[asked].rest();
    }
    assert_eq!(in_turn(&places), [0; 0]);
    queue.wake();
    places[0].rest();
    assert_eq!(in_turn(&places), [0; 0]);
}
