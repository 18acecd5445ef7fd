# SPDX-License-Identifier: MIT
"""CPython's own tests of multiprocessing.shared_memory, unchanged, over snakepit_shm.shared_memory. The start method
of processes is the first argument; children of that method import this file as well."""
import multiprocessing
import multiprocessing.managers
import os
import sys
import unittest

import snakepit_shm.shared_memory as ours

EXPECTED = 13  # tests in Python 3.11

sys.modules["multiprocessing.shared_memory"] = multiprocessing.shared_memory = ours
multiprocessing.managers.shared_memory = ours
for name in ("SharedMemoryManager", "SharedMemoryServer", "_SharedMemoryTracker"):
    setattr(multiprocessing.managers, name, getattr(ours, name))

try:
    import test._test_multiprocessing as theirs
except ImportError as problem:
    print(f"SKIP {problem}")
    sys.exit(0)

if __name__ == "__main__":
    method = sys.argv[1]
    multiprocessing.set_start_method(method, force=True)
    cases = {"__name__": __name__}
    theirs.install_tests_in_module_dict(cases, method)
    case = next(value for key, value in cases.items() if key.endswith("TestSharedMemory"))
    result = unittest.TextTestRunner(verbosity=2).run(unittest.defaultTestLoader.loadTestsFromTestCase(case))
    print(f"{method}: {result.testsRun - len(result.errors) - len(result.failures)} of {result.testsRun} pass", flush=True)
    os._exit(0 if result.wasSuccessful() and result.testsRun == EXPECTED else 1)
