# SPDX-License-Identifier: GPL-2.0
"""The rig: a Debian trixie root and a stock Debian kernel, and guests made of them."""
