// SPDX-License-Identifier: GPL-2.0

//! What an administrator sees is what there is; looking costs nothing and changes nothing.

use harness::bell::FIRST_PROCESS;
use harness::chip::Fault;
use harness::command::Kind;
use harness::engine::{OwnerView, PlaceView, UserId};
use harness::rig::{Rig, ALICE, BOB};
use harness::tpm::{cc, rc};

const SPACES: usize = 4;
const SESSIONS: usize = 8;
/// Longer than any of these takes.
const IDLE: u64 = 1000;

#[test]
fn what_each_space_has_is_shown() {
    let rig = Rig::new();
    rig.let_stay(IDLE);
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let keys: Vec<_> = (0..5).map(|n| a.mac_key(&[n; 8]).unwrap()).collect();
    let sessions: Vec<_> = (0..4).map(|_| a.start(Kind::Policy).unwrap()).collect();
    a.flush(keys[0].handle).unwrap();
    b.random().unwrap();

    let view = rig.view(SPACES, SESSIONS);
    let [first, second] = &view.spaces.iter().collect::<Vec<_>>()[..] else {
        panic!("there are two spaces");
    };
    assert_eq!((first.user, second.user), (UserId(ALICE), UserId(BOB)));
    assert_eq!(
        (first.number, second.number),
        (a.id().number(), b.id().number())
    );
    let processes = [FIRST_PROCESS, FIRST_PROCESS + 1];
    assert_eq!([first.process, second.process], processes);
    assert_eq!(
        (first.objects, first.objects_loaded, first.objects_lost),
        (4, 3, 0)
    );
    assert_eq!((first.sessions, first.sessions_loaded), (4, 3));
    assert_eq!(
        (second.objects, second.sessions, second.commands),
        (0, 0, 1)
    );
    assert_eq!(first.commands, 5 + 4 + 1);
    assert_eq!(
        (view.chip.objects_loaded, view.chip.sessions_loaded),
        (3, 3)
    );
    assert_eq!((view.chip.object_slots, view.chip.session_slots), (3, 3));
    assert_eq!(view.counters, rig.counters());

    let places: Vec<_> = view.sessions.iter().map(|s| s.place).collect();
    assert_eq!(
        places.iter().filter(|p| **p == PlaceView::Loaded).count(),
        3
    );
    for (shown, session) in view.sessions.iter().zip(&sessions) {
        assert_eq!(shown.handle & 0xFF_FFFF, session.handle & 0xFF_FFFF);
        assert_eq!(shown.owner, OwnerView::Space(a.id().number()));
        assert_eq!(shown.user, Some(UserId(ALICE)));
    }
    let (_, sent) = rig.sent(|| rig.view(SPACES, SESSIONS));
    assert_eq!(sent.len(), 0);
}

#[test]
fn what_is_saved_and_what_is_lost_is_shown() {
    let rig = Rig::new();
    rig.let_stay(IDLE);
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    a.primary(harness::tpm::rh::OWNER).unwrap();
    let session = a.start(Kind::Hmac).unwrap();
    a.save(session.handle).unwrap();
    b.clear().unwrap();

    let view = rig.view(SPACES, SESSIONS);
    let first = view.spaces.iter().next().unwrap();
    assert_eq!(
        (first.objects, first.objects_lost, first.sessions),
        (0, 1, 0)
    );
    assert_eq!(view.chip.sessions_detached, 1);
    let detached = view.sessions.iter().next().unwrap();
    assert_eq!(
        (detached.owner, detached.user, detached.place),
        (OwnerView::Detached, Some(UserId(ALICE)), PlaceView::Saved)
    );
    rig.close(a);
    rig.close(b);
    let view = rig.view(SPACES, SESSIONS);
    assert_eq!((view.spaces.all(), view.sessions.all()), (0, 1));
}

#[test]
fn what_there_is_no_room_for_is_counted() {
    let rig = Rig::new();
    let spaces = [rig.open(ALICE), rig.open(BOB), rig.open(BOB)];
    for space in &spaces {
        space.start(Kind::Policy).unwrap();
    }
    for (room, complete) in [(0, false), (2, false), (3, true), (9, true)] {
        let view = rig.view(room, room);
        assert_eq!(view.is_complete(), complete, "{room}");
        assert_eq!((view.spaces.all(), view.sessions.all()), (3, 3));
        assert!(view.spaces.iter().count() == 3 || !complete);
        assert_eq!(rig.view(3, room).is_complete(), complete);
        assert_eq!(rig.view(room, 3).is_complete(), complete);
    }
}

#[test]
fn what_a_closed_space_could_not_take_along_is_shown_as_nobodys() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let session = a.start(Kind::Policy).unwrap();
    rig.chip
        .borrow_mut()
        .fail_code(cc::FLUSH_CONTEXT, Fault::Answer(rc::RETRY));
    rig.close(a);
    rig.chip.borrow_mut().fail_none();
    let view = rig.view(SPACES, SESSIONS);
    let rows: Vec<_> = view.sessions.iter().collect();
    let [left] = rows[..] else {
        panic!("there is one session");
    };
    assert_eq!(left.handle, session.handle);
    assert_eq!((left.owner, left.user), (OwnerView::Nobody, None));
    rig.open(BOB).random().unwrap();
    assert_eq!(rig.view(SPACES, SESSIONS).sessions.all(), 0);
}
