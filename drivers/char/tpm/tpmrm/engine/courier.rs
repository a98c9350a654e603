// SPDX-License-Identifier: GPL-2.0

//! The driver's own commands: save, load and flush a context, and ask what there is.

#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
use crate::engine::wire::{
    algorithm,
    handle::SessionHandle, //
};
use crate::engine::{
    counters::Counters,
    observer::{
        End,
        Errand,
        Event,
        Watch, //
    },
    tpm::{
        exchange,
        Tpm, //
    },
    wire::{
        clock::Resets,
        code::CommandCode,
        context::ContextHeader,
        handle::RawHandle,
        message::{
            Message,
            HEADER_SIZE, //
        },
        rc::ResponseCode,
        reader::Reader, //
    },
};
use kernel::{
    alloc::{
        AllocError,
        Flags, //
    },
    prelude::*, //
};

/// How often something is tried that fails for a reason that may go away: a TPM without room or in
/// trouble, a response that got lost.
pub(crate) const ATTEMPTS: usize = 4;

/// How often something is loaded for which the TPM has no room: a slot may be missing and the gap
/// closed, and all of that be so once more when room was made for others meanwhile.
pub(crate) const LOADS: usize = 6;

/// How often the TPM has to say that something is gone before it is struck off. It costs one
/// command where everything else would be too late.
pub(crate) const OPINIONS: usize = 2;

/// What became of a command.
#[must_use]
pub(crate) enum Verdict<T = ()> {
    /// It was executed.
    Done(T),
    /// The TPM did not execute it, for this reason.
    Refused(ResponseCode),
    /// Nobody knows: there was no response, or none that makes sense.
    Unknown(Error),
}

/// Whether GetCapability has more to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum More {
    Yes,
    No,
}

/// Sends the driver's own commands, from a buffer of its own.
pub(crate) struct Courier {
    message: Message,
    counters: Counters,
    watch: Watch,
}

impl Courier {
    /// # Errors
    ///
    /// [`AllocError`] when there is no memory for the buffer.
    pub(crate) fn new(flags: Flags) -> Result<Self, AllocError> {
        Ok(Self {
            message: Message::new(flags)?,
            counters: Counters::default(),
            watch: Watch::new(),
        })
    }

    /// Tells `watch` what is sent from now on.
    pub(crate) fn set_watch(&mut self, watch: Watch) {
        self.watch = watch;
    }

    /// TPM2_ContextSave; [`Self::context`] then is what was saved.
    pub(crate) fn save(
        &mut self,
        tpm: &mut dyn Tpm,
        handle: impl Into<RawHandle>,
    ) -> Verdict<ContextHeader> {
        let handle: RawHandle = handle.into();
        let wire = handle.to_wire().to_be_bytes();

        self.send(tpm, CommandCode::CONTEXT_SAVE, &[&wire], |response| {
            ContextHeader::parse(response.body())
                .ok()
                .filter(|header| header.is_of(handle))
        })
    }

    /// TPM2_StartAuthSession of an HMAC session that nobody will use; its handle.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    pub(crate) fn start_session(&mut self, tpm: &mut dyn Tpm) -> Verdict<SessionHandle> {
        let parts: [&[u8]; 7] = [
            &RawHandle::NULL.to_wire().to_be_bytes(),
            &RawHandle::NULL.to_wire().to_be_bytes(),
            // nonceCaller, which has to have 16 bytes; nobody authorizes anything with it.
            &[0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            // encryptedSalt.
            &[0, 0],
            &[algorithm::SESSION_HMAC],
            &algorithm::NULL.to_be_bytes(),
            &algorithm::SHA256.to_be_bytes(),
        ];

        self.send(tpm, CommandCode::START_AUTH_SESSION, &parts, |response| {
            response
                .u32_at(HEADER_SIZE)
                .and_then(|handle| RawHandle::from_wire(handle).session())
        })
    }

    /// The context that [`Self::save`] has just saved.
    pub(crate) fn context(&self) -> &[u8] {
        self.message.body()
    }

    /// TPM2_ContextLoad; the handle that the TPM gave.
    pub(crate) fn load(&mut self, tpm: &mut dyn Tpm, context: &[u8]) -> Verdict<RawHandle> {
        self.send(tpm, CommandCode::CONTEXT_LOAD, &[context], |response| {
            response.u32_at(HEADER_SIZE).map(RawHandle::from_wire)
        })
    }

    /// TPM2_FlushContext of an object or a session, until it is certain that it is gone. It is done
    /// as well when the TPM has no such thing, since that is what a flush without an answer ends
    /// in. It is refused only when no try of it can have been executed.
    pub(crate) fn flush(&mut self, tpm: &mut dyn Tpm, handle: impl Into<RawHandle>) -> Verdict {
        let handle = handle.into().to_wire().to_be_bytes();
        let mut refusal = None;
        let mut unknown = None;
        let mut absences: usize = 0;

        for _ in 0..ATTEMPTS {
            match self.send(tpm, CommandCode::FLUSH_CONTEXT, &[&handle], |_| Some(())) {
                Verdict::Done(()) => return Verdict::Done(()),
                Verdict::Refused(code) => {
                    refusal = Some(code);
                    if code.says_absent() {
                        absences = absences.saturating_add(1);
                    }
                    if absences >= OPINIONS {
                        return Verdict::Done(());
                    }
                }
                Verdict::Unknown(error) => unknown = Some(error),
            }
        }
        match (unknown, refusal) {
            (None, Some(code)) => Verdict::Refused(code),
            (error, _) => Verdict::Unknown(error.unwrap_or(EIO)),
        }
    }

    /// TPM2_GetCapability for at most `count` values from `first` on; the response is parsed by
    /// `parse`, which gets what follows moreData and the name of the capability.
    pub(crate) fn ask<T>(
        &mut self,
        tpm: &mut dyn Tpm,
        [capability, first, count]: [u32; 3],
        parse: impl FnOnce(More, Reader<'_>) -> Option<T>,
    ) -> Verdict<T> {
        let parts = [
            &capability.to_be_bytes()[..],
            &first.to_be_bytes(),
            &count.to_be_bytes(),
        ];

        self.send(tpm, CommandCode::GET_CAPABILITY, &parts, |response| {
            let mut reader = Reader::new(response.body());
            let more = match reader.u8().ok()? {
                0 => More::No,
                _ => More::Yes,
            };

            (reader.u32().ok()? == capability).then_some(())?;
            parse(more, reader)
        })
    }

    /// TPM2_ReadClock: how often the TPM was reset.
    pub(crate) fn read_clock(&mut self, tpm: &mut dyn Tpm) -> Verdict<Resets> {
        self.send(tpm, CommandCode::READ_CLOCK, &[], |response| {
            Resets::parse(response.body()).ok()
        })
    }

    /// Adds what was sent to `counters`.
    pub(crate) fn count(&self, counters: Counters) -> Counters {
        let Counters {
            loads,
            saves,
            flushes,
            questions,
            ..
        } = self.counters;

        Counters {
            loads,
            saves,
            flushes,
            questions,
            ..counters
        }
    }

    /// Counts what was sent, and tells of it.
    fn account(&mut self, code: CommandCode, named: u32, result: Result<ResponseCode>) {
        let counters = &mut self.counters;
        let (counter, errand, handle) = match (code, result) {
            (CommandCode::CONTEXT_LOAD, Ok(ResponseCode::SUCCESS)) => {
                let loaded = self.message.u32_at(HEADER_SIZE).unwrap_or(0);

                (&mut counters.loads, Errand::Load, loaded)
            }
            (CommandCode::CONTEXT_LOAD, _) => (&mut counters.loads, Errand::Load, 0),
            (CommandCode::CONTEXT_SAVE, _) => (&mut counters.saves, Errand::Save, named),
            (CommandCode::FLUSH_CONTEXT, _) => (&mut counters.flushes, Errand::Flush, named),
            (_, _) => (&mut counters.questions, Errand::Question, 0),
        };

        Counters::add(counter);
        self.watch.note(Event::Errand {
            errand,
            handle,
            end: match result {
                Ok(code) => End::Response(code.to_wire()),
                Err(error) => End::Errno(error.to_errno()),
            },
        });
    }

    fn send<T>(
        &mut self,
        tpm: &mut dyn Tpm,
        code: CommandCode,
        parts: &[&[u8]],
        parse: impl FnOnce(&Message) -> Option<T>,
    ) -> Verdict<T> {
        if let Err(error) = self.message.set_command(code, parts) {
            return Verdict::Unknown(error);
        }

        let named = self.message.u32_at(HEADER_SIZE).unwrap_or(0);
        let result = exchange(tpm, &mut self.message);

        self.account(code, named, result);
        match result {
            Ok(ResponseCode::SUCCESS) => match parse(&self.message) {
                Some(value) => Verdict::Done(value),
                None => Verdict::Unknown(EIO),
            },
            Ok(code) => Verdict::Refused(code),
            Err(error) => Verdict::Unknown(error),
        }
    }
}
