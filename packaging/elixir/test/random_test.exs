# SPDX-License-Identifier: MIT
defmodule SnakepitShm.RandomTest do
  # Processes that are killed in the middle of anything leave nothing behind, also while the manager
  # is stopped. SNAKEPIT_ELIXIR_KILLS=2000 for a long run.
  use ExUnit.Case

  import SnakepitShm.Test.Manager, only: [wait_until: 1]
  alias SnakepitShm.Test.Manager

  @processes 24
  @kills "SNAKEPIT_ELIXIR_KILLS" |> System.get_env("150") |> String.to_integer()

  @tag timeout: 3_600_000
  test "processes that are killed at random moments leave nothing" do
    {:ok, client} = SnakepitShm.connect()
    {:ok, shared} = SnakepitShm.allocate(client, 4096)
    seed = :rand.uniform(1_000_000)
    :rand.seed(:exsss, seed)

    start = fn ->
      number = :rand.uniform(1_000_000)
      spawn(fn -> live(client, shared.id, number) end)
    end

    manager = Manager.pid()
    stopping = spawn_link(fn -> stop_again_and_again(manager) end)
    living = for _ <- 1..@processes, do: start.()

    living =
      Enum.reduce(1..@kills, living, fn _, [oldest | others] ->
        Process.sleep(:rand.uniform(30) - 1)
        Process.exit(oldest, :kill)
        Enum.shuffle(others) ++ [start.()]
      end)

    send(stopping, {:end, self()})
    assert_receive :ended, 60_000
    for pid <- living, do: Process.exit(pid, :kill)

    wait_until(fn ->
      :erlang.garbage_collect()
      stats = SnakepitShm.stats(client)
      match?(%{mappings: 1, views: 0, locks: 0, waits: 0, allocations: 1}, stats)
    end)

    # Nothing is locked, also for the manager, and it counts what is left: the allocation and a mapping.
    assert {:ok, lock} = SnakepitShm.lock(shared, :write, 60_000), "seed #{seed}"
    assert :ok = SnakepitShm.unlock(lock)
    wait_until(fn -> match?({:ok, %{reference_count: 2}}, SnakepitShm.info(shared)) end)

    wait_until(fn ->
      {:ok, regions} = SnakepitShm.list(client, "size=1000")
      Enum.all?(regions, &(&1.state != "live"))
    end)

    SnakepitShm.close(client)
  end

  defp stop_again_and_again(manager) do
    System.cmd("kill", ["-STOP", "#{manager}"])
    Process.sleep(150)
    System.cmd("kill", ["-CONT", "#{manager}"])

    receive do
      {:end, test} -> send(test, :ended)
    after
      :rand.uniform(300) -> stop_again_and_again(manager)
    end
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
