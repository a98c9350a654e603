# SPDX-License-Identifier: GPL-2.0
"""The debug kernel as a boot image (bzImage), which a machine that sleeps needs.

It is made of the finished kernel, so that nothing is compiled but what unpacks it.
"""

import os

from .. import cache, debug_kernel, namespace, say, tools

KIND = "debug-boot"
# A target of the kernel's own Makefile would make the kernel anew: it remembers the folder in which it was made.
TARGET = """include Makefile
boot-image:
	$(MAKE) $(build)=arch/x86/boot arch/x86/boot/bzImage
"""
IMAGE = "arch/x86/boot/bzImage"


def get(debug):
    """The path of the image, which is made if it is not in the cache."""
    base = debug_kernel.builder()

    def make(folder):
        if namespace.run(lambda: build(tools.Root(base, [folder]), debug.tree, folder)) != 0:
            raise say.Failure("the debug kernel's boot image could not be made")

    key = cache.digest(TARGET, os.path.basename(debug.folder))
    return os.path.join(cache.entry(KIND, key, make), "bzImage")


def build(view, tree, folder):
    """Works on what looks like the kernel's tree: that itself stays as it is."""
    top = view.overlay("debug", [tree])
    os.makedirs(view.inside(tree))
    namespace.bind(top, view.inside(tree))
    with open(os.path.join(top, "boot-image.mk"), "w") as file:
        file.write(TARGET)
    log = cache.log(KIND)
    open(log, "w").close()
    say.long_command("making the debug kernel's boot image",
                     ["make", "--no-print-directory", "-f", "boot-image.mk", *debug_kernel.MAKE, "boot-image"], log,
                     popen=lambda *args, **options: view.popen(*args, cwd=tree, **options))
    return view.run(["cp", os.path.join(tree, IMAGE), folder])
