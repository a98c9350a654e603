# SPDX-License-Identifier: GPL-2.0
"""The system tests. A name that begins with g and a number serves that guarantee of the design."""
