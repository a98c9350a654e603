// SPDX-License-Identifier: GPL-2.0

//! Kinds of handles, and the numbers that they are counted by.

use super::{
    check,
    present,
    Verdict, //
};
use crate::engine::{
    short::Short,
    wire::handle::{
        ClientHandle,
        HandleGroup,
        RawHandle,
        VirtualHandle, //
    },
};

pub(crate) fn handles_are_of_the_kind_that_their_first_byte_says() -> Verdict {
    for (handle, object, session) in [
        (0x8000_0000, true, false),
        (0x80ff_ffff, true, false),
        (0x0200_0001, false, true),
        (0x0300_0001, false, true),
        (0x8100_0000, false, false),
        (0x4000_0007, false, false),
        (0x0000_0010, false, false),
        (0x0100_0000, false, false),
        (0x7fff_ffff, false, false),
        (0xffff_ffff, false, false),
    ] {
        let handle = RawHandle::from_wire(handle);
        let of_client = handle.of_client();

        check!(matches!(of_client, ClientHandle::Object(_)) == object);
        check!(matches!(of_client, ClientHandle::Session(_)) == session);
        check!(handle.loaded_object().is_some() == object);
        check!(handle.session().is_some() == session);
    }
    Ok(())
}

pub(crate) fn virtual_handles_count_on_and_begin_again_after_the_last() -> Verdict {
    check!(VirtualHandle::FIRST.to_wire() == 0x8000_0000);
    check!(VirtualHandle::FIRST.next().to_wire() == 0x8000_0001);

    let ClientHandle::Object(last) = RawHandle::from_wire(0x80ff_ffff).of_client() else {
        check!(false);
        return Ok(());
    };

    check!(last.next() == VirtualHandle::FIRST);
    Ok(())
}

pub(crate) fn a_session_has_one_number_in_both_of_its_kinds() -> Verdict {
    let one = present!(RawHandle::from_wire(0x0300_0007).session());
    let other = present!(RawHandle::from_wire(0x0200_0007).session());
    let third = present!(RawHandle::from_wire(0x0200_0008).session());

    check!(one == other);
    check!(one != third);
    check!(one.as_saved() == 0x0200_0007);
    check!(
        HandleGroup::of(one.as_saved()).after(RawHandle::from_wire(one.as_saved())) == 0x0200_0008
    );
    Ok(())
}

pub(crate) fn a_list_is_full_after_its_last_place() -> Verdict {
    let mut list = Short::<u32, 3>::new();

    for number in 0..3 {
        check!(list.push(number).is_ok());
    }
    check!(list.push(3).is_err());
    check!(list
        .positions()
        .all(|(position, number)| u32::from(position) == number));
    check!(list.iter().count() == 3);
    Ok(())
}
