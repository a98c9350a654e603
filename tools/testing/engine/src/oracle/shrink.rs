// SPDX-License-Identifier: GPL-2.0

//! Making a list short that shows something, by leaving out what it does not need.

/// The shortest list found for which `shows` still says so; it does for `list`.
pub fn shrink<T: Clone>(list: &[T], mut shows: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut list = list.to_vec();
    let mut size = list.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        let mut shorter = false;
        while at < list.len() {
            let mut without = list.clone();
            without.drain(at..list.len().min(at + size));
            if shows(&without) {
                list = without;
                shorter = true;
            } else {
                at += size;
            }
        }
        if !shorter || size > 1 {
            size /= 2;
        }
    }
    list
}
