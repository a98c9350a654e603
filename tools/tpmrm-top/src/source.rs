// SPDX-License-Identifier: GPL-2.0

//! Reading the files, and saying what is in the way when they cannot be read.

use crate::parse::{self, Chip};
use std::{
    fs,
    io::{Error, ErrorKind},
    path::Path,
};

/// All chips whose folders are in `folder`, in the order of their names.
///
/// # Errors
///
/// Why they cannot be read, for the user to do something about.
pub fn chips(folder: &Path) -> Result<Vec<Chip>, String> {
    let mut names = vec![];

    for entry in fs::read_dir(folder).map_err(|why| explain(folder, &why))? {
        let entry = entry.map_err(|why| explain(folder, &why))?;

        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort_by_key(|name| (name.len(), name.clone()));

    let mut chips = vec![];

    for name in names {
        match chip(&folder.join(&name), &name) {
            Ok(Some(chip)) => chips.push(chip),
            // It has just been pulled out.
            Ok(None) => {}
            Err(why) => return Err(why),
        }
    }
    Ok(chips)
}

fn chip(folder: &Path, name: &str) -> Result<Option<Chip>, String> {
    let mut texts = vec![];

    for file in ["chip", "spaces", "sessions", "counters"] {
        let path = folder.join(file);

        match fs::read_to_string(&path) {
            Ok(text) => texts.push(text),
            Err(why) if is_gone(&why) => return Ok(None),
            Err(why) => return Err(explain(&path, &why)),
        }
    }
    match &texts[..] {
        [chip, spaces, sessions, counters] => parse::chip(name, chip, spaces, sessions, counters)
            .map(Some)
            .map_err(|why| format!("{}: {why}", folder.display())),
        _ => Ok(None),
    }
}

/// EIO is what debugfs says of a file whose chip has gone while it was open.
fn is_gone(why: &Error) -> bool {
    why.kind() == ErrorKind::NotFound || why.raw_os_error() == Some(5)
}

fn explain(path: &Path, why: &Error) -> String {
    let what = match why.kind() {
        ErrorKind::PermissionDenied => "only root can see this",
        ErrorKind::NotFound if !is_mounted(path) => {
            "debugfs is not mounted (mount -t debugfs none /sys/kernel/debug)"
        }
        ErrorKind::NotFound => "the module tpmrm is not loaded (modprobe tpmrm)",
        _ => return format!("{}: {why}", path.display()),
    };

    format!("{}: {what}", path.display())
}

/// Whether there is anything where the folder should be.
fn is_mounted(path: &Path) -> bool {
    path.parent()
        .and_then(|parent| fs::read_dir(parent).ok())
        .is_some_and(|mut entries| entries.next().is_some())
}

/// The name of a process, if it has the node of a chip open: another may have got its number.
pub fn process(pid: i32, node: &str) -> Option<String> {
    let device = format!("/dev/{node}");
    let mut open = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();

    open.any(|entry| fs::read_link(entry.path()).is_ok_and(|to| to == Path::new(&device)))
        .then(|| fs::read_to_string(format!("/proc/{pid}/comm")).ok())?
        .map(|name| name.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// A folder of this test's own.
    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("tpmrm-top-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);

        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn what_is_missing_is_said() {
        let folder = scratch("missing");

        assert!(chips(&folder.join("tpmrm"))
            .unwrap_err()
            .contains("not mounted"));
        fs::create_dir(folder.join("block")).unwrap();
        assert!(chips(&folder.join("tpmrm"))
            .unwrap_err()
            .contains("not loaded"));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn chips_are_read_in_order_and_those_that_go_are_left_out() {
        let folder = scratch("chips");

        for name in ["tpmrm10", "tpmrm2", "tpmrm3"] {
            let chip = folder.join(name);

            fs::create_dir(&chip).unwrap();
            for (file, text) in crate::parse::tests::TEXTS {
                fs::write(chip.join(file), text).unwrap();
            }
        }
        fs::remove_file(folder.join("tpmrm3/sessions")).unwrap();

        let names: Vec<_> = chips(&folder)
            .unwrap()
            .into_iter()
            .map(|c| c.name)
            .collect();

        assert_eq!(names, ["tpmrm2", "tpmrm10"]);
        fs::write(folder.join("tpmrm2/chip"), "nonsense\n").unwrap();
        assert!(chips(&folder).unwrap_err().contains("tpmrm2"));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_process_is_named_only_if_it_has_the_node_open() {
        let own = i32::try_from(std::process::id()).unwrap();
        let _null = fs::File::open("/dev/null").unwrap();

        assert!(process(own, "null").is_some());
        assert_eq!(process(own, "tpmrm99"), None);
        assert_eq!(process(0, "null"), None);
    }
}
