// SPDX-License-Identifier: GPL-2.0

//! The resource manager itself, without the kernel around it.
//!
//! [`Engine`] gives every client a space of its own: objects under virtual handles, sessions that
//! nobody else can use, and a TPM that is never full of what others left there. It talks to a TPM
//! through [`Tpm`], and needs nothing else but memory; the same files are compiled into the module
//! and into host programs that test them.
//!
//! # How a command is executed
//!
//! [`Engine::execute`] parses it ([`wire`]), finds what it names ([`names`]), allocates what its
//! success will need ([`newcomer`]), loads what it names ([`residency`]), sends it ([`perform`]),
//! and leaves the TPM as others want to find it ([`tidy`]). Commands about contexts and handles
//! have files of their own: [`context_load`], [`context_save`], [`flush_context`],
//! [`get_capability`].
//!
//! # Guarantees
//!
//! Comments, and the names of tests, call them by these numbers:
//!
//! - G1: no client finds the TPM full, or its context gap closed, because of others.
//! - G2: what the TPM has executed is answered.
//! - G3: a command that fails costs the space nothing else.
//! - G4: a space names, lists, flushes and uses only what is its own.
//! - G5: what was lost never comes to mean something else.
//! - G6: the TPM never sees a session that was lost, so it counts no failed authorization.
//! - G8: a space leaves nothing in the TPM, however its program ended.
//! - G9: the kernel and raw users find the TPM empty.
//! - G10: programs that work on the C driver's node work here.
//!
//! C counterpart: `tpm2-space.c`.

#![forbid(unsafe_code)]
#![allow(
    unreachable_pub,
    reason = "programs on the host that test the engine are other crates"
)]

mod bell;
mod chores;
mod clock;
mod commands;
mod context_load;
mod context_save;
mod counters;
mod courier;
mod era;
#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
mod exhaustion;
mod flush_context;
mod gap;
mod get_capability;
mod in_doubt;
mod listing;
#[cfg(not(CONFIG_TCG_TPM_RM_EXHAUSTION))]
mod losses;
mod names;
mod newcomer;
mod object;
mod observer;
mod perform;
mod policy;
mod refusal;
mod reread;
mod residency;
mod rhythm;
mod roomy;
#[cfg(any(test, CONFIG_TCG_TPM_RM_KUNIT_TEST))]
pub(crate) mod selftest;
mod session;
mod sessions;
mod short;
mod slots;
mod space;
mod spaces;
mod swap_object;
mod swap_session;
mod tidy;
mod tpm;
mod unanswered;
mod vacate;
mod view;
mod wire;

pub use self::{
    bell::Bell,
    clock::{
        Clock,
        Moment,
        Span, //
    },
    counters::Counters,
    observer::{
        End,
        Errand,
        Event,
        Observer, //
    },
    policy::Barrier,
    space::UserId,
    spaces::SpaceId,
    tpm::{
        Neighbours,
        Tpm, //
    },
    view::{
        OwnerView,
        PlaceView,
        View, //
    },
    wire::message::{
        Message,
        HEADER_SIZE,
        MESSAGE_MAX, //
    },
};

#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
pub use self::{
    bell::News,
    exhaustion::{
        LossPolicy,
        SpaceTerms,
        Terms,
        WaitView,
        WholeTerms, //
    },
    observer::Wait, //
};

#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
use self::exhaustion::Exhaustion;

use self::{
    chores::Chores,
    commands::{
        Commands,
        Properties, //
    },
    courier::Courier,
    era::Era,
    get_capability::Question,
    in_doubt::Numbers,
    observer::Watch,
    refusal::{
        Outcome,
        Refusal, //
    },
    reread::Doubts,
    residency::Room,
    roomy::Roomy,
    sessions::Sessions,
    slots::Slots,
    spaces::Spaces,
    tidy::Debris,
    vacate::Quiet,
    wire::{
        code::{
            CommandCode,
            Tag, //
        },
        command::{
            Command,
            CommandHeader, //
        },
        context::ContextHeader,
        handle::{
            ClientHandle,
            RawHandle, //
        },
        rc::ResponseCode,
        reader::Reader, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// It was executed, or refused: the response is there.
    Answered,
    /// It waits for a session; nothing of it has reached the TPM, and the message is as it was. It
    /// is to be brought again once the space is called, or [`Engine::leave`] to be called.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    Waits,
}

/// What a client may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many transient objects one space can have, lost ones not counted.
    pub objects_per_space: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            objects_per_space: 256,
        }
    }
}

/// The resource manager of one TPM.
pub struct Engine {
    commands: Commands,
    properties: Properties,
    limits: Limits,
    spaces: Spaces,
    sessions: Sessions,
    slots: Slots,
    roomy: Roomy,
    /// Decides what stays loaded.
    barrier: Barrier,
    idle: Span,
    last_command: Moment,
    quiet: Quiet,
    clock: &'static dyn Clock,
    counters: Counters,
    watch: Watch,
    room: Room,
    debris: Debris,
    doubts: Doubts,
    numbers: Numbers,
    era: Era,
    chores: Chores,
    courier: Courier,
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    exhaustion: Exhaustion,
    /// The client's command as it came, for the case that it has to be sent again.
    request: Message,
}

impl Engine {
    /// An engine for a TPM, which is asked what it can do.
    ///
    /// # Errors
    ///
    /// - `ENOMEM`.
    /// - `EIO` when the TPM does not tell what it can do.
    /// - Those of [`Tpm::transmit`].
    pub fn probe(tpm: &mut dyn Tpm, clock: &'static dyn Clock, limits: Limits) -> Result<Self> {
        let mut courier = Courier::new(GFP_KERNEL)?;
        let commands = Commands::probe(tpm, &mut courier)?;
        let properties = Properties::probe(tpm, &mut courier)?;
        let this = Self {
            room: Room::new(properties.object_slots, properties.session_slots),
            era: Era::new(&commands),
            commands,
            properties,
            limits,
            spaces: Spaces::new(),
            sessions: Sessions::new(),
            slots: Slots::new(),
            roomy: Roomy::new(),
            barrier: Barrier::Absent,
            idle: vacate::IDLE,
            last_command: clock.now(),
            quiet: Quiet::Awaited,
            clock,
            counters: Counters::default(),
            watch: Watch::new(),
            debris: Debris::None,
            doubts: Doubts::None,
            numbers: Numbers::Told,
            chores: Chores::NONE,
            courier,
            #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
            exhaustion: Exhaustion::new(),
            request: Message::new(GFP_KERNEL)?,
        };

        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        let mut this = this;
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        this.first_census(tpm);
        Ok(this)
    }

    /// Opens a space for `user`, who is told by `bell` what it did not ask for.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn open(&mut self, user: UserId, bell: Arc<dyn Bell>) -> Result<SpaceId> {
        Ok(self.spaces.open(user, bell)?)
    }

    /// Closes a space. What it had is gone from the TPM afterwards, but for sessions that the
    /// client has saved; what cannot be flushed now is flushed by a later command (G8).
    pub fn close(&mut self, tpm: &mut dyn Tpm, space: SpaceId) {
        if self.spaces.close(space).is_some() {
            #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
            self.begin_visit();
            self.abandon(space);
            self.tidy(tpm);
            #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
            self.serve_queue(tpm);
        }
    }

    /// Closes a space of a TPM that is gone for good.
    pub fn forget(&mut self, space: SpaceId) {
        if self.spaces.close(space).is_some() {
            self.abandon(space);
        }
    }

    /// What was done so far.
    pub fn counters(&self) -> Counters {
        self.courier.count(self.counters)
    }

    /// Nobody will use what a space has.
    fn abandon(&mut self, space: SpaceId) {
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        self.leave_for_good(space);
        self.slots.abandon_space(space);
        self.sessions.abandon_space(space);
    }

    /// Executes the command in `message` for a space, and leaves the response in its place.
    ///
    /// `message` is what the client wrote, as long as its header says.
    ///
    /// # Errors
    ///
    /// - `EINVAL` when the command names a transient object that the space never had, and when it
    ///   is shorter than a header.
    /// - `ENOMEM`: the TPM has not executed the command.
    #[cfg_attr(
        CONFIG_TCG_TPM_RM_EXHAUSTION,
        doc = " - `EPIPE` when the space has lost a session and was closed for that."
    )]
    /// - `EIO` when what came from the TPM is no response to the command.
    /// - Those of [`Tpm::transmit`].
    ///
    /// All else is a response, with a TPM_RC: the TPM's own, or one in the resource manager's
    /// layer.
    pub fn execute(
        &mut self,
        tpm: &mut dyn Tpm,
        space: SpaceId,
        message: &mut Message,
    ) -> Result<Progress> {
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        self.check_open(space)?;

        let header = CommandHeader::parse(message.as_slice()).map_err(|_| EINVAL)?;
        let Some(attributes) = self.commands.find(header.code) else {
            let code = ResponseCode::COMMAND_CODE.in_manager_layer();

            message.set_response(code, &[])?;
            return Ok(Progress::Answered);
        };
        let command = Command::parse(header, attributes, message.as_slice());
        let result = self.conduct(tpm, space, &command, message);

        self.watch.note(Event::Command {
            space,
            code: command.header.code.to_wire(),
            end: match result {
                Ok(Progress::Answered) => match message.received() {
                    Ok(code) => End::Response(code.to_wire()),
                    Err(error) => End::Errno(error.to_errno()),
                },
                #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
                Ok(Progress::Waits) => End::Waits,
                Err(error) => End::Errno(error.to_errno()),
            },
        });
        result
    }

    /// Executes a command that the TPM has.
    ///
    /// # Errors
    ///
    /// Those of [`Self::execute`].
    fn conduct(
        &mut self,
        tpm: &mut dyn Tpm,
        space: SpaceId,
        command: &Command,
        message: &mut Message,
    ) -> Result<Progress> {
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        self.begin_visit();
        self.last_command = self.clock.now();
        self.quiet = Quiet::Awaited;
        Counters::add(&mut self.counters.client);
        if let Some(space) = self.spaces.get_mut(space) {
            space.count_command();
        }
        // What an earlier command had to leave behind.
        self.tidy(tpm);
        self.learn_era(tpm);
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        let outcome = self.start_or_dispatch(tpm, space, command, message);
        #[cfg(not(CONFIG_TCG_TPM_RM_EXHAUSTION))]
        let outcome = self
            .dispatch(tpm, space, command, message)
            .map(|()| Progress::Answered);
        self.tidy(tpm);
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        self.serve_queue(tpm);
        self.keep_young(tpm);

        let code = match outcome {
            Ok(progress) => return Ok(progress),
            Err(Refusal::Errno(error)) => return Err(error),
            Err(Refusal::Response(code)) => code,
            #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
            Err(Refusal::NoNumber) => ResponseCode::SESSION_HANDLES,
        };

        message.set_response(code, &[])?;
        Ok(Progress::Answered)
    }

    /// A session needs a number, which all spaces share; for everything else there is no wait.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    fn start_or_dispatch(
        &mut self,
        tpm: &mut dyn Tpm,
        space: SpaceId,
        command: &Command,
        message: &mut Message,
    ) -> Outcome<Progress> {
        if command.header.code == CommandCode::START_AUTH_SESSION {
            return self.start_session(tpm, space, command, message);
        }
        self.dispatch(tpm, space, command, message)?;
        Ok(Progress::Answered)
    }

    /// Finds out who has to do with a command. With an authorization area, the TPM's answer is
    /// not ours to change: it is protected, or a refusal.
    fn dispatch(
        &mut self,
        tpm: &mut dyn Tpm,
        space: SpaceId,
        command: &Command,
        message: &mut Message,
    ) -> Outcome {
        if command.header.code == CommandCode::GET_CAPABILITY
            && command.header.tag != Tag::NoSessions
        {
            // The TPM's answer must not list what others have loaded.
            self.withdraw(tpm);
        }
        if command.header.tag == Tag::NoSessions {
            match command.header.code {
                CommandCode::FLUSH_CONTEXT => match only_handle(message) {
                    Some(ClientHandle::Object(handle)) => {
                        return self.flush_client_object(space, handle, message);
                    }
                    Some(ClientHandle::Session(handle)) => {
                        return self.flush_client_session(tpm, space, handle, message);
                    }
                    Some(ClientHandle::Unmanaged) | None => {}
                },
                CommandCode::CONTEXT_SAVE => {
                    if let Some(ClientHandle::Session(handle)) = only_handle(message) {
                        return self.detach_session(tpm, space, handle, message);
                    }
                }
                CommandCode::CONTEXT_LOAD => {
                    let header = ContextHeader::parse(message.body());

                    if let Some(handle) = header.ok().and_then(|h| h.saved_handle.session()) {
                        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
                        self.refuse_lost_number(space, handle)?;
                        if self.sessions.find(handle).is_some() {
                            return self.claim_session(space, handle, message);
                        }
                    }
                }
                CommandCode::GET_CAPABILITY => {
                    if let Some(question) = Question::parse(message.body()) {
                        return self.get_capability(tpm, space, command, question, message);
                    }
                }
                _ => {}
            }
        }
        self.perform(tpm, space, command, message)
    }

    fn get_capability(
        &mut self,
        tpm: &mut dyn Tpm,
        space: SpaceId,
        command: &Command,
        question: Question,
        message: &mut Message,
    ) -> Outcome {
        if let Some(group) = question.own_handles() {
            return self.list_own_handles(space, question, group, message);
        }
        self.perform(tpm, space, command, message)?;
        if question.is_for_properties() {
            self.correct_properties(space, message);
        }
        Ok(())
    }
}

/// The handle that is all of a command's body.
fn only_handle(message: &Message) -> Option<ClientHandle> {
    let mut reader = Reader::new(message.body());
    let handle = RawHandle::from_wire(reader.u32().ok()?);

    reader.rest().is_empty().then(|| handle.of_client())
}
