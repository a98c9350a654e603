# SPDX-License-Identifier: GPL-2.0
"""The tests of the rig, from those that tell at once to those that boot a guest."""
