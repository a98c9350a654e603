// SPDX-License-Identifier: GPL-2.0

//! Slots of the TPM, and who is in them.

use super::{
    check,
    present,
    Verdict, //
};
use crate::engine::{
    bell::Bell,
    slots::{
        Occupant,
        Occupied,
        Slots, //
    },
    space::UserId,
    spaces::{
        ObjectId,
        SpaceId,
        Spaces, //
    },
    wire::handle::{
        PhysicalHandle,
        RawHandle,
        VirtualHandle, //
    },
};
#[cfg(not(test))]
use kernel::prelude::*;
use kernel::sync::Arc;

/// Nobody listens to it.
struct Silent;

impl Bell for Silent {
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    fn ring(&self, _: crate::engine::bell::News) {}

    fn pay(&self, work: &mut dyn FnMut()) {
        work();
    }
}

/// The two worlds make one in different ways.
#[cfg(test)]
fn bell() -> Option<Arc<dyn Bell>> {
    Some(Arc::new(Silent))
}

#[cfg(not(test))]
fn bell() -> Option<Arc<dyn Bell>> {
    Arc::new(Silent, GFP_KERNEL)
        .ok()
        .map(|bell| bell as Arc<dyn Bell>)
}

fn space(spaces: &mut Spaces) -> Option<SpaceId> {
    spaces.open(UserId(1), bell()?).ok()
}

fn physical(number: u32) -> Option<PhysicalHandle> {
    RawHandle::from_wire(0x8000_0000 | number).loaded_object()
}

/// Three objects of a space in the slots 0 to 2.
fn filled(space: SpaceId) -> Option<(Slots, [ObjectId; 3])> {
    let mut slots = Slots::new();
    let first = VirtualHandle::FIRST;
    let ids = [first, first.next(), first.next().next()].map(|handle| ObjectId { space, handle });

    slots.reserve().ok()?;
    for (number, id) in (0..).zip(ids) {
        match slots.add(physical(number)?, Occupant::Object(id)) {
            Occupied::No => {}
            Occupied::Yes => return None,
        }
    }
    Some((slots, ids))
}

pub(crate) fn a_slot_is_found_until_it_is_removed() -> Verdict {
    let mut spaces = Spaces::new();
    let space = present!(space(&mut spaces));
    let (mut slots, [one, other, _]) = present!(filled(space));
    let place = present!(physical(0));

    check!(slots.holds(place));
    check!(slots.touch(one) == Some(place));
    slots.remove(place);
    check!(!slots.holds(place));
    check!(slots.touch(one).is_none());
    slots.remove_object(other);
    check!(slots.touch(other).is_none());
    check!(slots.iter().count() == 1);
    Ok(())
}

pub(crate) fn who_was_touched_is_the_last_to_go() -> Verdict {
    let mut spaces = Spaces::new();
    let space = present!(space(&mut spaces));
    let (mut slots, [one, other, third]) = present!(filled(space));

    for id in [other, one] {
        check!(slots.touch(id).is_some());
    }
    let order = [third, other, one].map(Occupant::Object);

    check!(slots.iter().map(|slot| slot.occupant).eq(order));
    Ok(())
}

pub(crate) fn a_handle_that_is_given_again_stands_for_the_new_one() -> Verdict {
    let mut spaces = Spaces::new();
    let space = present!(space(&mut spaces));
    let (mut slots, [one, _, third]) = present!(filled(space));
    let place = present!(physical(0));

    check!(slots.add(place, Occupant::Object(third)) == Occupied::Yes);
    check!(slots.touch(one).is_none());
    check!(slots.iter().filter(|slot| slot.physical == place).count() == 1);
    Ok(())
}

pub(crate) fn what_a_space_leaves_is_nobodys() -> Verdict {
    let mut spaces = Spaces::new();
    let space_of_one = present!(space(&mut spaces));
    let space_of_other = present!(space(&mut spaces));
    let (mut slots, [one, ..]) = present!(filled(space_of_one));
    let place = present!(physical(7));
    let foreign = ObjectId {
        space: space_of_other,
        handle: VirtualHandle::FIRST,
    };

    check!(slots.add(place, Occupant::Object(foreign)) == Occupied::No);
    slots.abandon_space(space_of_one);
    check!(slots.touch(one).is_none());
    check!(slots.touch(foreign) == Some(place));
    check!(
        slots
            .iter()
            .filter(|slot| slot.occupant == Occupant::Nobody)
            .count()
            == 3
    );
    Ok(())
}
