// SPDX-License-Identifier: GPL-2.0

//! What a client's command names: its handles and its authorization area (Part 1, 18).

use crate::engine::short::Short;
use crate::engine::wire::attributes::{
    CommandAttributes,
    HANDLES_MAX, //
};
use crate::engine::wire::code::{
    CommandCode,
    Tag, //
};
use crate::engine::wire::handle::RawHandle;
use crate::engine::wire::message::HEADER_SIZE;
use crate::engine::wire::reader::{
    Reader,
    Truncated, //
};

/// How many sessions one command may name.
pub(crate) const SESSIONS_MAX: usize = 3;

/// continueSession of TPMA_SESSION (Part 2, 8.4).
const CONTINUE_SESSION: u8 = 1 << 0;

/// Whether a session outlives the success of the command that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Continuation {
    /// continueSession is set.
    Continues,
    /// The session ends when the command succeeds.
    Ends,
}

/// One TPMS_AUTH_COMMAND, as far as a resource manager cares (Part 2, 10.13.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Authorization {
    /// The session, or TPM_RS_PW.
    pub(crate) handle: RawHandle,
    /// What becomes of the session.
    pub(crate) continuation: Continuation,
}

/// The header of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CommandHeader {
    /// Whether there is an authorization area.
    pub(crate) tag: Tag,
    /// Which command it is.
    pub(crate) code: CommandCode,
}

impl CommandHeader {
    /// Reads it from the front of `command`.
    ///
    /// # Errors
    ///
    /// [`Truncated`] when `command` is shorter than a header.
    pub(crate) fn parse(command: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(command);
        let tag = Tag::from_wire(reader.u16()?);
        let _size = reader.u32()?;
        let code = CommandCode::from_wire(reader.u32()?);
        Ok(Self { tag, code })
    }
}

/// What a command names.
pub(crate) struct Command {
    /// Its header.
    pub(crate) header: CommandHeader,
    /// What the TPM says about such commands.
    pub(crate) attributes: CommandAttributes,
    /// The handle area; empty when it is incomplete.
    pub(crate) handles: Short<RawHandle, HANDLES_MAX>,
    /// The authorization area, as far as it could be read.
    pub(crate) authorizations: Short<Authorization, SESSIONS_MAX>,
}

impl Command {
    /// Where the handle at `position` of the handle area stands in a command.
    pub(crate) fn handle_offset(position: u8) -> usize {
        // OVERFLOW: at most 10 + 4 * 255.
        HEADER_SIZE + size_of::<u32>() * usize::from(position)
    }

    /// Reads what `command` names. `header` is its header and `attributes` are those of its code.
    ///
    /// This is total: a command that cannot be read to its end names what could be read. The TPM
    /// cannot read it either, and refuses it.
    pub(crate) fn parse(
        header: CommandHeader,
        attributes: CommandAttributes,
        command: &[u8],
    ) -> Self {
        let mut this = Self {
            header,
            attributes,
            handles: Short::new(),
            authorizations: Short::new(),
        };

        // The TPM says what is wrong.
        let _ = this.parse_names(command.get(HEADER_SIZE..).unwrap_or_default());
        this
    }

    fn parse_names(&mut self, body: &[u8]) -> Result<(), Truncated> {
        let mut reader = Reader::new(body);

        match self.header.tag {
            Tag::Other => Ok(()),
            Tag::NoSessions => self.parse_handles(&mut reader),
            Tag::Sessions => {
                self.parse_handles(&mut reader)?;
                self.parse_authorizations(&mut reader)
            }
        }
    }

    fn parse_handles(&mut self, reader: &mut Reader<'_>) -> Result<(), Truncated> {
        let mut handles = Short::new();
        for _ in 0..self.attributes.handles() {
            let handle = RawHandle::from_wire(reader.u32()?);
            handles.push(handle).map_err(|_| Truncated)?;
        }
        self.handles = handles;
        Ok(())
    }

    fn parse_authorizations(&mut self, reader: &mut Reader<'_>) -> Result<(), Truncated> {
        let size = usize::try_from(reader.u32()?).map_err(|_| Truncated)?;
        let mut area = Reader::new(reader.bytes(size)?);
        // An area of no session at all is malformed too.
        loop {
            let handle = RawHandle::from_wire(area.u32()?);
            let _nonce = area.sized()?;
            let attributes = area.u8()?;
            let _hmac = area.sized()?;
            let continuation = if attributes & CONTINUE_SESSION != 0 {
                Continuation::Continues
            } else {
                Continuation::Ends
            };
            self.authorizations
                .push(Authorization {
                    handle,
                    continuation,
                })
                .map_err(|_| Truncated)?;
            if area.rest().is_empty() {
                return Ok(());
            }
        }
    }
}
