# SPDX-License-Identifier: MIT
defmodule SnakepitShm.Lock do
  @moduledoc """
  A lock that a process has on a region; see `SnakepitShm.lock/3`.

  `:inconsistent` is true when the last writer, an Elixir process or another program, died while it had
  the lock, so that the region may be half written. Releasing a write lock clears that.
  """
  @type mode :: :read | :write
  @type t :: %__MODULE__{
          ref: reference(),
          region_id: String.t(),
          mode: mode(),
          inconsistent: boolean()
        }
  @enforce_keys [:ref, :region_id, :mode, :inconsistent]
  defstruct [:ref, :region_id, :mode, :inconsistent]
end
