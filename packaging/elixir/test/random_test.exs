# SPDX-License-Identifier: MIT
defmodule SnakepitShm.RandomTest do
  # Processes that are killed in the middle of anything leave nothing behind.
  use ExUnit.Case

  import SnakepitShm.Test.Manager, only: [wait_until: 1]

  @processes 24
  @kills 150

  test "processes that are killed at random moments leave nothing" do
    {:ok, client} = SnakepitShm.connect()
    {:ok, shared} = SnakepitShm.allocate(client, 4096)
    seed = :rand.uniform(1_000_000)
    :rand.seed(:exsss, seed)

    start = fn ->
      number = :rand.uniform(1_000_000)
      spawn(fn -> live(client, shared.id, number) end)
    end

    living = for _ <- 1..@processes, do: start.()

    living =
      Enum.reduce(1..@kills, living, fn _, [oldest | others] ->
        Process.sleep(:rand.uniform(10) - 1)
        Process.exit(oldest, :kill)
        Enum.shuffle(others) ++ [start.()]
      end)

    for pid <- living, do: Process.exit(pid, :kill)

    wait_until(fn ->
      :erlang.garbage_collect()
      stats = SnakepitShm.stats(client)
      match?(%{mappings: 1, views: 0, locks: 0, waits: 0, allocations: 1}, stats)
    end)

    assert SnakepitShm.stats(client).round_trips > @kills

    # Nothing is locked, also for the manager, and it counts what is left: the allocation and a mapping.
    assert {:ok, lock} = SnakepitShm.lock(shared, :write, 60_000), "seed #{seed}"
    assert :ok = SnakepitShm.unlock(lock)
    wait_until(fn -> match?({:ok, %{reference_count: 2}}, SnakepitShm.info(shared)) end)
    {:ok, regions} = SnakepitShm.list(client, "size=1000")
    assert Enum.all?(regions, &(&1.state != "live"))
    SnakepitShm.close(client)
  end

  defp live(client, id, seed) do
    :rand.seed(:exsss, seed)
    for _ <- Stream.cycle([1]), do: act(:rand.uniform(9), client, id)
  end

  defp act(1, client, _id), do: SnakepitShm.allocate(client, 1000)

  defp act(2, client, id) do
    with {:ok, region} <- SnakepitShm.map(client, id), do: SnakepitShm.unsafe_view(region)
  end

  defp act(3, client, id) do
    with {:ok, region} <- SnakepitShm.map(client, id, access: :read_write) do
      SnakepitShm.with_lock(region, :read, 1000, fn _ -> SnakepitShm.view(region) end)
    end
  end

  defp act(4, client, id), do: SnakepitShm.lock({client, id}, :write, 5)
  defp act(5, client, id), do: SnakepitShm.lock({client, id}, :read, 0)
  defp act(6, client, id), do: SnakepitShm.with_lock({client, id}, :write, 100, & &1)
  defp act(7, client, id), do: SnakepitShm.notify({client, id})
  defp act(8, client, id), do: SnakepitShm.wait({client, id}, 0, 5)

  defp act(9, client, id) do
    with {:ok, counter} <- SnakepitShm.counter({client, id}),
         do: SnakepitShm.wait({client, id}, counter, 5)
  end
end
