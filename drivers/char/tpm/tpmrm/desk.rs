// SPDX-License-Identifier: GPL-2.0

//! The engine under its lock: used on the terms of the day, and left with the alarm set.

use crate::{
    alarm::{
        Alarm,
        AlarmSetting, //
    },
    clock::SystemClock,
    engine::{
        Clock,
        Engine,
        Span, //
    },
    manager::Manager,
    parameters,
    sleep, //
};
use core::ops::{
    Deref,
    DerefMut, //
};
use kernel::sync::{
    Arc,
    MutexGuard, //
};

/// What the engine's lock protects.
pub(crate) struct Desk {
    engine: Engine,
    alarm: AlarmSetting,
}

impl Desk {
    /// With an engine, and no alarm.
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            engine,
            alarm: AlarmSetting::new(),
        }
    }

    /// The alarm that is to be set from now on.
    pub(crate) fn attach(&mut self, alarm: Arc<Alarm>) {
        self.alarm.attach(alarm);
    }

    /// The terms may have been changed since the last time.
    fn renew_terms(&mut self) {
        self.engine.set_idle(if sleep::is_near() {
            Span(0)
        } else {
            parameters::idle()
        });
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        self.engine.set_terms(parameters::terms());
    }

    /// Sets the alarm no more: see [`AlarmSetting::end`].
    #[must_use = "its work may be queued"]
    pub(crate) fn end(&mut self) -> Option<Arc<Alarm>> {
        self.alarm.end()
    }
}

/// Whether there is anything to do when the alarm has gone off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Alarmed {
    Due,
    Early,
}

/// The engine, for as long as this lives. Setting the alarm is the last that is done.
#[must_use = "the engine is unlocked when this is dropped"]
pub(crate) struct AtDesk<'a> {
    manager: &'a Manager,
    desk: MutexGuard<'a, Desk>,
    /// How long the alarm does not go off, at least.
    rest: Option<Span>,
}

impl<'a> AtDesk<'a> {
    /// Sits down at the desk of `manager`, which was locked.
    pub(crate) fn new(manager: &'a Manager, desk: MutexGuard<'a, Desk>) -> Self {
        let mut this = Self {
            manager,
            desk,
            rest: None,
        };

        this.desk.renew_terms();
        this
    }

    /// The alarm has gone off: if it was set before there was a reason to be called later, it is
    /// set for that.
    pub(crate) fn answer_early_alarm(&mut self) -> Alarmed {
        let now = SystemClock.now();

        if self.desk.engine.alarm().is_some_and(|time| time <= now) {
            return Alarmed::Due;
        }
        self.desk.alarm.answered();
        Alarmed::Early
    }

    /// The alarm has gone off, and may do so again, but not before `rest` is over.
    pub(crate) fn answer_alarm(&mut self, rest: Span) {
        self.desk.alarm.answered();
        self.rest = Some(rest);
    }
}

impl Deref for AtDesk<'_> {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.desk.engine
    }
}

impl DerefMut for AtDesk<'_> {
    fn deref_mut(&mut self) -> &mut Engine {
        &mut self.desk.engine
    }
}

impl Drop for AtDesk<'_> {
    fn drop(&mut self) {
        self.manager.window().show(&self.desk.engine);

        // Nobody waits for a chip that is gone.
        let time = if self.manager.is_gone() {
            None
        } else {
            self.desk.engine.alarm()
        };
        let earliest = self.rest.map(|rest| SystemClock.now().after(rest));

        self.desk
            .alarm
            .set(time.map(|time| earliest.map_or(time, |earliest| time.max(earliest))));
    }
}
