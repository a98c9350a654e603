// SPDX-License-Identifier: GPL-2.0

//! Messages: a buffer that is never left.

use super::{
    check,
    present,
    Verdict, //
};
use crate::engine::wire::{
    code::CommandCode,
    message::{
        Message,
        HEADER_SIZE,
        MESSAGE_MAX, //
    },
    rc::ResponseCode, //
};
use kernel::prelude::*;

pub(crate) fn a_message_has_the_size_that_its_header_says() -> Verdict {
    let mut message = present!(Message::new(GFP_KERNEL));

    check!(message.len() == 0);
    check!(message
        .set_command(CommandCode::FLUSH_CONTEXT, &[&[0x80, 0], &[0, 1]])
        .is_ok());
    check!(message.as_slice() == [0x80, 0x01, 0, 0, 0, 14, 0, 0, 0x01, 0x65, 0x80, 0, 0, 1]);
    check!(message.u32_at(10) == Some(0x8000_0001));
    // No number has a part of it only.
    check!(message.u32_at(11).is_none());
    check!(message.u32_at(usize::MAX).is_none());
    check!(message.body() == [0x80, 0, 0, 1]);
    Ok(())
}

pub(crate) fn a_message_takes_no_more_than_there_is_room_for() -> Verdict {
    let mut message = present!(Message::new(GFP_KERNEL));

    message.set_len(usize::MAX);
    check!(message.len() == MESSAGE_MAX);
    check!(message.append(&[]).is_ok());
    check!(message.append(&[0]).is_err());
    check!(message.len() == MESSAGE_MAX);

    message.set_len(HEADER_SIZE);
    // Behind its end, there is nothing to be changed.
    message.set_u32_at(HEADER_SIZE - 3, u32::MAX);
    message.set_u32_at(usize::MAX, u32::MAX);
    message.set_u8_at(HEADER_SIZE, 1);
    check!(message
        .room()
        .iter()
        .skip(HEADER_SIZE)
        .all(|byte| *byte == 0));
    message.set_u32_at(HEADER_SIZE - 4, u32::MAX);
    check!(message.u32_at(HEADER_SIZE - 4) == Some(u32::MAX));
    Ok(())
}

pub(crate) fn a_response_of_another_size_is_none() -> Verdict {
    let mut message = present!(Message::new(GFP_KERNEL));

    check!(message.received().is_err());
    check!(message
        .set_response(ResponseCode::OBJECT_MEMORY, &[])
        .is_ok());
    check!(message.received().ok() == Some(ResponseCode::OBJECT_MEMORY));
    for len in [0, HEADER_SIZE - 1, HEADER_SIZE + 1, MESSAGE_MAX] {
        message.set_len(len);
        check!(message.received().is_err());
    }
    Ok(())
}

pub(crate) fn what_was_in_a_message_is_gone_when_it_is_cleared() -> Verdict {
    let mut message = present!(Message::new(GFP_KERNEL));
    let mut copy = present!(Message::new(GFP_KERNEL));

    check!(message
        .set_command(CommandCode::CREATE, &[&[1, 2, 3]])
        .is_ok());
    copy.copy_from(&message);
    message.clear();
    check!(message.len() == 0);
    check!(message.room().iter().all(|byte| *byte == 0));
    check!(copy.body() == [1, 2, 3]);
    Ok(())
}
