// SPDX-License-Identifier: GPL-2.0

//! A session: under its real number, with one owner, loaded or saved.

#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
use crate::engine::exhaustion::Tenure;
use crate::engine::{
    rhythm::{
        Beat,
        Expected,
        Rhythm, //
    },
    space::UserId,
    spaces::SpaceId,
    wire::handle::SessionHandle, //
};
use core::mem;
use kernel::{
    alloc::AllocError,
    prelude::*, //
};

/// Where a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the TPM's memory; there is no context of it.
    Loaded,
    /// Outside; the context is the newest one, and the only one that the TPM takes.
    Saved,
}

/// What is not known of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    None,
    /// It was to be loaded, and there was no answer. Entered at such a load, left when it is loaded
    /// or saved with an answer.
    MaybeLoaded,
    /// It was to be saved, and there was no answer: the TPM may have a newer context of it than
    /// anybody else. Entered at such a save, left when it is loaded or saved with an answer.
    MaybeSaved,
}

/// Whose a session is.
pub(crate) enum Owner {
    /// A space's: only that can use it.
    Space(SpaceId),
    /// The client saved it. Whoever brings the context that the client got can claim it, and its
    /// user can flush it.
    Detached { user: UserId, token: Token },
    /// Nobody's: it is to be flushed.
    Nobody,
}

/// The context that the client got when it saved its session.
pub(crate) enum Token {
    /// It is the newest one. `spare` is memory for when it is no longer.
    Newest { spare: KVec<u8> },
    /// We had to save the session again since then, and this is what the client has.
    Older(KVec<u8>),
}

/// Whether a client has the newest context of a session, or once had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Issue {
    Never,
    Issued,
}

/// An active session of the TPM.
pub(crate) struct Session {
    handle: SessionHandle,
    owner: Owner,
    place: Place,
    doubt: Doubt,
    context: KVec<u8>,
    /// The TPM's context counter at the time of the newest context.
    sequence: u64,
    issue: Issue,
    rhythm: Rhythm,
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    tenure: Tenure,
}

impl Session {
    /// Memory for a session that the TPM is about to make. `room` is how large its context can be.
    ///
    /// # Errors
    ///
    /// [`AllocError`].
    pub(crate) fn room(room: usize) -> Result<KVec<u8>, AllocError> {
        KVec::with_capacity(room, GFP_KERNEL_ACCOUNT)
    }

    /// A session of `owner` that is loaded.
    pub(crate) fn new(
        handle: SessionHandle,
        owner: Owner,
        room: KVec<u8>,
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)] tenure: Tenure,
    ) -> Self {
        Self {
            handle,
            owner,
            place: Place::Loaded,
            doubt: Doubt::None,
            context: room,
            sequence: 0,
            issue: Issue::Never,
            rhythm: Rhythm::new(Beat::ZERO),
            #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
            tenure,
        }
    }

    /// Since when it is there, and when it was of use.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    pub(crate) fn tenure(&self) -> &Tenure {
        &self.tenure
    }

    /// Since when it is there, and when it was of use; to be changed.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    pub(crate) fn tenure_mut(&mut self) -> &mut Tenure {
        &mut self.tenure
    }

    /// Its handle, as the TPM gave it.
    pub(crate) fn handle(&self) -> SessionHandle {
        self.handle
    }

    /// Where it is.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// Whose it is.
    pub(crate) fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Its newest context; of use only while the session is [`Place::Saved`].
    pub(crate) fn context(&self) -> &[u8] {
        &self.context
    }

    /// The TPM's context counter when it was saved.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether `space` can use it.
    pub(crate) fn belongs_to(&self, space: SpaceId) -> bool {
        matches!(self.owner, Owner::Space(owner) if owner == space)
    }

    /// Whether `user` finds it among those that were saved by clients.
    pub(crate) fn is_detached_of(&self, user: UserId) -> bool {
        matches!(self.owner, Owner::Detached { user: owner, .. } if owner == user)
    }

    /// It has come into being.
    pub(crate) fn begin(&mut self, now: Beat) {
        self.rhythm = Rhythm::new(now);
    }

    /// A command is about to use it.
    pub(crate) fn note_use(&mut self, now: Beat) {
        self.rhythm.used(now);
    }

    /// How soon it is to be expected again.
    pub(crate) fn expected(&self, now: Beat) -> Expected {
        self.rhythm.expected(now)
    }

    /// The session was loaded.
    pub(crate) fn loaded(&mut self) {
        self.place = Place::Loaded;
        self.doubt = Doubt::None;
    }

    /// The session was to be loaded, and there was no answer.
    pub(crate) fn load_unanswered(&mut self) {
        // If there is a newer context, this one was not loaded.
        if self.doubt == Doubt::None {
            self.doubt = Doubt::MaybeLoaded;
        }
    }

    /// Whether the TPM may have loaded it without our knowledge. Otherwise what the TPM has loaded
    /// under its number is another session.
    pub(crate) fn may_be_loaded(&self) -> bool {
        self.doubt != Doubt::None
    }

    /// Whether it is saved, for certain.
    pub(crate) fn is_saved(&self) -> bool {
        self.place == Place::Saved && self.doubt == Doubt::None
    }

    /// Whether it is taken for saved although a load of it was not answered. That is what can be
    /// asked; where a save was not answered, only a load can tell.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.place == Place::Saved && self.doubt == Doubt::MaybeLoaded
    }

    /// The TPM says what it says of a loaded session only. Its context is kept in mind, in case
    /// that was not true.
    pub(crate) fn seems_loaded(&mut self) {
        self.place = Place::Loaded;
    }

    /// The TPM does not have it loaded. When that was only by the look of it, it is saved as
    /// before.
    pub(crate) fn is_not_loaded(&mut self) -> Place {
        if self.doubt == Doubt::MaybeLoaded {
            self.place = Place::Saved;
            self.doubt = Doubt::None;
        }
        self.place
    }

    /// Whether the TPM need not list it among those that are saved, as it does when it has ended.
    pub(crate) fn may_be_unlisted(&self) -> bool {
        self.place == Place::Loaded || self.may_be_loaded()
    }

    /// The session was to be saved, and there was no answer.
    pub(crate) fn save_unanswered(&mut self) {
        self.doubt = Doubt::MaybeSaved;
    }

    /// Whether the TPM may have saved it without our knowledge. Then nobody has the context.
    pub(crate) fn may_be_saved(&self) -> bool {
        self.doubt == Doubt::MaybeSaved
    }

    /// The session was saved.
    ///
    /// # Errors
    ///
    /// [`AllocError`] when the context is larger than the TPM said that any would be, and there is
    /// no memory for that.
    pub(crate) fn saved(&mut self, sequence: u64, context: &[u8]) -> Result<(), AllocError> {
        if let Owner::Detached { token, .. } = &mut self.owner {
            if let Token::Newest { spare } = token {
                let older = mem::replace(&mut self.context, mem::replace(spare, KVec::new()));

                *token = Token::Older(older);
            }
        }
        self.context.clear();
        self.context
            .extend_from_slice(context, GFP_KERNEL_ACCOUNT)?;
        self.place = Place::Saved;
        self.doubt = Doubt::None;
        self.sequence = sequence;
        self.issue = Issue::Never;
        Ok(())
    }

    /// Whether the newest context was given to a client before: it must not be given away again,
    /// or who has it from then could claim the session once more.
    pub(crate) fn was_issued(&self) -> bool {
        self.issue == Issue::Issued
    }

    /// Gives the session, which is saved, to whoever will bring its context.
    ///
    /// # Errors
    ///
    /// [`AllocError`] when there is no memory to keep the context apart later.
    pub(crate) fn detach(&mut self, user: UserId) -> Result<(), AllocError> {
        let spare = Self::room(self.context.capacity())?;

        self.issue = Issue::Issued;
        self.owner = Owner::Detached {
            user,
            token: Token::Newest { spare },
        };
        Ok(())
    }

    /// Whether `context` is what the client got when it saved the session.
    pub(crate) fn is_claimed_by(&self, context: &[u8]) -> bool {
        match &self.owner {
            Owner::Detached { token, .. } => match token {
                Token::Newest { .. } => is_same(&self.context, context),
                Token::Older(older) => is_same(older, context),
            },
            Owner::Space(_) | Owner::Nobody => false,
        }
    }

    /// Gives the session to a space.
    pub(crate) fn attach(&mut self, space: SpaceId) {
        self.owner = Owner::Space(space);
    }

    /// Leaves the session to nobody.
    pub(crate) fn abandon(&mut self) {
        self.owner = Owner::Nobody;
    }

    /// The same, and its context is of no use: nobody will ever know more about it. If the TPM has
    /// one of its number loaded, that counts as another one.
    pub(crate) fn disown(&mut self) {
        self.abandon();
        self.place = Place::Saved;
        self.doubt = Doubt::None;
        self.context.clear();
    }

    /// Whether all that can be done with it is to end it.
    pub(crate) fn is_disowned(&self) -> bool {
        self.place == Place::Saved && self.context.is_empty()
    }
}

/// Compares in a time that does not tell where the difference is: whoever has the context has the
/// session, so that it must not be found by trying.
fn is_same(kept: &[u8], brought: &[u8]) -> bool {
    let differences = kept
        .iter()
        .zip(brought)
        .fold(0, |differences, (a, b)| differences | (a ^ b));

    kept.len() == brought.len() && differences == 0
}
