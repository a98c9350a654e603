// SPDX-License-Identifier: GPL-2.0

//! Plays a program that tests/oracle has written on the node of a running module, and says where it is not
//! answered as it should be. tools/testing/system/play runs it in a guest.

use harness::oracle::correspondence::Correspondence;
use harness::oracle::node::Node;
use harness::oracle::program::Step;
use harness::oracle::script;
use harness::oracle::seat::{Seat, Side};
use harness::oracle::shared;
use harness::tpm::{cap, cc};
use harness::wire::Get;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;

const NODE: &str = "/dev/tpmrm0";
/// A descriptor that no program has.
const NOBODYS: usize = 1000;

/// Whether a command asks what kind of TPM there is: the guest's may be of another version.
fn is_about_the_tpm(command: &[u8]) -> bool {
    let word = |at: usize| command.get(at..at + 4).map_or(0, |four| Get(four).u32());
    let (code, capability, first) = (word(6), word(10), word(14));
    code == cc::GET_CAPABILITY
        && match capability {
            cap::HANDLES => false,
            cap::TPM_PROPERTIES => first < cap::PT_VAR,
            _ => true,
        }
}

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: play PROGRAM");
        return ExitCode::from(2);
    };
    let text = std::fs::read_to_string(&path).expect("a program");
    let lines = script::read(&text).expect("a program");
    std::fs::set_permissions(NODE, Permissions::from_mode(0o666)).expect("root's rights");
    let mut node = Node::new(NODE.into());
    shared::set_up(|command| node.send(NOBODYS, command).expect("an answer"));
    node.close(NOBODYS);
    let mut seat = Seat::new(node);
    let mut same = Correspondence::default();
    for (n, line) in lines.iter().enumerate() {
        let (Step::Call { who, call }, Some(expected)) = (&line.step, &line.expected) else {
            seat.other(&line.step);
            println!("{n}: {:?}", line.step);
            continue;
        };
        let Ok(bytes) = seat.render(*who, call) else {
            println!("{n}: {call:?} needs what is not there");
            return ExitCode::FAILURE;
        };
        let played = seat
            .send(*who, call, &bytes)
            .and_then(|ours| same.check(*who, call, &bytes, &ours, expected));
        let name = harness::oracle::codes::name(call.code);
        match played {
            Ok(()) => println!("{n}: descriptor {who}: {name}: as alone"),
            Err(why) if is_about_the_tpm(&bytes) => {
                println!("{n}: descriptor {who}: {name}: another TPM: {why}");
            }
            Err(why) => {
                println!("{n}: descriptor {who}: {name}: {why}");
                println!("{n}: {bytes:02x?}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{} steps, no difference", lines.len());
    ExitCode::SUCCESS
}
