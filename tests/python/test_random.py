# SPDX-License-Identifier: MIT
"""Random sequences of operations against a model, by hypothesis; and the program random_use.py for a moment."""
import gc
import os
import pathlib
import subprocess
import sys

import numpy
import snakepit_shm
from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from capsules import ArrowConsumer, DlpackConsumer

SIZES = strategies.sampled_from([1, 7, 4096, 5000, 70_000])
VIEWS = strategies.sampled_from(["view", "slice", "numpy", "dlpack", "arrow"])


class Mapped:
    """A Region and what the model knows of it."""

    def __init__(self, region, known):
        self.region, self.known = region, known
        self.views = 0


class Known:
    """What the model knows of memory: its bytes, and whether ids still lead to it."""

    def __init__(self, region_id, size):
        self.id, self.data, self.found, self.sealed = region_id, bytearray(size), True, False


class Regions(RuleBasedStateMachine):
    mapped = Bundle("mapped")
    views = Bundle("views")

    def __init__(self):
        super().__init__()
        self.client = snakepit_shm.Client()
        self.known, self.counter = [], {}

    def teardown(self):
        self.client.__exit__(None, None, None)

    def refused(self, call, *codes):
        try:
            call()
        except snakepit_shm.Error as problem:
            assert problem.code in codes, (problem.code, codes)
            return True
        return False

    @rule(target=mapped, size=SIZES)
    def allocate(self, size):
        region = self.client.allocate(size)
        assert bytes(region.view) == bytes(size)
        known = Known(region.id, size)
        self.known.append(known)
        self.counter[region.id] = 0
        return Mapped(region, known)

    @rule(target=mapped, one=mapped, writable=strategies.booleans())
    def map(self, one, writable):
        if not one.known.found or (one.known.sealed and writable):
            assert self.refused(lambda: self.client.map(one.known.id, writable), "region_not_found", "read_only")
            return multiple()
        return Mapped(self.client.map(one.known.id, writable), one.known)

    @rule(one=mapped, value=strategies.integers(0, 255), place=strategies.integers(0, 10**6))
    def write(self, one, value, place):
        if one.region.closed:
            assert self.refused(lambda: one.region.view, "not_held")
        elif one.region.writable:
            place %= one.region.size
            one.region.view[place] = value
            one.known.data[place] = value

    @rule(one=mapped, data=strategies.binary(max_size=20), place=strategies.integers(0, 80_000))
    def write_a_copy(self, one, data, place):
        fits = place + len(data) <= len(one.known.data)
        if not fits:
            assert self.refused(lambda: self.client.write(one.known.id, place, data), "invalid_argument", "region_not_found",
                                "read_only")
        elif not self.refused(lambda: self.client.write(one.known.id, place, data), "region_not_found", "read_only"):
            assert one.known.found and not one.known.sealed
            one.known.data[place:place + len(data)] = data
        else:
            assert not one.known.found or one.known.sealed

    @rule(target=views, one=mapped, kind=VIEWS)
    def look(self, one, kind):
        region = one.region
        make = {"view": lambda: region.view, "slice": lambda: region.view[:1], "numpy": lambda: numpy.asarray(region),
                "dlpack": lambda: DlpackConsumer(region.__dlpack__(max_version=(1, 0))),
                "arrow": lambda: ArrowConsumer(region.__arrow_c_array__())}[kind]
        if region.closed:
            assert self.refused(make, "not_held")
            return multiple()
        one.views += 1
        return [one, make()]

    @rule(view=views)
    def read(self, view):
        one, memory = view
        seen = memory.read(1) if hasattr(memory, "read") else bytes(memory[:1])
        assert seen == bytes(one.known.data[:1])

    @rule(view=consumes(views))
    def drop(self, view):
        view[0].views -= 1
        view.clear()
        gc.collect(0)

    @rule(one=mapped)
    def close(self, one):
        refused = self.refused(one.region.close, "region_in_use")
        assert refused == (one.views > 0 and not one.region.closed)

    @rule(one=mapped)
    def deallocate(self, one):
        if self.refused(one.region.deallocate, "region_in_use", "region_not_found"):
            assert one.views or not one.known.found
        else:
            one.known.found = False

    @rule(one=mapped)
    def notify(self, one):
        if self.refused(lambda: self.client.notify(one.known.id), "region_not_found"):
            assert not one.known.found
        else:
            self.counter[one.known.id] += 1
            assert self.client.counter(one.known.id) == self.counter[one.known.id]

    @rule(one=mapped, write=strategies.booleans())
    def lock(self, one, write):
        if one.known.found:
            with self.client.lock(one.known.id, write, timeout=30) as lock:
                assert lock.held and not lock.inconsistent

    @invariant()
    def copies_are_what_was_written(self):
        for known in self.known[-3:]:
            if known.found:
                assert self.client.read(known.id, 0, len(known.data)) == bytes(known.data)
                assert self.client.info(known.id).size == len(known.data)


Regions.TestCase.settings = settings(max_examples=20, stateful_step_count=30, deadline=None,
                                     suppress_health_check=list(HealthCheck))


def test_regions_are_as_the_model_says(manager):
    from hypothesis.stateful import run_state_machine_as_test
    run_state_machine_as_test(Regions, settings=Regions.TestCase.settings)


def test_random_use_for_a_moment():
    words = ["--seconds", "8", "--kills", "3", "--least-kills", "2"]
    done = subprocess.run([sys.executable, pathlib.Path(__file__).parent / "random_use.py", *words],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240, env=os.environ)
    assert done.returncode == 0 and "kill " in done.stdout, done.stdout
    assert "Exception ignored" not in done.stdout, done.stdout
