// SPDX-License-Identifier: GPL-2.0

//! What fuzzing has found (tools/testing/fuzz), as stories.

use crate::lost;
use harness::chip::Fault;
use harness::command::Kind;
use harness::rig::{Rig, ALICE};
use harness::tpm::{cc, rc};

/// The TPM has saved the session, and nobody has the context: it is not where it was, and not gone.
#[test]
fn g8_a_session_that_was_saved_without_an_answer_is_flushed_when_it_is_missed() {
    let rig = Rig::new();
    rig.let_stay(1000);
    let a = rig.open(ALICE);
    let session = a.start(Kind::Policy).unwrap();
    {
        let mut chip = rig.chip.borrow_mut();
        chip.fail_nth(0, Fault::After(kernel::error::code::EIO));
        chip.fail_code(cc::CONTEXT_SAVE, Fault::Answer(rc::RETRY));
    }
    // Somebody else comes, and nothing of ours is to be loaded.
    rig.raw().random().unwrap();
    assert!(rig.chip.borrow_mut().fail_none() > 1);
    let [_, loaded] = rig.loaded();
    assert!(loaded.is_empty());
    lost(a.policy_digest(session.handle));
    rig.close(a);
    rig.assert_nothing();
}
