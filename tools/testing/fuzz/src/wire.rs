// SPDX-License-Identifier: GPL-2.0

//! The parsers alone, held against slow and simple readings of the same bytes.

use crate::engine::wire::attributes::CommandAttributes;
use crate::engine::wire::clock::Resets;
use crate::engine::wire::command::{Command, CommandHeader, Continuation};
use crate::engine::wire::context::{ContextHeader, ObjectKind};
use crate::engine::wire::handle::{ClientHandle, HandleGroup, RawHandle};
use crate::engine::wire::message::{Message, HEADER_SIZE, MESSAGE_MAX};
use crate::engine::wire::rc::ResponseCode;
use crate::input::Input;
use kernel::alloc::flags::GFP_KERNEL;

/// What does not fit is cut.
const BODY_MAX: usize = 256;

const SESSIONS: u16 = 0x8002;
const NO_SESSIONS: u16 = 0x8001;

/// The big-endian number of `n` bytes at `at`.
fn number(bytes: &[u8], at: usize, n: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(n)?)?;
    Some(
        field
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    )
}

fn small(bytes: &[u8], at: usize, n: usize) -> Option<u32> {
    u32::try_from(number(bytes, at, n)?).ok()
}

/// Where a sized field ends.
fn after_sized(bytes: &[u8], at: usize) -> Option<usize> {
    let end = at + 2 + usize::try_from(number(bytes, at, 2)?).ok()?;
    (end <= bytes.len()).then_some(end)
}

/// Handles and authorizations, each with whether it continues.
type Names = (Vec<u32>, Vec<(u32, bool)>);

/// What a command names, as the specification says (Part 1, 18).
fn names(command: &[u8], count: usize) -> Names {
    let mut names = (vec![], vec![]);
    let tag = small(command, 0, 2);
    let is_known = [u32::from(SESSIONS), u32::from(NO_SESSIONS)].map(Some);
    if !is_known.contains(&tag) {
        return names;
    }
    let handles: Vec<u32> = (0..count)
        .map_while(|n| small(command, HEADER_SIZE + 4 * n, 4))
        .collect();
    if handles.len() < count {
        return names;
    }
    names.0 = handles;
    if tag == Some(u32::from(SESSIONS)) {
        let _ = authorizations(command, HEADER_SIZE + 4 * count, &mut names.1);
    }
    names
}

fn authorizations(command: &[u8], at: usize, list: &mut Vec<(u32, bool)>) -> Option<()> {
    let size = usize::try_from(number(command, at, 4)?).ok()?;
    let area = command.get(at + 4..)?.get(..size)?;
    let mut at = 0;
    loop {
        let handle = small(area, at, 4)?;
        let attributes_at = after_sized(area, at + 4)?;
        let attributes = small(area, attributes_at, 1)?;
        at = after_sized(area, attributes_at + 1)?;
        if list.len() == 3 {
            return None;
        }
        list.push((handle, attributes & 1 == 1));
        if at == area.len() {
            return Some(());
        }
    }
}

fn message(bytes: &[u8]) -> Message {
    let mut message = Message::new(GFP_KERNEL).expect("there is memory");
    message.room().fill(0xff);
    message.room()[..bytes.len()].copy_from_slice(bytes);
    message.set_len(bytes.len());
    message
}

/// One input: attributes, places to look at and to change, and a message.
pub fn parse(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut word = || u32::from_be_bytes([(); 4].map(|()| input.byte()));
    let (attributes, value) = (word(), word());
    let at = usize::from(input.byte()) << (input.byte() & 7);
    let body = input.bytes(BODY_MAX);
    check_command(attributes, body);
    check_with_another(body);
    check_context(body);
    check_clock(body, at);
    check_message(body, at, value);
    check_values(value);
}

fn check_command(attributes: u32, bytes: &[u8]) {
    let attributes = CommandAttributes::from_wire(attributes);
    assert!(attributes.handles() <= 7);
    let Ok(header) = CommandHeader::parse(bytes) else {
        return assert!(bytes.len() < HEADER_SIZE, "G10: {bytes:x?}");
    };
    assert!(bytes.len() >= HEADER_SIZE, "G10: {bytes:x?}");
    assert_eq!(Some(header.code.to_wire()), small(bytes, 6, 4));
    let command = Command::parse(header, attributes, bytes);
    let handles: Vec<u32> = command.handles.iter().map(RawHandle::to_wire).collect();
    let authorizations: Vec<(u32, bool)> = command
        .authorizations
        .iter()
        .map(|a| {
            (
                a.handle.to_wire(),
                a.continuation == Continuation::Continues,
            )
        })
        .collect();
    let expected = names(bytes, attributes.handles().into());
    assert_eq!(
        (handles, authorizations),
        expected,
        "G4: names in {bytes:x?}"
    );
}

fn check_context(bytes: &[u8]) {
    let expected = (|| {
        let fields = (
            number(bytes, 0, 8)?,
            small(bytes, 8, 4)?,
            small(bytes, 12, 4)?,
        );
        after_sized(bytes, 16).map(|_| fields)
    })();
    let header = ContextHeader::parse(bytes).ok();
    let found = header.map(|h| (h.sequence, h.saved_handle.to_wire(), h.hierarchy));
    assert_eq!(found, expected, "G5: context {bytes:x?}");
    if let Some(header) = header {
        let is_sequence = header.object_kind() == ObjectKind::Sequence;
        assert_eq!(is_sequence, header.saved_handle.to_wire() == 0x8000_0001);
    }
}

/// What a TPM tells of its resets, and what it told before, which is read from `at` on.
fn check_clock(bytes: &[u8], at: usize) {
    let expected = |bytes: &[u8]| Some((small(bytes, 16, 4)?, small(bytes, 20, 4)?));
    let old = bytes.get(at..).unwrap_or_default();
    let counts = (expected(bytes), expected(old));
    let found = (Resets::parse(bytes).ok(), Resets::parse(old).ok());
    let is_told = (found.0.is_some(), found.1.is_some());
    let told = (counts.0.is_some(), counts.1.is_some());
    assert_eq!(is_told, told, "G5: clock {bytes:x?}");
    if let ((Some(now), Some(before)), (Some(counts), Some(old))) = (found, counts) {
        // Both counts are 0 after TPM2_Clear.
        let is_reset = counts != old && counts != (0, 0);
        assert_eq!(now.are_after(before), is_reset, "G5: {counts:?} {old:?}");
        assert!(!now.are_after(now), "G5: {counts:?}");
        assert_eq!(now == before, counts == old, "G5: {counts:?} {old:?}");
    }
}

fn check_message(bytes: &[u8], at: usize, value: u32) {
    let mut message = message(bytes);
    let size = small(bytes, 2, 4).map(|size| size as usize);
    let is_response = size == Some(bytes.len()) && bytes.len() >= HEADER_SIZE;
    let code = message.received().ok().map(ResponseCode::to_wire);
    let expected = small(bytes, 6, 4).filter(|_| is_response);
    assert_eq!(code, expected, "G2: response {bytes:x?}");
    assert_eq!(message.u32_at(at), small(bytes, at, 4));
    message.set_u32_at(at, value);
    message.set_u8_at(at, value as u8);
    let mut changed = bytes.to_vec();
    if let Some(field) = changed.get_mut(at..at + 4) {
        field.copy_from_slice(&value.to_be_bytes());
    }
    if let Some(byte) = changed.get_mut(at) {
        *byte = value as u8;
    }
    assert_eq!(message.as_slice(), changed, "G10: changed at {at}");
    let fits = bytes.len() + at <= MESSAGE_MAX;
    let more = vec![7; at];
    let before = message.len();
    assert_eq!(message.append(&more).is_ok(), fits);
    assert_eq!(message.len(), if fits { before + at } else { before });
    message.set_len(at * 8);
    assert!(message.len() <= MESSAGE_MAX);
    message.clear();
    assert_eq!((message.len(), message.body().len()), (0, 0));
}

/// Handles and codes of any value.
fn check_values(value: u32) {
    let raw = RawHandle::from_wire(value);
    match (value >> 24, raw.of_client()) {
        (0x80, ClientHandle::Object(handle)) => {
            assert_eq!(handle.to_wire(), value);
            assert_eq!(handle.next().to_wire() >> 24, 0x80);
        }
        (2 | 3, ClientHandle::Session(handle)) => assert_eq!(handle.to_wire(), value),
        (kind, ClientHandle::Unmanaged) => assert!(!matches!(kind, 0x80 | 2 | 3)),
        (_, other) => panic!("G4: {value:#x} is {other:?}"),
    }
    assert_eq!(raw.is_persistent(), value >> 24 == 0x81);
    let group = HandleGroup::of(value);
    assert!(matches!(
        (value >> 24, group),
        (0x80, HandleGroup::Transient)
            | (2, HandleGroup::LoadedSession)
            | (3, HandleGroup::SavedSession)
            | (0 | 1 | 4..=0x7f | 0x81.., HandleGroup::Shared)
    ));
    let code = ResponseCode::from_wire(value);
    let is_shortage = matches!(value, 0x901 | 0x902 | 0x903 | 0x905 | 0x906);
    assert_eq!(code.shortage().is_some(), is_shortage, "G1: {value:#x}");
}

/// What another parser takes for a whole command names the same to ours.
#[cfg(feature = "protocol")]
fn check_with_another(bytes: &[u8]) {
    use tpm2_protocol::frame::TpmCommand;

    let whole = TpmCommand::cast(bytes).and_then(|theirs| {
        theirs.validate()?;
        Ok((theirs.handles()?, theirs.auth_area()?))
    });
    let (Ok((handles, area)), Ok(header)) = (whole, CommandHeader::parse(bytes)) else {
        return;
    };
    let count = u32::try_from(handles.len() / 4).expect("there are few");
    // TPMA_CC as a TPM would report it.
    let attributes =
        CommandAttributes::from_wire(header.code.to_wire() & 0x2000_ffff | count << 25);
    let command = Command::parse(header, attributes, bytes);
    let ours: Vec<u8> = command
        .handles
        .iter()
        .flat_map(|handle| handle.to_wire().to_be_bytes())
        .collect();
    assert_eq!(ours, handles, "G4: handles of {bytes:x?}");
    let (_, list) = names(bytes, handles.len() / 4);
    assert_eq!(command.authorizations.iter().count(), list.len());
    if !area.is_empty() {
        let end = authorizations(bytes, HEADER_SIZE + handles.len(), &mut vec![]);
        assert!(end.is_some(), "G4: authorizations of {bytes:x?}");
    }
}

#[cfg(not(feature = "protocol"))]
fn check_with_another(_: &[u8]) {}

#[cfg(all(test, feature = "protocol"))]
mod tests {
    use super::*;

    /// Changes of commands as a TSS makes them, which the other parser knows.
    #[test]
    fn g4_another_parser_reads_the_same_names() {
        use harness::client::Client;
        use harness::tpm::rh;
        use std::cell::RefCell;

        let seen: RefCell<Vec<Vec<u8>>> = RefCell::default();
        let client = Client::new(Box::new(|command| {
            seen.borrow_mut().push(command.to_vec());
            Err(harness::client::Failure::Errno(5))
        }));
        let key = harness::client::Object {
            handle: rh::TRANSIENT,
            name: vec![],
            auth: vec![],
        };
        let _ = client.primary(rh::OWNER);
        let _ = client.create(&key, b"", b"");
        let _ = client.flush(rh::TRANSIENT);
        let _ = client.save(rh::TRANSIENT);
        let _ = client.start(harness::command::Kind::Policy);
        let _ = client.random();
        let commands = seen.take();
        let mut whole = 0;
        for command in &commands {
            whole += usize::from(tpm2_protocol::frame::TpmCommand::cast(command).is_ok());
            for at in 0..command.len() {
                for value in [0, 1, 2, 0x40, 0x80, 0xff, command[at].wrapping_add(1)] {
                    let mut changed = command.clone();
                    changed[at] = value;
                    check_with_another(&changed);
                    changed.truncate(at.max(HEADER_SIZE));
                    crate::commands::fix_size(&mut changed);
                    check_with_another(&changed);
                }
            }
        }
        assert_eq!(whole, commands.len());
    }
}
