# SPDX-License-Identifier: MIT
defmodule PythonPool do
  @moduledoc """
  A pool of Python workers that compute in place in regions of shared memory. Only ids go through the
  pipes. A worker that ends is replaced, and the caller is told, because its region may be half computed.
  """
  use GenServer

  @worker Path.join(__DIR__, "worker.py")

  def start_link(workers), do: GenServer.start_link(__MODULE__, workers)

  @doc "Lets a worker compute in the region: `:ok`, `{:error, sentence}`, or `{:error, :worker_died}`."
  def run(pool, region_id), do: GenServer.call(pool, {:run, region_id}, :infinity)

  @doc "The process ids of the workers."
  def pids(pool), do: GenServer.call(pool, :pids)

  @impl true
  def init(count) do
    # A port also ends when it writes to a worker that was killed.
    Process.flag(:trap_exit, true)
    state = %{idle: [], busy: %{}, queue: :queue.new(), pids: %{}, started: 0}
    {:ok, Enum.reduce(1..count, state, fn _, state -> start_worker(state) end)}
  end

  defp start_worker(state) do
    number = state.started + 1
    options = [:binary, :exit_status, line: 4096, args: [@worker, "elixir-#{number}"]]
    port = Port.open({:spawn_executable, "/usr/bin/python3"}, options)
    {:os_pid, pid} = Port.info(port, :os_pid)

    next(%{
      state
      | idle: [port | state.idle],
        pids: Map.put(state.pids, port, pid),
        started: number
    })
  end

  # Gives waiting regions to idle workers.
  defp next(%{idle: [port | idle]} = state) do
    case :queue.out(state.queue) do
      {{:value, {from, id}}, queue} ->
        send_line(port, id)
        next(%{state | idle: idle, queue: queue, busy: Map.put(state.busy, port, from)})

      {:empty, _queue} ->
        state
    end
  end

  defp next(state), do: state

  # To a worker that was killed a moment ago: its end is told in a message.
  defp send_line(port, id) do
    Port.command(port, id <> "\n")
  rescue
    ArgumentError -> false
  end

  @impl true
  def handle_call({:run, id}, from, state),
    do: {:noreply, next(%{state | queue: :queue.in({from, id}, state.queue)})}

  def handle_call(:pids, _from, state), do: {:reply, Map.values(state.pids), state}

  @impl true
  def handle_info({port, {:data, {:eol, line}}}, state) do
    {from, busy} = Map.pop!(state.busy, port)
    GenServer.reply(from, if(line == "done", do: :ok, else: {:error, line}))
    {:noreply, next(%{state | idle: [port | state.idle], busy: busy})}
  end

  def handle_info({port, {:exit_status, _}}, state), do: {:noreply, ended(port, state)}
  def handle_info({:EXIT, port, _reason}, state), do: {:noreply, ended(port, state)}
  def handle_info(_message, state), do: {:noreply, state}

  defp ended(port, state) when is_map_key(state.pids, port) do
    {from, busy} = Map.pop(state.busy, port)
    if from, do: GenServer.reply(from, {:error, :worker_died})
    idle = List.delete(state.idle, port)
    start_worker(%{state | idle: idle, busy: busy, pids: Map.delete(state.pids, port)})
  end

  defp ended(_port, state), do: state
end

defmodule RoundTrip do
  @moduledoc "Elixir allocates and fills a region, Python computes in place, Elixir reads the result."

  @doc "One job over `count` numbers. How often it was begun, for each time that a worker was killed in it."
  def job(client, pool, number, count) do
    metadata = %{dtype: "float64", shape: [count]}
    {:ok, region} = SnakepitShm.allocate(client, count * 8, metadata: metadata)
    attempts = attempt(region, pool, number, count, 1)
    :ok = SnakepitShm.deallocate(region)
    attempts
  end

  defp attempt(region, pool, number, count, attempts) do
    {:ok, :ok} =
      SnakepitShm.with_lock(region, :write, :infinity, fn _lock ->
        # All of it: that repairs what a killed worker has left half computed.
        SnakepitShm.write(region, 0, :binary.copy(<<number * 1.0::float-native>>, count))
      end)

    case PythonPool.run(pool, region.id) do
      :ok ->
        {:ok, true} =
          SnakepitShm.with_lock(region, :read, :infinity, &right?(&1, region, number, count))

        attempts

      {:error, :worker_died} ->
        attempt(region, pool, number, count, attempts + 1)
    end
  end

  # The view is the shared memory itself; the lock keeps it as it is.
  defp right?(_lock, region, number, count) do
    {:ok, result} = SnakepitShm.view(region)
    result == :binary.copy(<<2.0 * number + 1.0::float-native>>, count)
  end

  @doc "Kills a worker at a random moment, again and again, until `count` were killed."
  def kill_workers(_pool, 0), do: :ok

  def kill_workers(pool, count) do
    Process.sleep(:rand.uniform(40))
    System.cmd("kill", ["-KILL", "#{Enum.random(PythonPool.pids(pool))}"], stderr_to_stdout: true)
    kill_workers(pool, count - 1)
  end
end
