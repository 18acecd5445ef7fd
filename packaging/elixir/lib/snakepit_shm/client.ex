# SPDX-License-Identifier: MIT
defmodule SnakepitShm.Client do
  @moduledoc """
  A connection to a manager, and the process that receives its events.

  `SnakepitShm.connect/1` starts one for the calling process. In a supervision tree:

      children = [{SnakepitShm.Client, name: MyApp.SharedMemory}]

      {:ok, client} = SnakepitShm.Client.fetch(MyApp.SharedMemory)

  Functions of `SnakepitShm` run in the calling process; this process is only needed to wake those
  that wait for a lock or for a notification. When it ends, however it ends, the client is closed and
  its locks are released; memory that binaries show stays mapped until they are collected.
  """
  use GenServer

  alias SnakepitShm.{Error, Native}

  @type t :: %__MODULE__{ref: reference(), pid: pid(), wait_for_manager: non_neg_integer()}
  @enforce_keys [:ref, :pid, :wait_for_manager]
  defstruct [:ref, :pid, :wait_for_manager]

  @retry_ms 250

  @doc """
  Starts a client and links it to the calling process. Options as of `SnakepitShm.connect/1`, and
  `:name` to register the process.
  """
  @spec start_link(keyword()) :: GenServer.on_start()
  def start_link(options \\ []) do
    {name, options} = Keyword.split(options, [:name])
    GenServer.start_link(__MODULE__, options, [timeout: :infinity] ++ name)
  end

  @doc """
  The client of a process that was started by `start_link/1`.

      iex> {:ok, pid} = SnakepitShm.Client.start_link()
      iex> {:ok, client} = SnakepitShm.Client.fetch(pid)
      iex> SnakepitShm.close(client)
      :ok
  """
  @spec fetch(GenServer.server()) :: {:ok, t()}
  def fetch(server), do: {:ok, GenServer.call(server, :fetch)}

  @impl GenServer
  def init(options) do
    Process.flag(:trap_exit, true)

    with {:ok, instance, wait} <- check(options),
         {:ok, ref} <- Native.connect(instance, wait) do
      client = %__MODULE__{ref: ref, pid: self(), wait_for_manager: wait}
      {:ok, client, {:continue, :select}}
    else
      {:error, %Error{} = error} -> {:stop, {:shutdown, error}}
      error -> {:stop, {:shutdown, elem(Error.wrap(error, :connect, nil), 1)}}
    end
  end

  defp check(options) do
    instance = Keyword.get(options, :instance)
    wait = Keyword.get(options, :wait_for_manager, 10_000)
    unknown = Keyword.keys(options) -- [:instance, :wait_for_manager]

    cond do
      unknown != [] ->
        Error.invalid(:connect, "unknown option #{inspect(hd(unknown))}: " <> choices())

      not (is_nil(instance) or text?(instance)) ->
        Error.invalid(:connect, "the instance is #{inspect(instance)}: expected a text")

      not (is_integer(wait) and wait in 0..0x7FFFFFFF) ->
        Error.invalid(:connect, "wait_for_manager is #{inspect(wait)}: expected milliseconds")

      true ->
        {:ok, instance, wait}
    end
  end

  defp choices, do: "choose :instance or :wait_for_manager"
  defp text?(value), do: is_binary(value) and not String.contains?(value, <<0>>)

  @impl GenServer
  def handle_continue(:select, client), do: select(client)

  @impl GenServer
  def handle_call(:fetch, _from, client), do: {:reply, client, client}

  @impl GenServer
  def handle_info({:select, _resource, _reference, :ready_input}, client) do
    case Native.take_events(client.ref) do
      :ok -> select(client)
      {:error, :client_closed, _type, _message} -> {:stop, :normal, client}
      {:error, _code, _type, _message} -> retry(client)
    end
  end

  def handle_info(:select, client), do: select(client)
  def handle_info({:EXIT, _from, reason}, client), do: {:stop, reason, client}
  def handle_info(_message, client), do: {:noreply, client}

  defp select(client) do
    case Native.select(client.ref) do
      :ok -> {:noreply, client}
      {:error, _code, _type, _message} -> retry(client)
    end
  end

  defp retry(client) do
    Process.send_after(self(), :select, @retry_ms)
    {:noreply, client}
  end

  @impl GenServer
  def terminate(_reason, client), do: Native.close(client.ref)
end
