# SPDX-License-Identifier: MIT
defmodule SnakepitShm.RoundTripTest do
  # The example packaging/examples/elixir_python, with everything killed that can be killed.
  use ExUnit.Case

  import SnakepitShm.Test.Manager, only: [wait_until: 1]
  alias SnakepitShm.Test.Manager

  @moduletag :python
  @example Path.expand("../../examples/elixir_python", __DIR__)
  Code.require_file("pool.exs", @example)
  @count 131_072

  setup do
    {:ok, client} = SnakepitShm.connect()
    pool = start_supervised!(%{id: PythonPool, start: {PythonPool, :start_link, [3]}})
    {:ok, client: client, pool: pool}
  end

  defp jobs(numbers, %{client: client, pool: pool}) do
    numbers
    |> Task.async_stream(&RoundTrip.job(client, pool, &1, @count),
      max_concurrency: 6,
      timeout: :infinity
    )
    |> Enum.map(fn {:ok, attempts} -> attempts end)
  end

  test "every result is right though workers are killed", context do
    killer = Task.async(fn -> RoundTrip.kill_workers(context.pool, 12) end)
    assert length(jobs(1..40, context)) == 40
    Task.await(killer, :infinity)
    assert length(jobs(1..3, context)) == 3
    assert %{mappings: 0, locks: 0, allocations: 0} = settled(context.client)
  end

  defp settled(client) do
    wait_until(fn -> :erlang.garbage_collect() && SnakepitShm.stats(client).mappings == 0 end)
    SnakepitShm.stats(client)
  end

  test "jobs go on when the manager is killed and started again", context do
    running = Task.async(fn -> jobs(1..40, context) end)
    Process.sleep(100)
    Manager.kill()
    Manager.restart()
    assert length(Task.await(running, :infinity)) == 40
    assert length(jobs(1..3, context)) == 3
  end

  test "kill -9 of the virtual machine ends its workers and frees its regions", context do
    code = """
    Code.require_file("pool.exs", "#{@example}")
    {:ok, client} = SnakepitShm.connect()
    {:ok, pool} = PythonPool.start_link(2)
    for _ <- 1..2, do: spawn_link(fn ->
      Enum.each(Stream.cycle([1]), &RoundTrip.job(client, pool, &1, #{@count}))
    end)
    Process.sleep(300)
    IO.puts(Enum.join([System.pid() | PythonPool.pids(pool)], " "))
    Process.sleep(:infinity)
    """

    {port, line} = Manager.virtual_machine(code)
    [machine | workers] = String.split(line)
    assert length(workers) == 2
    {_, 0} = System.cmd("kill", ["-KILL", machine])
    assert_receive {^port, {:exit_status, _}}, 60_000

    for pid <- workers, do: wait_until(fn -> not running?(pid) end)

    wait_until(fn ->
      {:ok, regions} = SnakepitShm.list(context.client)
      Enum.all?(regions, &("#{&1.owner_pid}" != machine))
    end)
  end

  # Not a zombie, if nobody waits for it here.
  defp running?(pid) do
    case File.read("/proc/#{pid}/stat") do
      {:ok, text} -> not (text =~ ~r/\) Z /)
      {:error, _} -> false
    end
  end
end
