# SPDX-License-Identifier: GPL-2.0
"""What is checked of the patches."""
