# SPDX-License-Identifier: MIT
# Elixir allocates, a pool of Python workers computes in place, Elixir reads the result. Meanwhile workers are
# killed with SIGKILL.
#
#     snakepit-shm serve &
#     elixir -pa build/elixir/prod/lib/snakepit_shm/ebin packaging/examples/elixir_python/round_trip.exs
#
# Options: --jobs N (60), --workers N (3), --kills N (10), --numbers N in each job (131072). Needs numpy.
Code.require_file("pool.exs", __DIR__)

{options, [], []} =
  OptionParser.parse(System.argv(),
    strict: [jobs: :integer, workers: :integer, kills: :integer, numbers: :integer]
  )

options = Map.merge(%{jobs: 60, workers: 3, kills: 10, numbers: 131_072}, Map.new(options))

client =
  case SnakepitShm.connect() do
    {:ok, client} ->
      client

    {:error, error} ->
      IO.puts(:stderr, Exception.message(error))
      System.halt(1)
  end

{:ok, pool} = PythonPool.start_link(options.workers)
IO.puts("#{options.workers} workers: #{Enum.join(PythonPool.pids(pool), " ")}")
killer = Task.async(fn -> RoundTrip.kill_workers(pool, options.kills) end)

attempts =
  1..options.jobs
  |> Task.async_stream(&RoundTrip.job(client, pool, &1, options.numbers),
    max_concurrency: 2 * options.workers,
    timeout: :infinity
  )
  |> Enum.map(fn {:ok, attempts} -> attempts end)

Task.await(killer, :infinity)

IO.puts(
  "#{options.jobs} jobs right; #{options.kills} workers killed, " <>
    "#{Enum.sum(attempts) - options.jobs} jobs begun again"
)
