// SPDX-License-Identifier: GPL-2.0

//! The alarm of one chip: a timer that has a worker attend to the engine.
//!
//! C counterpart: `struct hrtimer` and `struct work_struct`. A timer that does not fire costs
//! nothing, and the kernel crate can start it anew for an earlier time, which it cannot do with
//! its `DelayedWork`.
//!
//! # How it ends
//!
//! The alarm holds the manager, and the manager, by what is under the engine's lock, the alarm.
//! [`AlarmSetting::end`] breaks that ring, and with it every way to start the timer again.

use crate::{
    clock::SystemClock,
    engine::{
        Clock,
        Moment, //
    },
    manager::Manager,
    queue, //
};
use kernel::{
    impl_has_hr_timer,
    prelude::*,
    sync::{
        Arc,
        ArcBorrow, //
    },
    time::{
        hrtimer::{
            ArcHrTimerHandle,
            HrTimer,
            HrTimerCallback,
            HrTimerCallbackContext,
            HrTimerPointer,
            HrTimerRestart,
            RelativeMode, //
        },
        Delta,
        Monotonic, //
    },
    workqueue::{
        impl_has_work,
        new_work,
        Work,
        WorkItem, //
    },
};

/// Has a worker of the manager's queue attend to the engine when its timer fires.
#[pin_data]
pub(crate) struct Alarm {
    manager: Arc<Manager>,
    #[pin]
    timer: HrTimer<Self>,
    #[pin]
    work: Work<Self>,
}

impl_has_hr_timer! {
    impl HasHrTimer<Self> for Alarm {
        mode: RelativeMode<Monotonic>, field: self.timer
    }
}

impl_has_work! {
    impl HasWork<Self> for Alarm { self.work }
}

impl Alarm {
    /// An alarm that is not set.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(manager: Arc<Manager>) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                manager,
                timer <- HrTimer::new(),
                work <- new_work!("tpmrm_alarm"),
            }),
            GFP_KERNEL,
        )
    }
}

impl HrTimerCallback for Alarm {
    type Pointer<'a> = Arc<Self>;

    fn run(this: ArcBorrow<'_, Self>, _: HrTimerCallbackContext<'_, Self>) -> HrTimerRestart {
        // This is an interrupt. When the work is queued already, the reference that was made for
        // it is dropped here, but it is not the last one: the timer's handle has another, and is
        // not dropped before this returns.
        let _ = this.manager.queue().enqueue(Arc::from(this));

        HrTimerRestart::NoRestart
    }
}

impl WorkItem for Alarm {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.manager.attend();
    }
}

/// When an alarm is to go off. Whoever holds the engine's lock may change it.
pub(crate) struct AlarmSetting {
    /// `None` before there is an alarm, and after its end.
    alarm: Option<Arc<Alarm>>,
    /// The time that it is set for, or will be set anew at; stays when it has gone off, until the
    /// worker comes.
    set: Option<(Moment, ArcHrTimerHandle<Alarm>)>,
}

impl AlarmSetting {
    /// There is no alarm yet.
    pub(crate) const fn new() -> Self {
        Self {
            alarm: None,
            set: None,
        }
    }

    /// From now on there is one.
    pub(crate) fn attach(&mut self, alarm: Arc<Alarm>) {
        self.alarm = Some(alarm);
    }

    /// Sets the alarm for `time`, or for never; at once, if that is past. It may go off before:
    /// with a command every millisecond, and each of them a reason to set it later, it is cheaper
    /// to be called once and find that it is not time yet.
    pub(crate) fn set(&mut self, time: Option<Moment>) {
        let Some(alarm) = &self.alarm else {
            return;
        };

        match (&self.set, time) {
            (None, None) => return,
            (Some((set, _)), Some(time)) if *set <= time => return,
            (_, _) => {}
        }
        // First the old handle: dropping it stops the timer, whoever has started it.
        self.set = None;
        self.set = time.map(|time| (time, alarm.clone().start(until(time))));
    }

    /// It has gone off, and the worker is here: the same time may be set again.
    pub(crate) fn answered(&mut self) {
        self.set = None;
    }

    /// The timer is stopped, and cannot be set any more. The alarm that is returned has to be
    /// given to [`retire`] without the engine's lock.
    #[must_use = "its work may be queued"]
    pub(crate) fn end(&mut self) -> Option<Arc<Alarm>> {
        self.set = None;
        self.alarm.take()
    }
}

/// Ends the work of an alarm whose setting has ended, and waits for that. Not to be called by the
/// work itself.
pub(crate) fn retire(alarm: Arc<Alarm>) {
    queue::cancel(alarm.manager.queue(), &alarm);
}

/// How long it is until `time`.
fn until(time: Moment) -> Delta {
    let left = time.0.saturating_sub(SystemClock.now().0);

    Delta::from_millis(i64::try_from(left).unwrap_or(i64::MAX))
}

#[cfg(CONFIG_TCG_TPM_RM_KUNIT_TEST)]
#[kernel::macros::kunit_tests(tpmrm_alarm)]
mod tests {
    use super::*;

    #[test]
    fn what_is_past_is_due_at_once_and_the_rest_in_time() {
        let long = crate::engine::Span(600_000);
        let left = until(SystemClock.now().after(long)).as_millis();

        assert_eq!(until(Moment(0)).as_millis(), 0);
        assert!((1..=600_000).contains(&left));
        // As far as a timer goes, and not back.
        assert!(until(Moment(u64::MAX)).as_millis() > left);
    }

    #[test]
    fn without_an_alarm_nothing_is_set() {
        let mut setting = AlarmSetting::new();

        setting.set(Some(Moment(0)));
        assert!(setting.set.is_none());
        setting.answered();
        assert!(setting.end().is_none());
    }
}
