// SPDX-License-Identifier: GPL-2.0

//! Response codes: what each means for a resource manager.

use super::{
    check,
    Verdict, //
};
use crate::engine::wire::rc::{
    ResponseCode,
    Shortage, //
};

pub(crate) fn shortages_are_told_apart() -> Verdict {
    for (code, shortage) in [
        (0x902, Some(Shortage::Object)),
        (0x906, Some(Shortage::Object)),
        (0x903, Some(Shortage::Session)),
        (0x905, Some(Shortage::SessionNumber)),
        (0x901, Some(Shortage::ContextGap)),
        (0x904, None),
        (0, None),
        (0x1c4, None),
        // Of the manager, and not of the TPM.
        (0xb_0905, None),
    ] {
        check!(ResponseCode::from_wire(code).shortage() == shortage);
    }
    Ok(())
}

pub(crate) fn a_code_of_a_handle_may_name_what_is_absent() -> Verdict {
    for (code, absent, condemned) in [
        (0x18b, true, true),
        (0x58b, true, true),
        (0x910, true, true),
        (0x916, true, true),
        (0x917, false, false),
        (0x918, false, false),
        // Of a parameter, for which a handle is no word of its absence here.
        (0x1df, false, true),
        (0x902, false, false),
        (0x143, false, false),
    ] {
        let code = ResponseCode::from_wire(code);

        check!(code.says_absent() == absent);
        check!(code.condemns_context() == condemned);
    }
    // A session, which a command names beside its one handle.
    for code in [0x918, 0x91e] {
        check!(ResponseCode::from_wire(code).may_name_absent());
    }
    Ok(())
}

pub(crate) fn codes_of_the_manager_are_those_of_its_layer() -> Verdict {
    for (position, handle, session) in [(0, 0xb_0910, 0xb_0918), (6, 0xb_0916, 0xb_091e)] {
        let handle_code = ResponseCode::reference_handle(position).in_manager_layer();
        let session_code = ResponseCode::reference_session(position).in_manager_layer();

        check!(handle_code.to_wire() == handle);
        check!(session_code.to_wire() == session);
    }
    Ok(())
}
