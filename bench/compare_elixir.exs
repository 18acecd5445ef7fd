# SPDX-License-Identifier: MIT
# Compares three ways from Elixir to Python and back: shared memory, a port (a pipe) and a socket.
#
#     snakepit-shm serve &
#     elixir -pa build/elixir/prod/lib/snakepit_shm/ebin bench/compare_elixir.exs
#
# Python adds 1 to each of 64 MiB of bytes; Elixir then has the result as a binary. Rounds alternate between the
# candidates, so that a busy machine slows all of them; a figure is the median of its rounds.
# Options: --rounds N (9), --mebibytes N (64). Needs numpy.
defmodule CompareElixir do
  @peer Path.join(__DIR__, "compare_elixir_peer.py")

  def main(arguments) do
    strict = [rounds: :integer, mebibytes: :integer]
    {options, [], []} = OptionParser.parse(arguments, strict: strict)
    rounds = Keyword.get(options, :rounds, 9)
    size = Keyword.get(options, :mebibytes, 64) * 1024 * 1024

    {:ok, client} = SnakepitShm.connect()
    {:ok, region} = SnakepitShm.allocate(client, size)
    data = :binary.copy(<<1, 2, 3, 4, 5, 6, 7, 8>>, div(size, 8))
    expected = :binary.copy(<<2, 3, 4, 5, 6, 7, 8, 9>>, div(size, 8))
    in_place = in_place(region, port(["shm"], line: 100))
    pipe = pipe(port(["pipe"], packet: 4))
    socket = socket()

    # Name, bytes that are copied between the processes for one round trip, and the round trip.
    candidates = [
      {"shared memory, filled in place", 0, fn -> in_place.(nil) end},
      {"shared memory, from a binary", size, fn -> in_place.(data) end},
      {"port (pipe)", 4 * size, fn -> pipe.(data) end},
      {"socket", 4 * size, fn -> socket.(data) end}
    ]

    for {name, _, trip} <- Enum.drop(candidates, 1),
        do: trip.() == expected || raise("#{name}: wrong result")

    measure(rounds, candidates, size)
    views(region)
  end

  defp measure(rounds, candidates, size) do
    taken =
      for _ <- 1..rounds, {name, _, trip} <- candidates do
        :erlang.garbage_collect()
        {name, elem(:timer.tc(fn -> byte_size(trip.()) end), 0)}
      end

    medians =
      for {name, copied, _} <- candidates,
          do: {name, copied, median(for({^name, t} <- taken, do: t))}

    {_, _, ours} = hd(medians)

    IO.puts(
      "| #{div(size, 1_048_576)} MiB Elixir, Python, Elixir | time | ratio | bytes copied |"
    )

    IO.puts("|---|---|---|---|")

    for {name, copied, time} <- medians do
      IO.puts(
        "| #{name} | #{Float.round(time / 1000, 1)} ms | #{Float.round(time / ours, 1)} | " <>
          "#{div(copied, 1_048_576)} MiB |"
      )
    end
  end

  # One view is a resource and a binary; 1,000 of them in a process of their own.
  defp views(region) do
    {:ok, lock} = SnakepitShm.lock(region, :read)

    times =
      for {name, make} <- [
            {"view of a locked region", &SnakepitShm.view/1},
            {"unsafe_view", &SnakepitShm.unsafe_view/1}
          ] do
        rounds = for _ <- 1..25, do: each(1000, fn -> {:ok, _} = make.(region) end)
        {name, median(rounds)}
      end

    for {name, nanos} <- times,
        do: IO.puts("#{name}: #{Float.round(nanos / 1000, 2)} µs (target: 2 µs)")

    SnakepitShm.unlock(lock)
  end

  # In the process that has the lock, with a heap that does not have to grow.
  defp each(count, fun) do
    :erlang.garbage_collect()
    start = System.monotonic_time(:nanosecond)
    for _ <- 1..count, do: fun.()
    (System.monotonic_time(:nanosecond) - start) / count
  end

  defp median(values), do: values |> Enum.sort() |> Enum.at(div(length(values), 2))

  defp port(arguments, options) do
    program = {:spawn_executable, "/usr/bin/python3"}
    Port.open(program, [:binary, args: [@peer | arguments]] ++ options)
  end

  defp in_place(region, port) do
    fn data ->
      if data, do: :ok = SnakepitShm.write(region, 0, data)
      Port.command(port, region.id <> "\n")
      receive do: ({^port, {:data, {:eol, "done"}}} -> :ok)
      # Python has finished, and only these two programs use the region.
      {:ok, result} = SnakepitShm.unsafe_view(region)
      result
    end
  end

  defp pipe(port) do
    fn data ->
      Port.command(port, data)
      receive do: ({^port, {:data, result}} -> result)
    end
  end

  defp socket do
    path = Path.join(System.tmp_dir!(), "compare_elixir_#{System.pid()}")
    listen = [:binary, packet: 4, active: false, ifaddr: {:local, path}]
    {:ok, listening} = :gen_tcp.listen(0, listen)
    port(["socket", path], [])
    {:ok, line} = :gen_tcp.accept(listening)
    File.rm!(path)

    fn data ->
      :ok = :gen_tcp.send(line, data)
      {:ok, result} = :gen_tcp.recv(line, 0)
      result
    end
  end
end

CompareElixir.main(System.argv())
