# SPDX-License-Identifier: MIT
System.get_env("SNAKEPIT_SHM_PROGRAM") ||
  raise "run the tests with ctest -R elixir_package, which sets up an instance for them"

Code.require_file("support.exs", __DIR__)
SnakepitShm.Test.Manager.start()
ExUnit.start(timeout: 300_000, exclude: [:python])
ExUnit.after_suite(fn _results -> SnakepitShm.Test.Manager.stop() end)
