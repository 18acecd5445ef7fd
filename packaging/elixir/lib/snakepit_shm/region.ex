# SPDX-License-Identifier: MIT
defmodule SnakepitShm.Region do
  @moduledoc """
  The handle of a mapped region.

  It belongs to the process that mapped it and is closed when this process ends, however it ends.
  Binaries of `SnakepitShm.view/1` and `SnakepitShm.unsafe_view/1` keep the memory mapped until they
  are collected, in whatever process they are.
  """
  @type access :: :read_only | :read_write
  @type t :: %__MODULE__{
          ref: reference(),
          client: SnakepitShm.Client.t(),
          id: String.t(),
          size: pos_integer(),
          access: access(),
          created: boolean()
        }
  @enforce_keys [:ref, :client, :id, :size, :access]
  defstruct [:ref, :client, :id, :size, :access, created: false]
end
