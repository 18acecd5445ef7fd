# SPDX-License-Identifier: MIT
"""Allocates a region, prints its id, and waits."""
import sys

import snakepit_shm

client = snakepit_shm.Client()
region = client.allocate(65536)
print(region.id, flush=True)
sys.stdin.read()
