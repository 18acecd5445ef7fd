# SPDX-License-Identifier: MIT
defmodule SnakepitShm.Waiting do
  @moduledoc false
  # Waiting for locks and notifications. The client's process receives the events of the client and
  # sends {tag, outcome} to the process that waits.

  alias SnakepitShm.{Client, Error, Lock, Native}

  @longest_ms 0xFFFFFFFF
  @pause_ms 10

  @spec lock(Client.t(), String.t(), Lock.mode(), timeout()) ::
          {:ok, Lock.t()} | {:error, Error.t()}
  def lock(client, id, mode, timeout) do
    with_manager(client, timeout, fn left ->
      tag = make_ref()

      case Native.lock(client.ref, id, mode == :write, tag, timeout != 0) do
        {:done, watch, outcome} -> locked(outcome, watch, id, mode)
        {:waiting, watch} -> client |> outcome(watch, tag, left) |> locked(watch, id, mode)
        error -> Error.wrap(error, :lock, id)
      end
    end)
  end

  defp locked({:granted, inconsistent}, watch, id, mode) do
    {:ok, %Lock{ref: watch, region_id: id, mode: mode, inconsistent: inconsistent}}
  end

  defp locked(:timeout, _watch, id, _mode) do
    message =
      "the lock on #{id} was not granted in time: 'snakepit-shm locks #{id}' shows its holders"

    Error.new(:timeout, :timeout, message, :lock, id)
  end

  defp locked(error, _watch, id, _mode), do: Error.wrap(error, :lock, id)

  @spec wait(Client.t(), String.t(), non_neg_integer(), timeout()) ::
          {:ok, non_neg_integer()} | {:error, Error.t()}
  def wait(client, id, since, timeout) do
    with_manager(client, timeout, fn left ->
      case Native.counter(client.ref, id, since) do
        :unchanged when timeout == 0 -> not_notified(id)
        :unchanged -> wait_for_event(client, id, since, left)
        result -> Error.wrap(result, :wait, id)
      end
    end)
  end

  @spec counter(Client.t(), String.t()) :: {:ok, non_neg_integer()} | {:error, Error.t()}
  def counter(client, id) do
    with_manager(client, :infinity, fn _left ->
      client.ref |> Native.counter(id, 0xFFFFFFFFFFFFFFFF) |> Error.wrap(:counter, id)
    end)
  end

  # The native calls give the manager a tenth of a second to respond. It is asked again until the
  # time is up, or, without a limit, as long as the client waits for a manager.
  defp with_manager(client, timeout, fun) do
    start = System.monotonic_time(:millisecond)

    try_until(
      start,
      timeout,
      if(timeout == :infinity, do: client.wait_for_manager, else: timeout),
      fun
    )
  end

  defp try_until(start, timeout, patience, fun) do
    passed = System.monotonic_time(:millisecond) - start
    left = if timeout == :infinity, do: :infinity, else: max(timeout - passed, 0)

    with {:error, %Error{code: :no_manager}} = error <- fun.(left) do
      if System.monotonic_time(:millisecond) - start < patience do
        Process.sleep(@pause_ms)
        try_until(start, timeout, patience, fun)
      else
        error
      end
    end
  end

  defp wait_for_event(client, id, since, timeout) do
    tag = make_ref()

    case Native.wait(client.ref, id, since, tag) do
      {:done, _watch, outcome} -> waited(outcome, id)
      {:waiting, watch} -> client |> outcome(watch, tag, timeout) |> waited(id)
      error -> Error.wrap(error, :wait, id)
    end
  end

  defp waited(:timeout, id), do: not_notified(id)
  defp waited(outcome, id), do: Error.wrap(outcome, :wait, id)

  defp not_notified(id),
    do: Error.new(:timeout, :timeout, "the region was not notified: wait again", :wait, id)

  # What the message that the watch waits for says; :timeout if there was none in time, and then the
  # watch has ended. The client's process is monitored: without it no event arrives.
  @spec outcome(Client.t(), Native.watch(), reference(), timeout()) ::
          Native.outcome() | :timeout
  def outcome(client, watch, tag, timeout) do
    monitor = Process.monitor(client.pid)
    timeout = if timeout == :infinity, do: :infinity, else: min(timeout, @longest_ms)

    receive do
      {^tag, outcome} ->
        Process.demonitor(monitor, [:flush])
        outcome

      {:DOWN, ^monitor, :process, _pid, _reason} ->
        forget(watch, tag)
        {:error, :client_closed, :invalid_argument, "the client was closed: connect again"}
    after
      timeout ->
        Process.demonitor(monitor, [:flush])
        forget(watch, tag)
        :timeout
    end
  end

  # A lock that was granted meanwhile is released.
  defp forget(watch, tag) do
    Native.cancel(watch)

    receive do
      {^tag, _outcome} -> :ok
    after
      0 -> :ok
    end
  end
end
