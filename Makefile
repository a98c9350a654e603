# SPDX-License-Identifier: GPL-2.0
#
# Read twice: by make, for the targets that `make help` lists, and by the
# kernel's build, which sets KERNELRELEASE, for the folder of the module.

ifneq ($(KERNELRELEASE),)

export CONFIG_TCG_TPM_RM ?= m
export CONFIG_TCG_TPM_RM_EXHAUSTION ?= y
obj-m += drivers/char/tpm/tpmrm/

# The kernel's build does not know of these options.
options := $(foreach option,CONFIG_TCG_TPM_RM_EXHAUSTION CONFIG_TCG_TPM_RM_KUNIT_TEST,\
	$(if $(filter y,$($(option))),$(option)))
subdir-ccflags-y += $(addprefix -D,$(options))
subdir-rustflags-y += $(addprefix --cfg ,$(options))

else

all: modules

ifneq ($(KDIR),)

# Against the user's kernel, with the user's tools.
OUT = $(CURDIR)/build/$(or $(file <$(KDIR)/include/config/kernel.release),unknown)

modules modules_install: checked-kdir
modules modules_install clean:
	+@$(MAKE) -C $(KDIR) M=$(CURDIR) MO=$(OUT) $@

checked-kdir:
	@scripts/check-kdir $(KDIR) $(or $(RUSTC),rustc)

else

# Against a kernel of the rig's: this Makefile again, in the rig's root.
KERNEL := stock
modules:
	@scripts/inside --kernel $(KERNEL) -- sh -c 'exec make -j$(shell nproc) $(quiet) "$$@" \
		KDIR=$$TPMRM_KDIR $$TPMRM_MAKE' make $(filter-out KERNEL=%,$(MAKEOVERRIDES)) $@
quiet = $(if $(findstring s,$(firstword -$(MAKEFLAGS))),-s)

modules_install:
	@echo "error: say which kernel to install for: make KDIR=/lib/modules/.../build $@" >&2; exit 2

clean:
	rm -rf build

endif

rig:
	@scripts/setup

vm: modules
	@scripts/vm --tty -- bash

demo: modules
	@scripts/demo

check:
	@scripts/check $(if $(KERNELS),--kernels='$(KERNELS)')

htmldocs:
	@scripts/docs

deb:
	@scripts/deb

series:
	@scripts/series

bench: modules
	@tools/testing/bench/run $(if $(LATENCY),--latency=$(LATENCY))

users: modules
	@tools/testing/users/run

torture:
	@tools/testing/torture/run --minutes $(or $(MINUTES),60) $(if $(SEED),--seed $(SEED))

fuzz:
	@tools/testing/fuzz/run --minutes $(or $(MINUTES),60)

coverage:
	@tools/testing/mutants/coverage

mutants:
	@tools/testing/mutants/run $(FILES)

prove-the-tests:
	@tools/testing/proofs/run

distclean: clean
	rm -rf build scripts/rig/__pycache__ scripts/rig/vm/__pycache__

help:
	@sed -n 's/^#: \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

#: tpmrm: /dev/tpmrm0 served by a kernel module in Rust
#:
#: make                    build tpmrm.ko for the rig's stock kernel
#: make KERNEL=debug       build it for the rig's debug kernel, which is made first
#: make KERNEL=forky       build it for another stock kernel; scripts/kernels lists them
#: make KDIR=PATH          build it for the kernel whose build tree or headers are there
#:   V=1                   show the commands
#:   CLIPPY=1              check the Rust code with clippy as well
#:   W=e                   make warnings errors
#: make KDIR=PATH modules_install
#:                         install the module for that kernel
#: make demo               show the module beside the C driver, in guests
#: make check              run every check and test
#:   KERNELS=all           with builds and system tests for every stock kernel, or for those named
#: make htmldocs           build the documentation, into build/html
#: make deb                build the Debian package, for DKMS
#: make series             write the tree as two patches for a kernel tree, into build/series
#: make bench              compare the module with the C driver, tpm2-abrmd and the raw node
#:   LATENCY=MS            how much longer a slow TPM takes (10)
#: make users              run software that people use with a TPM, beside the C driver
#: make torture            torture the module on the debug kernel, which is made first
#:   MINUTES=60            for so long
#:   SEED=NUMBER           as that time, with the same chance
#: make fuzz [MINUTES=60]  fuzz the engine and its parsers
#: make coverage           which lines of the engine its tests reach
#: make mutants [FILES=]   whether its tests notice small changes of it; takes hours
#: make prove-the-tests    break one guarantee after the other, and see tests fail
#: make vm                 open a shell in a guest with the module loaded
#: make rig                only make what guests and builds need, in the cache
#: make clean              remove what was built (with KDIR=PATH: for that kernel)
#: make distclean          remove everything that git does not know
#:
#: scripts/vm --help       run any command in a guest
#: scripts/inside --help   run any command in the rig's root
#:
#: What the rig makes is kept in $XDG_CACHE_HOME/tpmrm (or ~/.cache/tpmrm).

.PHONY: all modules modules_install clean checked-kdir rig vm demo check htmldocs deb series bench users torture fuzz \
	coverage mutants prove-the-tests distclean help

endif
