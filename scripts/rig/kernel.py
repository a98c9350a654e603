# SPDX-License-Identifier: GPL-2.0
"""A stock Debian kernel: its image and modules, and a source tree prepared for Rust modules.

Debian's headers packages carry no Rust metadata, so the matching source package
is configured like the headers and prepared by the compilers that built the
kernel. Names of Rust symbols tell whether that gave the same kernel.
"""

import os
import re
import shutil

from . import cache, mirror, namespace, root as roots, say, stock as stocks, tools

# Bump when the kernel is made in another way than before.
RECIPE = "1"


class Kernel:
    """A finished kernel in the cache."""

    def __init__(self, folder, stock):
        self.folder = folder
        self.stock = stock
        self.tree = os.path.join(folder, "linux")
        self.files = os.path.join(folder, "files")
        self.image = os.path.join(folder, "vmlinux")
        with open(os.path.join(folder, "release")) as file:
            self.release = file.read().strip()
        self.boot_image = f"{self.files}/usr/lib/modules/{self.release}/vmlinuz"


def get(root, stock=None):
    """A stock kernel, made in the root that builds for it if it is not in the cache; without a choice, the default."""
    stock = stock or stocks.default()
    kind = "kernel" if stock == stocks.default() else f"kernel-{stock.name}"
    key = cache.digest(RECIPE, stock.release, *roots.versions(root, stock.builders))

    def make(folder):
        status = namespace.run(lambda: Maker(tools.Root(root, [folder]), folder, stock, cache.log(kind)).make())
        if status != 0:
            raise say.Failure(f"the {stock.name} kernel could not be made")

    return Kernel(cache.entry(kind, key, make), stock)


class Maker:
    """Makes the kernel's folder; runs in the rig's namespaces."""

    def __init__(self, root, folder, stock, log):
        self.root = root
        self.folder = folder
        self.stock = stock
        self.debs = os.path.join(folder, "debs")
        self.log = log
        self.compilers = (f"CC={stock.cc}", f"HOSTCC={stock.cc}")

    def make(self):
        open(self.log, "w").close()
        self.update()
        release = self.choose(self.stock.release)
        self.download(release)
        self.unpack(release)
        self.configure(release)
        self.step("preparing the kernel for Rust modules (two to five minutes)",
                  ["make", "-j", str(os.cpu_count()), *self.compilers, "modules_prepare"], self.tree)
        self.check_exports()
        self.decompress(release)
        with open(os.path.join(self.folder, "release"), "w") as file:
            file.write(release + "\n")
        return 0

    @property
    def tree(self):
        return os.path.join(self.folder, "linux")

    def step(self, what, argv, cwd="/"):
        say.long_command(what, argv, self.log, popen=lambda *args, **options:
                         self.root.popen(*args, cwd=cwd, **options))

    def output(self, argv, cwd="/"):
        process = self.root.popen(argv, cwd=cwd, stdout=tools.subprocess.PIPE, text=True)
        text = process.communicate()[0]
        if process.returncode != 0:
            raise say.Failure(f"{argv[0]} failed with status {process.returncode}")
        return text

    def update(self):
        """Fetches package lists into the overlay; the cached root keeps the mirror it was made with."""
        with open(self.root.inside("/etc/apt/sources.list"), "w") as file:
            file.write("\n".join(mirror.sources(self.stock.suite)) + "\n")
        with open(self.root.inside("/etc/apt/apt.conf.d/99rig"), "w") as file:
            file.write("\n".join(mirror.options()) + "\n")
        shutil.copy("/etc/resolv.conf", self.root.inside("/etc/resolv.conf"))
        shutil.copy("/etc/hosts", self.root.inside("/etc/hosts"))
        self.step(f"fetching the package lists of {self.stock.suite}", ["apt-get", "-q", "update"])

    def choose(self, release):
        """The release; when the archive no longer has it, the newest of its series, or else of all."""
        number, flavour = re.match(r"([\d.]+)(.*)", release).groups()
        pattern = rf"^linux-headers-[0-9.]+{re.escape(flavour)}$"
        found = self.output(["apt-cache", "--names-only", "search", pattern])
        releases = [line.split()[0].removeprefix("linux-headers-") for line in found.splitlines()]
        if release in releases:
            return release
        if not releases:
            raise say.Failure(f"the archive has no kernel {release}, nor another like it")
        newest = max(releases, key=lambda name: (series(name) == series(number), numbers(name)))
        say.line(f"kernel {release} is gone from the archive: taking {newest} instead")
        return newest

    def download(self, release):
        os.makedirs(self.debs)
        version = self.version(f"linux-headers-{release}")
        packages = [f"linux-{part}-{release}" for part in ("headers", "base", "binary", "modules")]
        packages.append(f"linux-source-{series(release)}")
        # The source must be the one that this very kernel was built from.
        packages = [f"{package}={version}" for package in packages]
        self.step(f"downloading kernel {release}",
                  ["apt-get", "-q", "download", "-o", "APT::Sandbox::User=root", *packages], self.debs)

    def version(self, package):
        shown = self.output(["apt-cache", "show", "--no-all-versions", package])
        return re.search(r"^Version: (.*)$", shown, re.MULTILINE)[1]

    def unpack(self, release):
        files = os.path.join(self.folder, "files")
        scratch = os.path.join(self.folder, "scratch")
        for deb in sorted(os.listdir(self.debs)):
            part = files if deb.startswith(("linux-base-", "linux-binary-", "linux-modules-")) else scratch
            self.step(f"unpacking {deb.partition('_')[0]}",
                      ["dpkg", "-x", os.path.join(self.debs, deb), part])
        # As in the root, so that the modules are found by either name of the folder.
        os.symlink("usr/lib", os.path.join(files, "lib"))
        self.step("listing the modules' dependencies", ["depmod", "-b", files, release])
        archive = next(name for name in os.listdir(scratch + "/usr/src") if name.endswith(".tar.xz"))
        os.mkdir(self.tree)
        self.step("unpacking the kernel's source", ["tar", "-x", "-f", f"{scratch}/usr/src/{archive}",
                  "-C", self.tree, "--strip-components=1", "-I", "xz -T0"])
        for name in (".config", "Module.symvers"):
            shutil.copy(f"{scratch}/usr/src/linux-headers-{release}/{name}", self.tree)
        shutil.rmtree(scratch)
        shutil.rmtree(self.debs)

    def configure(self, release):
        suffix = re.match(r"[\d.]+(.*)", release)[1]
        stock = set(read_lines(os.path.join(self.tree, ".config")))
        self.output(["scripts/config", "--set-str", "LOCALVERSION", suffix], self.tree)
        self.step("configuring the kernel as Debian does", ["make", *self.compilers, "olddefconfig"], self.tree)
        now = set(read_lines(os.path.join(self.tree, ".config")))
        changed = [line for line in stock ^ now
                   if line.startswith("CONFIG_") and not line.startswith("CONFIG_LOCALVERSION=")]
        if changed:
            raise say.Failure("the root's compilers are not those of the kernel: "
                              f"the configuration changes in {', '.join(sorted(changed)[:5])}"
                              " (remove the root to have a newer one made)")

    def check_exports(self):
        """Every Rust symbol that the prepared tree promises must be one the stock kernel has."""
        rust = os.path.join(self.tree, "rust")
        exports = set()
        for name in os.listdir(rust):
            if name.startswith("exports_") and name.endswith(".h"):
                text = "\n".join(read_lines(os.path.join(rust, name)))
                exports.update(re.findall(r"EXPORT_SYMBOL\w*\((\w+)\)", text))
        stock = {line.split("\t")[1] for line in read_lines(os.path.join(self.tree, "Module.symvers"))}
        missing = sorted(exports - stock)
        if missing or not exports:
            raise say.Failure(f"{len(missing)} of {len(exports)} Rust exports are not in the stock "
                              f"kernel, so modules would not load; the first: {missing[:1]}")
        say.line(f"all {len(exports)} Rust exports of the prepared tree are in the stock kernel")

    def decompress(self, release):
        """Takes the kernel out of its boot image: QEMU starts it directly, seconds sooner."""
        with open(f"{self.folder}/files/usr/lib/modules/{release}/vmlinuz", "rb") as file:
            image = file.read()
        setup = (image[0x1F1] or 4) + 1
        offset = int.from_bytes(image[0x248:0x24C], "little") + setup * 512
        length = int.from_bytes(image[0x24C:0x250], "little")
        compressed = os.path.join(self.folder, "vmlinux.zst")
        with open(compressed, "wb") as file:
            # The last four bytes are the length of what was compressed.
            file.write(image[offset:offset + length - 4])
        self.step("decompressing the kernel's image",
                  ["zstd", "-q", "-d", "--rm", compressed, "-o", f"{self.folder}/vmlinux"])


def numbers(release):
    """7.3.4+deb13-amd64: 7, 3, 4."""
    return [int(number) for number in re.match(r"[\d.]+", release)[0].split(".")]


def series(release):
    """7.3.4+deb13-amd64: 7.3."""
    return ".".join(map(str, numbers(release)[:2]))


def read_lines(path):
    with open(path) as file:
        return file.read().splitlines()
