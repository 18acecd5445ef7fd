# SPDX-License-Identifier: MIT
defmodule Snakepit.SharedMemory.Telemetry do
  @moduledoc """
  Events of the library `:telemetry`, where it is loaded.

  Each operation of `Snakepit.SharedMemory.Manager` executes `[:snakepit, :shared_memory, operation]`,
  with the operations `:allocate`, `:map`, `:unmap`, `:deallocate` and `:cleanup`.

    * measurements: `:duration`, in native time units, and `:size` in bytes when it is known
    * metadata: `:region_id` (or nil), `:result` (`:ok` or the error's code), `:process`
  """

  @doc false
  @spec span(boolean(), atom(), map(), map(), (() -> result)) :: result when result: term()
  def span(enabled, operation, measurements, metadata, fun) do
    if enabled and :erlang.function_exported(:telemetry, :execute, 3) do
      start = System.monotonic_time()
      result = fun.()
      measurements = Map.put(measurements, :duration, System.monotonic_time() - start)
      metadata = Map.merge(metadata, %{result: code(result), process: self()})
      # Not a dependency: called only if the program has it.
      apply(:telemetry, :execute, [
        [:snakepit, :shared_memory, operation],
        measurements,
        metadata_of(result, metadata)
      ])

      result
    else
      fun.()
    end
  end

  defp code({:error, code}), do: code
  defp code(_result), do: :ok

  defp metadata_of({:ok, id}, metadata) when is_binary(id), do: %{metadata | region_id: id}
  defp metadata_of(_result, metadata), do: metadata
end
