# SPDX-License-Identifier: GPL-2.0
"""The tour that `make demo` makes with each driver: what is done, and what came of it."""
