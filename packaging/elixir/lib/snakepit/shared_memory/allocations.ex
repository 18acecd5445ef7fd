# SPDX-License-Identifier: MIT
defmodule Snakepit.SharedMemory.Allocations do
  @moduledoc false
  # What this node has allocated through the Manager, for its limits and for the owners of regions. A
  # reservation has the key `pid`, until the region has an id.

  @type t :: %{(pid() | String.t()) => {pid(), pos_integer(), boolean()}}

  @spec new() :: t()
  def new, do: %{}

  @doc "Asks the Manager for a part of its limits."
  @spec reserve(GenServer.server(), term(), map()) :: :ok | {:error, atom()}
  def reserve(server, size, limits) do
    cond do
      not is_integer(size) or size <= 0 -> {:error, :invalid_size}
      size > limits.max_region_size -> {:error, :size_exceeds_limit}
      true -> GenServer.call(server, {:reserve, size, limits}, :infinity)
    end
  end

  @doc """
  The reservation of a process. When a limit is reached, regions that have ended in another way are
  forgotten first: `living` returns the ids that exist, or nil.
  """
  @spec reserve(t(), pid(), pos_integer(), map(), (() -> MapSet.t() | nil)) ::
          {:ok, t()} | {:error, atom()}
  def reserve(allocations, pid, size, limits, living) do
    with {:error, _} <- admit(allocations, pid, size, limits),
         ids = living.(),
         kept =
           Map.filter(allocations, fn {key, _} -> is_pid(key) or ids == nil or key in ids end),
         do: admit(kept, pid, size, limits)
  end

  defp admit(allocations, pid, size, limits) do
    values = Map.values(allocations)
    own = Enum.count(values, &(elem(&1, 0) == pid))
    total = values |> Enum.map(&elem(&1, 1)) |> Enum.sum()

    cond do
      total + size > limits.max_total_memory -> {:error, :memory_limit_exceeded}
      length(values) >= limits.max_regions -> {:error, :region_limit_exceeded}
      own >= limits.max_regions_per_process -> {:error, :process_region_limit_exceeded}
      true -> {:ok, Map.put(allocations, pid, {pid, size, true})}
    end
  end

  @spec allocated(t(), pid(), String.t(), boolean()) :: t()
  def allocated(allocations, pid, id, ends_with_process) do
    {{^pid, size, _}, rest} = Map.pop!(allocations, pid)
    Map.put(rest, id, {pid, size, ends_with_process})
  end

  @spec release(t(), pid() | String.t()) :: t()
  def release(allocations, key), do: Map.delete(allocations, key)

  @spec owner(t(), String.t()) :: pid() | nil
  def owner(allocations, id) do
    with {pid, _size, _ends} <- Map.get(allocations, id), do: pid
  end

  @spec owner_ended(t(), pid()) :: t()
  def owner_ended(allocations, pid),
    do: Map.reject(allocations, fn {_key, {owner, _size, ends}} -> owner == pid and ends end)
end
