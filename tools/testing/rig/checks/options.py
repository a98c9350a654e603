# SPDX-License-Identifier: GPL-2.0
"""What the programs of the rig refuse, and what they do without a guest."""

import os

from harness import TREE, command, equal, lines, one_line, says, scratch, script, write
from rig import kernel, root, say, stock, tools
from rig.vm import image, launch
from rig.vm.options import Options


def rig_vm_needs_a_command():
    done = command(script("vm"), "--driver", "c")
    equal(done.returncode, 2, "the status")
    says(done.stderr, "no command")


def rig_vm_refuses_a_folder_that_is_not_there():
    one_line(command(script("vm"), "--driver=c", "--share=/nowhere/at/all", "--", "true"), "--share /nowhere/at/all")


def rig_vm_refuses_a_folder_that_the_guest_does_not_see():
    with scratch() as folder:
        one_line(command(script("vm"), "--driver=c", "--", "true", cwd=folder), folder, "--share")


def rig_vm_refuses_a_module_that_is_not_there():
    one_line(command(script("vm"), "--module=/nowhere.ko", "--", "true"), "/nowhere.ko", "make")


def rig_vm_refuses_a_kernel_that_is_none():
    one_line(command(script("vm"), "--kernel=/nowhere", "--", "true"), "/nowhere")
    one_line(command(script("vm"), f"--kernel={TREE}/COPYING", "--", "true"), "no kernel")
    one_line(command(script("vm"), f"--kernel={TREE}/scripts", "--", "true"), "vmlinux")


def rig_vm_refuses_a_log_of_no_tpm():
    done = command(script("vm"), "--tpm=none", "--tpm-log=/dev/null", "--", "true")
    equal(done.returncode, 2, "the status")
    says(done.stderr, "--tpm-log")


def rig_vm_refuses_a_root_in_memory_for_what_it_cannot_do():
    for option in ("--tty", "--forward=2321", "--packages=none"):
        done = command(script("vm"), "--root=memory", option, "--", "true")
        equal(done.returncode, 2, f"the status with {option}")
        says(done.stderr, "--root=memory", option.partition("=")[0])


def rig_the_release_is_in_the_image():
    default = kernel.get(root.path())
    equal(image.find(default.image).release, default.release, "the release of vmlinux")
    equal(image.find(default.boot_image).release, default.release, "the release of vmlinuz")


def attempts(*statuses):
    """What launch() makes of the statuses of boots, and how many boots it made."""
    real = launch.once
    with scratch() as folder:
        def once(*_):
            with open(f"{folder}/boots", "a") as file:
                file.write("x")
            return statuses[os.path.getsize(f"{folder}/boots") - 1]

        launch.once = once
        try:
            status = launch.launch("/", [], Options(command=["true"], directory="/"))
        finally:
            launch.once = real
        return status, os.path.getsize(f"{folder}/boots")


def rig_check_refuses_a_kernel_that_is_not_listed():
    for wrong in ("nowhere", "stock,nowhere", ","):
        one_line(command(script("check"), f"--kernels={wrong}"), f"KERNELS={wrong}", "all", "stock")
    says(command("make", "-s", "check", "KERNELS=no where").stderr, "KERNELS=no where")
    one_line(command(script("check"), f"--kernels={other()}", "engine"), "nothing to run")


def other():
    """A stock kernel that is not the default."""
    return list(stock.listed())[1]


def rig_each_program_knows_every_kernel():
    for program in ("inside", "vm"):
        says(command(script(program), "--help").stdout, "stock|", f"{other()}|", "debug")


def rig_a_hung_boot_is_tried_once_more():
    equal(attempts(launch.NO_BOOT, 7), (7, 2), "the status and the boots after one hung boot")
    equal(attempts(launch.NO_BOOT, launch.NO_BOOT, 0), (launch.FAILED, 2), "those after two")
    equal(attempts(1, 0), (1, 1), "those of a command that failed")


def rig_inside_passes_the_status_on():
    equal(command(script("inside"), "--", "sh", "-c", "exit 37").returncode, 37, "the status")
    equal(command(script("inside"), "--", "sh", "-c", "kill -9 $$").returncode, 137, "the status of a kill")


def rig_inside_is_trixie_in_this_folder():
    done = command(script("inside"), "--", "sh", "-c", "pwd; . /etc/os-release; echo $VERSION_CODENAME; echo err >&2")
    equal(done.stdout.split(), [TREE, "trixie"], "the folder and the system")
    equal(done.stderr, "err\n", "standard error")


def rig_inside_cannot_change_the_root():
    name = "/etc/tpmrm-was-here"
    done = command(script("inside"), "--", "sh", "-c", f"echo x > {name} && cat {name}")
    equal(done.stdout, "x\n", "what is written there")
    assert not os.path.exists(root.path() + name), "the cached root was changed"


def rig_inside_sees_shared_folders():
    with scratch() as folder:
        write(f"{folder}/file", "shared\n")
        done = command(script("inside"), f"--share={folder}", "--", "sh", "-c",
                       f"cat {folder}/file; echo back > {folder}/new")
        equal(done.stdout, "shared\n", "what is read there")
        with open(f"{folder}/new") as file:
            equal(file.read(), "back\n", "what was written there")


def rig_setup_prints_where_things_are():
    done = command(script("setup"), "--print")
    found = dict(line.split("=", 1) for line in lines(done.stdout))
    equal(sorted(found), ["TPMRM_KDIR", "TPMRM_RELEASE", "TPMRM_ROOT"], "the names")
    equal(found["TPMRM_ROOT"], root.path(), "the root")
    assert os.path.exists(f"{found['TPMRM_KDIR']}/rust/libkernel.rmeta"), "the kernel's tree is not prepared"


def rig_the_environment_of_the_host_stays_out():
    done = command(script("inside"), "--", "env", TPMRM_SECRET="x", CI="yes")
    assert "TPMRM_SECRET" not in done.stdout, "the root's commands see the host's environment"
    says(done.stdout, "CI=yes", f"PATH={tools.ENVIRONMENT['PATH']}")


def rig_a_failure_is_one_line_and_status_2():
    def fails():
        raise say.Failure("why")

    try:
        say.main(fails)
    except SystemExit as end:
        equal(end.code, 2, "the status")
