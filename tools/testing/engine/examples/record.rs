// SPDX-License-Identifier: GPL-2.0

//! Records what programs do with the TPM as a trace of tools/testing/replacement.
//!
//! `record SOCKET FILE NAME ORIGIN COMMAND...` listens on a UNIX socket, of which each connection is a
//! space of an engine over libtpms, runs the command, and when that has ended writes the trace to the
//! file. It then compares what the engine sent with what the simulator counts for the trace.

use harness::play::{counters, since, stay};
use harness::record::Tape;
use harness::rig::{Rig, Space, ALICE};
use replacement::policies::Engine;
use replacement::sim::{run, Slots};
use replacement::trace::Trace;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{channel, Sender};
use std::{env, fs, process, thread};

enum Request {
    Command(u32, Vec<u8>, Sender<Option<Vec<u8>>>),
    Closed(u32),
    Done(bool),
}

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let [socket, file, name, origin, command @ ..] = &args[..] else {
        eprintln!("record SOCKET FILE NAME ORIGIN COMMAND...");
        process::exit(2);
    };
    let _ = fs::remove_file(socket);
    let listener = UnixListener::bind(socket).expect("socket");
    let (requests, arrivals) = channel();
    let accepting = requests.clone();
    thread::spawn(move || {
        for (n, stream) in listener.incoming().enumerate() {
            let (stream, requests) = (stream.expect("connection"), accepting.clone());
            let space = u32::try_from(n).expect("few connections");
            thread::spawn(move || serve(space, stream, &requests));
        }
    });
    let mut child = process::Command::new(&command[0])
        .args(&command[1..])
        .spawn()
        .expect("the command");
    thread::spawn(move || {
        let status = child.wait().expect("the command");
        requests.send(Request::Done(status.success()))
    });

    let rig = Rig::new();
    let mut tape = Tape::new(&rig);
    stay(&rig);
    let before = counters(&rig);
    let mut spaces: HashMap<u32, Space<'_>> = HashMap::new();
    let mut worked = None;
    // How many events there were, and what the engine had sent.
    let mut readings = vec![];
    while worked.is_none() || !spaces.is_empty() {
        match arrivals.recv().expect("a request") {
            Request::Command(space, command, reply) => {
                let client = spaces.entry(space).or_insert_with(|| rig.open(ALICE));
                let outcome = client.bytes(&command);
                tape.note(space, &command, &outcome);
                readings.push((tape.len(), since(before, counters(&rig))));
                let _ = reply.send(outcome.ok());
            }
            Request::Closed(space) => {
                if let Some(client) = spaces.remove(&space) {
                    rig.close(client);
                    tape.closed(space);
                    readings.push((tape.len(), since(before, counters(&rig))));
                }
            }
            Request::Done(status) => worked = Some(status),
        }
    }
    let sent = since(before, counters(&rig));
    let trace = tape.trace(name, origin);
    fs::write(file, trace.text()).expect("the trace");
    let read = Trace::parse(name, &trace.text()).expect("what was written");
    assert_eq!(read.events, trace.events);
    let policy = || Box::new(Engine::default());
    let simulated = run(&trace, Slots::LIBTPMS, policy(), policy());
    println!("{name}: engine {sent:?}, simulator {simulated:?}");
    if sent != simulated {
        let differs = readings.iter().find(|(events, sent)| {
            let mut part = trace.clone();
            part.events.truncate(*events);
            run(&part, Slots::LIBTPMS, policy(), policy()) != *sent
        });
        if let Some((events, sent)) = differs {
            println!(
                "they differ after {events} events: {sent:?}, {:?}",
                &trace.events[events - 1]
            );
        }
    }
    process::exit(i32::from(worked != Some(true) || sent != simulated));
}

fn serve(space: u32, mut stream: UnixStream, requests: &Sender<Request>) {
    let (reply, replies) = channel();
    while let Some(command) = read(&mut stream) {
        let request = Request::Command(space, command, reply.clone());
        if requests.send(request).is_err() {
            return;
        }
        match replies.recv() {
            Ok(Some(response)) if stream.write_all(&response).is_ok() => {}
            _ => break,
        }
    }
    let _ = requests.send(Request::Closed(space));
}

/// One command, as long as its header says.
fn read(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut command = vec![0; 10];
    stream.read_exact(&mut command).ok()?;
    let size = u32::from_be_bytes(command[2..6].try_into().ok()?) as usize;
    command.resize(size.clamp(10, 4096), 0);
    stream.read_exact(&mut command[10..]).ok()?;
    Some(command)
}
