# SPDX-License-Identifier: GPL-2.0
"""Those who take part in the torture: each is a process with a random number generator of its own."""
