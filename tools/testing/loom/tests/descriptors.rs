// SPDX-License-Identifier: GPL-2.0

//! Descriptors that meet: every order of their steps, as far as the bound of preemptions lets them differ.
//!
//! Whoever sleeps for ever makes loom fail, so that each call that returns is an assertion by itself.

use driver::rig::{code, flush, handle, random, start, Rig};
use kernel::task::Task;
use kernel::time::hrtimer;
use loom::thread;

const ERESTARTSYS: i32 = 512;
const EPIPE: i32 = 32;

/// How often a thread is interrupted at most: more for longer runs, by LOOM_MAX_PREEMPTIONS.
const PREEMPTIONS: usize = 2;

fn explore(f: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(PREEMPTIONS));
    builder.max_branches = 100_000;
    builder.check(f);
}

#[test]
fn g7_a_number_that_comes_free_wakes_who_waits_for_it() {
    explore(|| {
        let rig = Rig::new(1);
        let (a, b) = (rig.open(1), rig.open(2));
        let held = handle(&a.ask(&start()).unwrap());
        let waiter = b.clone();
        let waiting = thread::spawn(move || waiter.ask(&start()));
        assert_eq!(code(&a.ask(&flush(held)).unwrap()), 0);
        assert_eq!(code(&waiting.join().unwrap().unwrap()), 0);
        a.close();
        b.close();
        assert_eq!(rig.active(), 0);
        rig.end();
    });
}

#[test]
fn g7_a_close_wakes_who_waits_for_a_number() {
    explore(|| {
        let rig = Rig::new(1);
        let (a, b) = (rig.open(1), rig.open(2));
        a.ask(&start()).unwrap();
        let waiter = b.clone();
        let waiting = thread::spawn(move || waiter.ask(&start()));
        a.close();
        assert_eq!(code(&waiting.join().unwrap().unwrap()), 0);
        b.close();
        assert_eq!(rig.active(), 0);
        rig.end();
    });
}

#[test]
fn g7_a_parked_command_is_called_however_soon_the_number_comes() {
    explore(|| {
        let rig = Rig::new(1);
        let (a, b) = (rig.open(1), rig.open(2));
        let held = handle(&a.ask(&start()).unwrap());
        b.queue(&start()).unwrap();
        assert_eq!(code(&a.ask(&flush(held)).unwrap()), 0);
        assert_eq!(code(&b.read().unwrap()), 0);
        a.close();
        b.close();
        assert_eq!(rig.active(), 0);
        rig.end();
    });
}

#[test]
fn g8_a_close_against_the_worker_leaves_nothing() {
    explore(|| {
        let rig = Rig::new(1);
        let a = rig.open(1);
        a.queue(&start()).unwrap();
        a.close();
        assert_eq!(rig.active(), 0);
        rig.end();
    });
}

#[test]
fn g8_a_close_of_a_parked_command_against_the_call_leaves_nothing() {
    explore(|| {
        let rig = Rig::new(1);
        let (a, b) = (rig.open(1), rig.open(2));
        let held = handle(&a.ask(&start()).unwrap());
        b.queue(&start()).unwrap();
        let closing = thread::spawn(move || b.close());
        assert_eq!(code(&a.ask(&flush(held)).unwrap()), 0);
        closing.join().unwrap();
        a.close();
        assert_eq!(rig.active(), 0);
        rig.end();
    });
}

#[test]
fn g7_a_signal_against_the_call_gives_the_number_back() {
    explore(|| {
        let rig = Rig::new(1);
        let (a, b) = (rig.open(1), rig.open(2));
        a.ask(&start()).unwrap();
        let task = Task::new();
        let (waiter, own) = (b.clone(), task.clone());
        let waiting = thread::spawn(move || own.run(|| waiter.ask(&start())));
        // What nobody is there for is given to the next when the alarm goes off.
        let interrupt = thread::spawn(|| hrtimer::interrupt(2));
        task.signal();
        a.close();
        match waiting.join().unwrap() {
            Ok(response) => assert_eq!(code(&response), 0),
            Err(errno) => {
                assert_eq!(errno, ERESTARTSYS);
                // Nobody keeps the number: who asks now has it.
                let c = rig.open(3);
                assert_eq!(code(&c.ask(&start()).unwrap()), 0);
                c.close();
            }
        }
        b.close();
        assert_eq!(rig.active(), 0);
        rig.end();
        interrupt.join().unwrap();
    });
}

#[test]
fn g10_an_unplugged_chip_wakes_who_waits() {
    explore(|| {
        let rig = Rig::new(1);
        let (a, b) = (rig.open(1), rig.open(2));
        a.ask(&start()).unwrap();
        let waiter = b.clone();
        let waiting = thread::spawn(move || waiter.ask(&start()));
        let unplug = rig.unplugger();
        unplug();
        assert_eq!(waiting.join().unwrap(), Err(EPIPE));
        a.close();
        b.close();
        rig.end();
    });
}

#[test]
fn g2_a_queued_answer_is_there_once_and_whole() {
    explore(|| {
        let rig = Rig::new(1);
        let a = rig.open(1);
        a.queue(&random()).unwrap();
        let reader = a.clone();
        let reading = thread::spawn(move || reader.read().unwrap());
        let own = a.read().unwrap();
        let other = reading.join().unwrap();
        // Whoever comes first has it, and the other finds nothing.
        let mut lengths = [own.len(), other.len()];
        lengths.sort_unstable();
        assert_eq!(lengths, [0, 13]);
        a.close();
        rig.end();
    });
}

#[test]
fn g7_the_alarm_calls_who_waits_when_a_lease_is_over() {
    explore(|| {
        let rig = Rig::new(1);
        let (a, b) = (rig.open(1), rig.open(2));
        a.ask(&start()).unwrap();
        let interrupt = thread::spawn(|| hrtimer::interrupt(2));
        // Nobody gives anything: at the end of the lease it is taken.
        let response = b.ask(&start()).unwrap();
        assert_eq!(code(&response), 0);
        a.close();
        b.close();
        assert_eq!(rig.active(), 0);
        rig.end();
        interrupt.join().unwrap();
    });
}
