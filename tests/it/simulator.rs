//! A simulator of clients that lock, write, fall silent, renew, take over, release and unlock by force, in a
//! random but repeatable order, on a clock that only the simulator moves. A model says what each step must do.
//!
//! Never are there two valid holders, no row is written under a stale token, and tokens strictly rise.
//!
//! `STRATALOG_SEED=17` replays one seed, `STRATALOG_SEEDS=20000` tries as many instead of 1,000.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use stratalog::{Error, Filter, Lease, LockToken, Platform, Run, RunId, RunLock, SimulatedClock};

use crate::both_engines;
use crate::processes;
use crate::support::{Database, Plain, points, verify, years_and_values};

const CLIENTS: usize = 4;
const RUNS: usize = 2;
const STEPS: usize = 30;
const LEASE: Duration = Duration::from_secs(30);
const PARTS: u64 = 4;

type Points = BTreeMap<i64, f64>;

/// Who has a run, as the model sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    Nobody,
    /// Under the present token, until then by the simulator's clock, in milliseconds.
    Until(u64),
    /// Nobody, but a rollback is to be done.
    GaveUp,
}

#[derive(Clone, Debug)]
struct Model {
    token: i64,
    holder: Holder,
    points: Points,
    /// What a rollback goes back to.
    saved: Points,
}

struct Client {
    platform: Platform,
    runs: Vec<Run>,
    /// Whether it will never do anything again.
    is_dead: bool,
}

/// A lock that a client has got and has not ended; it may be another's by now.
struct Guard {
    client: usize,
    run: usize,
    lock: RunLock,
}

struct Simulation<'a> {
    clock: &'a SimulatedClock,
    now: u64,
    random: StdRng,
    clients: Vec<Client>,
    guards: Vec<Guard>,
    models: Vec<Model>,
    plain: Plain,
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).expect("a short time")
}

impl Simulation<'_> {
    fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
        self.now += milliseconds(by);
    }

    fn lease_end(&self) -> u64 {
        self.now + milliseconds(LEASE)
    }

    fn may_be_taken(&self, run: usize) -> bool {
        match self.models[run].holder {
            Holder::Nobody | Holder::GaveUp => true,
            Holder::Until(end) => end < self.now,
        }
    }

    fn is_valid(&self, guard: usize) -> bool {
        let guard = &self.guards[guard];
        let model = &self.models[guard.run];
        model.holder != Holder::Nobody && model.token == guard.lock.token().0
    }

    /// The model's side of taking a lock.
    fn taken(&mut self, run: usize) {
        let end = self.lease_end();
        let model = &mut self.models[run];
        if model.holder != Holder::Nobody {
            model.points = model.saved.clone();
        }
        model.saved = model.points.clone();
        model.token += 1;
        model.holder = Holder::Until(end);
    }

    fn acquire(&mut self, client: usize, run: usize) {
        let result = self.clients[client].runs[run].lock("simulated");
        if self.may_be_taken(run) {
            let lock = result.expect("a lock that is to be had");
            self.taken(run);
            assert_eq!(
                lock.token().0,
                self.models[run].token,
                "tokens rise one by one"
            );
            self.guards.push(Guard { client, run, lock });
        } else {
            let error = result.err().expect("a lock that is held");
            assert!(error.is_locked(), "{error}");
        }
    }

    /// Taking a lock meets an error (or the client dies) at a point of it.
    fn acquire_and_fail(&mut self, client: usize, run: usize) {
        let was_free = self.models[run].holder == Holder::Nobody;
        let places = if was_free {
            ["acquire:begun", "acquire:taken", "acquire:committed"].as_slice()
        } else {
            [
                "take over:taken",
                "take over:done",
                "take over:committed",
                "rollback:undone",
            ]
            .as_slice()
        };
        let point = places[self.random.random_range(0..places.len())];
        fail::cfg(point, "1*return").expect("arming");
        let result = self.clients[client].runs[run].lock("failing");
        fail::remove(point);
        let error = result.err().expect("an error");
        if !self.may_be_taken(run) {
            assert!(error.is_locked(), "{error}");
            return;
        }
        assert!(error.to_string().contains(point), "{error}");
        let end = self.lease_end();
        let model = &mut self.models[run];
        match point {
            // It is locked now, by somebody who will never come back to it.
            "acquire:committed" => {
                model.token += 1;
                model.holder = Holder::Until(end);
                model.saved = model.points.clone();
            }
            "take over:committed" => {
                model.token += 1;
                model.holder = Holder::Until(end);
            }
            "rollback:undone" => {
                model.token += 1;
                model.holder = Holder::GaveUp;
            }
            _ => {}
        }
    }

    /// While one client takes over, it falls silent between claiming and rolling back, and another takes over
    /// from it.
    fn overtake(&mut self, client: usize, other: usize, run: usize) {
        let is_takeover = self.models[run].holder != Holder::Nobody && self.may_be_taken(run);
        if !is_takeover || client == other {
            return;
        }
        let theirs = self.clients[other].runs[run].clone();
        let clock = self.clock.clone();
        let overtaken: Arc<Mutex<Option<RunLock>>> = Arc::default();
        let slot = Arc::clone(&overtaken);
        fail::cfg_callback("take over:committed", move || {
            let mut slot = slot.lock().expect("the slot");
            // The one that overtakes comes by here too.
            fail::remove("take over:committed");
            if slot.is_none() {
                clock.advance(2 * LEASE);
                *slot = Some(
                    theirs
                        .lock("overtaking")
                        .expect("the lock of the silent one"),
                );
            }
        })
        .expect("arming");
        let result = self.clients[client].runs[run].lock("overtaken");
        let error = result.err().expect("its lock was taken");
        assert!(error.is_lock_lost(), "{error}");
        self.now += milliseconds(2 * LEASE);
        self.models[run].token += 1;
        self.taken(run);
        let lock = overtaken
            .lock()
            .expect("the slot")
            .take()
            .expect("the other's lock");
        assert_eq!(lock.token().0, self.models[run].token);
        self.guards.push(Guard {
            client: other,
            run,
            lock,
        });
    }

    /// A lease that has run out is renewed after another client has seen that it had.
    fn renew_at_the_last_moment(&mut self, client: usize, guard: usize) {
        let Guard {
            run,
            client: holder,
            ..
        } = self.guards[guard];
        let has_lapsed = matches!(self.models[run].holder, Holder::Until(end) if end < self.now);
        if !has_lapsed || !self.is_valid(guard) {
            return;
        }
        let theirs = self.clients[holder].platform.clone();
        fail::cfg_callback("take over:seen", move || theirs.beat().expect("a beat"))
            .expect("arming");
        let result = self.clients[client].runs[run].lock("too late");
        fail::remove("take over:seen");
        let error = result.err().expect("it was renewed");
        assert!(error.is_locked(), "{error}");
        self.beat(holder);
    }

    /// What a guard's call came to must be what the model says.
    fn expect<T: std::fmt::Debug>(valid: bool, result: stratalog::Result<T>) {
        match result {
            Ok(_) => assert!(valid, "written under a stale token"),
            Err(error) => assert!(!valid && error.is_lock_lost(), "{error}"),
        }
    }

    fn write(&mut self, guard: usize) {
        let (year, value) = (
            self.random.random_range(0..6),
            f64::from(self.random.random_range(0..3)),
        );
        let valid = self.is_valid(guard);
        let Guard { run, lock, .. } = &self.guards[guard];
        let run = *run;
        Self::expect(valid, lock.iamc().add(&points(&[(year, value)])));
        if valid {
            let end = self.lease_end();
            let model = &mut self.models[run];
            if model.points.insert(year, value) != Some(value) {
                model.holder = Holder::Until(end);
            }
        }
    }

    fn checkpoint(&mut self, guard: usize) {
        let valid = self.is_valid(guard);
        let Guard { run, lock, .. } = &self.guards[guard];
        let run = *run;
        Self::expect(valid, lock.checkpoint("simulated"));
        if valid {
            let end = self.lease_end();
            let model = &mut self.models[run];
            model.saved = model.points.clone();
            model.holder = Holder::Until(end);
        }
    }

    fn finish(&mut self, guard: usize) {
        let valid = self.is_valid(guard);
        let Guard { run, lock, .. } = self.guards.swap_remove(guard);
        match self.random.random_range(0..3) {
            0 => {
                Self::expect(valid, lock.commit());
                if valid {
                    self.models[run].saved = self.models[run].points.clone();
                }
            }
            1 => Self::expect(valid, lock.rollback()),
            _ => drop(lock),
        }
        if valid {
            let model = &mut self.models[run];
            model.points = model.saved.clone();
            model.holder = Holder::Nobody;
        }
    }

    fn beat(&mut self, client: usize) {
        self.clients[client].platform.beat().expect("a beat");
        let end = self.lease_end();
        for guard in 0..self.guards.len() {
            if self.guards[guard].client == client && self.is_valid(guard) {
                self.models[self.guards[guard].run].holder = Holder::Until(end);
            }
        }
    }

    fn force(&mut self, client: usize, run: usize) {
        let model = &self.models[run];
        let token = LockToken(model.token - i64::from(self.random.random_range(0..4) == 0));
        let valid = model.holder != Holder::Nobody && token.0 == model.token;
        let Client { platform, runs, .. } = &self.clients[client];
        match platform
            .locks()
            .force_unlock(&runs[run], token, "simulated")
        {
            Ok(_) => {
                assert!(valid, "unlocked under a stale token");
                let model = &mut self.models[run];
                model.points = model.saved.clone();
                model.token += 1;
                model.holder = Holder::Nobody;
            }
            Err(error) => assert!(
                !valid && matches!(error, Error::LockTokenMismatch { .. }),
                "{error}"
            ),
        }
    }

    /// Somebody with an SQL shell and a token that he has seen.
    fn raw_write(&mut self, run: usize) {
        let model = &self.models[run];
        let token = model.token - self.random.random_range(0..3);
        let valid = model.holder != Holder::Nobody && token == model.token;
        let id = self.clients[0].runs[run].id().0;
        let begun = self.plain.begin(id, token);
        assert_eq!(begun.is_ok(), valid, "{begun:?}");
        self.plain.roll_back();
    }

    fn step(&mut self) {
        let client = self.random.random_range(0..CLIENTS);
        let run = self.random.random_range(0..RUNS);
        let own: Vec<_> = (0..self.guards.len())
            .filter(|&guard| self.guards[guard].client == client)
            .collect();
        let own = (!own.is_empty()).then(|| own[self.random.random_range(0..own.len())]);
        let what = self.random.random_range(0..100);
        if self.clients[client].is_dead {
            return;
        }
        match (what, own) {
            (0..=19, _) => self.acquire(client, run),
            (20..=24, _) => self.acquire_and_fail(client, run),
            (25..=29, _) => {
                let other = self.random.random_range(0..CLIENTS);
                if !self.clients[other].is_dead {
                    self.overtake(client, other, run);
                }
            }
            (30..=34, Some(guard)) => {
                let other = self.random.random_range(0..CLIENTS);
                self.renew_at_the_last_moment(other, guard);
            }
            (35..=49, Some(guard)) => self.write(guard),
            (50..=59, Some(guard)) => self.checkpoint(guard),
            (60..=69, Some(guard)) => self.finish(guard),
            (70..=77, _) => self.beat(client),
            (78..=90, _) => {
                let part = f64::from(self.random.random_range(1..15)) / 10.0;
                self.advance(LEASE.mul_f64(part));
            }
            (91..=94, _) => self.force(client, run),
            (95..=97, _) => self.raw_write(run),
            (98, _) => self.clients[client].is_dead = true,
            _ => {}
        }
    }

    fn check(&mut self) {
        let mut tokens: Vec<_> = self
            .guards
            .iter()
            .map(|guard| (guard.run, guard.lock.token().0))
            .collect();
        tokens.sort_unstable();
        tokens.dedup();
        assert_eq!(tokens.len(), self.guards.len(), "two guards have one token");
        for (run, model) in self.models.iter().enumerate() {
            let run = &self.clients[0].runs[run];
            let id = run.id();
            assert_eq!(
                self.plain
                    .number(&format!("SELECT token FROM run_locks WHERE run_id = {id}")),
                model.token
            );
            let is_free = self.plain.number(&format!(
                "SELECT count(*) FROM run_locks WHERE run_id = {id} AND state = 'free'"
            ));
            assert_eq!(is_free == 1, model.holder == Holder::Nobody, "{model:?}");
            let found: Points =
                years_and_values(&run.iamc().tabulate(&Filter::all()).expect("points"))
                    .into_iter()
                    .collect();
            assert_eq!(found, model.points);
            let fallen = self.plain.number(&format!(
                "SELECT count(*) FROM transactions a JOIN transactions b ON b.run_id = a.run_id AND b.id > a.id
                 WHERE a.run_id = {id} AND b.lock_token < a.lock_token"
            ));
            assert_eq!(
                fallen, 0,
                "a transaction was made under an older token than one before it"
            );
        }
    }
}

fn simulate(platforms: &[Platform], plain: Plain, clock: &SimulatedClock, seed: u64) -> Plain {
    let ids: Vec<RunId> = (0..RUNS)
        .map(|_| {
            platforms[0]
                .runs()
                .create("model", "scenario")
                .expect("a run")
                .id()
        })
        .collect();
    let clients = platforms
        .iter()
        .map(|platform| Client {
            platform: platform.clone(),
            runs: ids
                .iter()
                .map(|id| platform.runs().get_by_id(*id).expect("the run"))
                .collect(),
            is_dead: false,
        })
        .collect();
    let model = Model {
        token: 0,
        holder: Holder::Nobody,
        points: Points::new(),
        saved: Points::new(),
    };
    let mut simulation = Simulation {
        clock,
        now: 0,
        random: StdRng::seed_from_u64(seed),
        clients,
        guards: Vec::new(),
        models: vec![model; RUNS],
        plain,
    };
    for _ in 0..STEPS {
        simulation.step();
    }
    simulation.check();
    // What is left ends as it must: whoever still has a lock releases it, the others change nothing.
    for guard in (0..simulation.guards.len()).rev() {
        simulation.finish(guard);
    }
    simulation.check();
    simulation.plain
}

/// The task: from which seed on, and how many.
#[test]
#[ignore = "started by the tests of this file"]
fn a_simulation() {
    let Some((url, task)) = processes::task() else {
        return;
    };
    let (first, count) = task.split_once('+').expect("a task");
    let (first, count): (u64, u64) = (
        first.parse().expect("a seed"),
        count.parse().expect("a number"),
    );
    let clock = SimulatedClock::default();
    let platforms: Vec<_> = (0..CLIENTS)
        .map(|_| {
            Platform::options()
                .simulated_clock(&clock)
                .lease(Lease::of(LEASE))
                .pool_size(2)
                .open(&url)
                .expect("opening")
        })
        .collect();
    let engine = platforms[0].engine();
    let mut plain = Plain::open(engine, &url);
    for seed in first..first + count {
        let told = TellSeed(seed);
        plain = simulate(&platforms, plain, &clock, seed);
        drop(told);
    }
    verify(&platforms[0]);
}

/// Says which seed it was when a step panics.
struct TellSeed(u64);

impl Drop for TellSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the seed was {0}: STRATALOG_SEED={0} replays it", self.0);
        }
    }
}

/// One of several parts, which run side by side.
fn simulate_part(database: &Database, part: u64) {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().expect("a number"))
    };
    let platform = database.open();
    platform.regions().create("World").expect("a region");
    platform.units().create("EJ/yr").expect("a unit");
    drop(platform);
    let task = match number("STRATALOG_SEED") {
        Some(seed) => format!("{seed}+1"),
        None => {
            let each = number("STRATALOG_SEEDS").unwrap_or(1000).div_ceil(PARTS);
            format!("{}+{each}", part * each)
        }
    };
    processes::alone("simulator::a_simulation", &database.url, &task);
}

both_engines! {
    fn clients_interleave_part_1(database: &Database) {
        simulate_part(database, 0);
    }

    fn clients_interleave_part_2(database: &Database) {
        simulate_part(database, 1);
    }

    fn clients_interleave_part_3(database: &Database) {
        simulate_part(database, 2);
    }

    fn clients_interleave_part_4(database: &Database) {
        simulate_part(database, 3);
    }
}
