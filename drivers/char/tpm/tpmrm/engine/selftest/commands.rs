// SPDX-License-Identifier: GPL-2.0

//! What a command names, however it was spoilt.

use super::{
    check,
    present,
    Verdict, //
};
use crate::engine::wire::{
    attributes::CommandAttributes,
    command::{
        Command,
        CommandHeader,
        Continuation,
        SESSIONS_MAX, //
    },
    message::HEADER_SIZE,
    reader::Reader, //
};

/// TPM2_Certify, as a TPMA_CC: two handles.
const CERTIFY: u32 = 0x0400_0148;

/// A Certify of 80000001 by 80000002, with a password and a session that ends.
const COMMAND: &[u8] = &[
    0x80, 0x02, 0, 0, 0, 0x2c, 0, 0, 0x01, 0x48, // the header
    0x80, 0, 0, 1, 0x80, 0, 0, 2, // the handles
    0, 0, 0, 20, // the area
    0x40, 0, 0, 9, 0, 0, 1, 0, 0, // the password
    0x02, 0, 0, 5, 0, 2, 0xaa, 0xbb, 0, 0, 0, // the session
    0, 0,
];

/// Where the parts of it end.
const HANDLES_END: usize = HEADER_SIZE + 8;
const AREA_END: usize = HANDLES_END + 24;

/// What the first bytes of the command name.
fn parsed(len: usize) -> Option<Command> {
    let command = COMMAND.get(..len)?;
    let header = CommandHeader::parse(command).ok()?;

    Some(Command::parse(
        header,
        CommandAttributes::from_wire(CERTIFY),
        command,
    ))
}

pub(crate) fn a_field_ends_where_the_bytes_end() -> Verdict {
    let mut reader = Reader::new(&[1, 2, 3, 4, 5, 6, 7]);

    check!(reader.u32() == Ok(0x0102_0304));
    check!(reader.u32().is_err());
    // What was too short is still there.
    check!(reader.u16() == Ok(0x0506));
    check!(reader.u8() == Ok(7));
    check!(reader.u8().is_err());
    check!(reader.bytes(0).is_ok());
    check!(reader.bytes(usize::MAX).is_err());
    Ok(())
}

pub(crate) fn a_sized_field_needs_all_of_its_bytes() -> Verdict {
    for (bytes, found) in [
        (&[0, 2, 7, 8, 9][..], Some(&[7, 8][..])),
        (&[0, 0], Some(&[])),
        (&[0, 3, 7, 8], None),
        (&[0xff, 0xff], None),
        (&[0], None),
        (&[], None),
    ] {
        check!(Reader::new(bytes).sized().ok() == found);
    }
    Ok(())
}

pub(crate) fn a_command_names_its_handles_and_its_sessions() -> Verdict {
    let command = present!(parsed(COMMAND.len()));
    let mut handles = command.handles.iter().map(|handle| handle.to_wire());
    let mut sessions = command.authorizations.iter();

    check!(handles.next() == Some(0x8000_0001));
    check!(handles.next() == Some(0x8000_0002));
    check!(handles.next().is_none());
    for (handle, continuation) in [
        (0x4000_0009, Continuation::Continues),
        (0x0200_0005, Continuation::Ends),
    ] {
        let session = present!(sessions.next());

        check!(session.handle.to_wire() == handle);
        check!(session.continuation == continuation);
    }
    check!(sessions.next().is_none());
    Ok(())
}

pub(crate) fn a_command_that_ends_anywhere_names_what_could_be_read() -> Verdict {
    for len in 0..=COMMAND.len() {
        let Some(command) = parsed(len) else {
            check!(len < HEADER_SIZE);
            continue;
        };
        let handles = if len < HANDLES_END { 0 } else { 2 };
        let sessions = if len < AREA_END { 0 } else { 2 };

        check!(len >= HEADER_SIZE);
        check!(command.handles.iter().count() == handles);
        check!(command.authorizations.iter().count() == sessions);
    }
    Ok(())
}

pub(crate) fn an_area_with_more_sessions_than_allowed_is_cut() -> Verdict {
    const SESSION: [u8; 9] = [0x40, 0, 0, 9, 0, 0, 1, 0, 0];
    const MORE: usize = SESSIONS_MAX + 2;
    let mut command = [0; HANDLES_END + 4 + MORE * SESSION.len()];
    let sizes = [MORE * SESSION.len(), SESSIONS_MAX * SESSION.len()];

    for size in sizes {
        let parts: [&[u8]; 3] = [
            present!(COMMAND.get(..HANDLES_END)),
            &[0, 0, 0, present!(u8::try_from(size))],
            [SESSION; MORE].as_flattened(),
        ];
        let bytes = parts.into_iter().flatten();

        command
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = *from);
        let header = present!(CommandHeader::parse(&command));
        let found = Command::parse(header, CommandAttributes::from_wire(CERTIFY), &command);

        check!(found.authorizations.iter().count() == SESSIONS_MAX);
        check!(found.handles.iter().count() == 2);
    }
    Ok(())
}

pub(crate) fn context_save_has_a_handle_whatever_the_tpm_says() -> Verdict {
    for (attributes, handles) in [(0x162, 1), (0x0200_0162, 1), (0x0e00_0162, 1), (CERTIFY, 2)] {
        check!(CommandAttributes::from_wire(attributes).handles() == handles);
    }
    Ok(())
}
