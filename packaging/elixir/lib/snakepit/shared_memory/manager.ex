# SPDX-License-Identifier: MIT
defmodule Snakepit.SharedMemory.Manager do
  @moduledoc """
  Snakepit's interface to shared memory, over `SnakepitShm` and the manager of this host.

      children = [Snakepit.SharedMemory.Manager]

      {:ok, id} = Snakepit.SharedMemory.Manager.allocate_region(4096, %{metadata: %{dtype: "uint8"}})
      {:ok, address} = Snakepit.SharedMemory.Manager.map_region(id)
      {:ok, region} = Snakepit.SharedMemory.Manager.region(id)
      :ok = SnakepitShm.write(region, 0, "bytes")
      :ok = Snakepit.SharedMemory.Manager.unmap_region(id)

  Errors are `{:error, code}`, with the codes of `SnakepitShm.Error`, or `:disabled`.
  `Snakepit.SharedMemory.Error.handle_error/3` makes sentences of them. The configuration is
  described in `Snakepit.SharedMemory.Config`, the events in `Snakepit.SharedMemory.Telemetry`.

  A mapping belongs to the calling process, and ends with it; so does a region that it allocated,
  unless its `cleanup_policy` is `:manual`. Calls run in the calling process: while one waits, others
  go on.
  """
  use GenServer
  require Logger

  alias Snakepit.SharedMemory.{Allocations, Config, Telemetry}
  alias SnakepitShm.{Client, Error}

  @type region_id :: String.t()
  @type region_size :: pos_integer()
  @type permission_set :: %{
          optional(:owner) => :read_write | :read_only,
          optional(:group) => :read_write | :read_only | :none,
          optional(:other) => :read_write | :read_only | :none
        }
  @type region_options :: %{
          optional(:permissions) => permission_set(),
          optional(:timeout) => pos_integer(),
          optional(:security_level) => :standard | :high | :maximum,
          optional(:access_mode) => :read_only | :read_write,
          optional(:cleanup_policy) => :automatic | :manual | :reference_counted,
          optional(:metadata) => map(),
          optional(:name) => String.t()
        }
  @type region_info :: %{
          id: region_id(),
          size: region_size(),
          created_at: DateTime.t(),
          last_accessed: DateTime.t(),
          reference_count: non_neg_integer(),
          owner_pid: pid() | pos_integer(),
          platform_handle: term(),
          metadata: map()
        }
  @type reason :: atom()

  @doc "Starts the Manager; one for each node. Options override the application's configuration."
  @spec start_link(keyword()) :: GenServer.on_start()
  def start_link(options \\ []) do
    GenServer.start_link(__MODULE__, options, name: __MODULE__, timeout: :infinity)
  end

  @doc """
  Allocate a new shared memory region.

  ## Options

    * `:permissions` - access permissions for the region
    * `:timeout` - automatic cleanup timeout in milliseconds
    * `:security_level` - security level for the region
    * others of `SnakepitShm.Options`
  """
  @spec allocate_region(region_size(), region_options()) ::
          {:ok, region_id()} | {:error, reason()}
  def allocate_region(size, options \\ %{}) when is_map(options) do
    run(:allocate, nil, measured(size), fn client, config ->
      with :ok <- Allocations.reserve(__MODULE__, size, config),
           {:ok, id} <- allocate(client, size, with_defaults(options, config)) do
        ask({:allocated, id, Map.get(options, :cleanup_policy)})
        {:ok, id}
      end
    end)
  end

  defp allocate(client, size, options) do
    with {:error, _} = error <- SnakepitShm.allocate_unmapped(client, size, options) do
      ask(:not_allocated)
      error
    end
  end

  defp measured(size) when is_integer(size), do: %{size: size}
  defp measured(_size), do: %{}

  defp with_defaults(options, config) do
    given = %{
      timeout: config.default_timeout,
      security_level: config.security_level,
      audit_access: config.audit_access
    }

    Map.merge(given, options)
  end

  @doc """
  Map an existing shared memory region into the current process; the address where it is. Option:
  `:access_mode`, `:read_write` (the default) or `:read_only`.
  """
  @spec map_region(region_id(), map()) :: {:ok, non_neg_integer()} | {:error, reason()}
  def map_region(region_id, options \\ %{}) when is_binary(region_id) and is_map(options) do
    access = Map.get(options, :access_mode, :read_write)

    run(:map, region_id, %{}, fn client, _config ->
      with {:ok, region} <- SnakepitShm.map(client, region_id, access: access),
           {:ok, address} <- SnakepitShm.address(region) do
        :ok = ask({:mapped, region_id, region})
        {:ok, address}
      end
    end)
  end

  @doc "Unmap a shared memory region from the current process."
  @spec unmap_region(region_id()) :: :ok | {:error, reason()}
  def unmap_region(region_id) do
    run(:unmap, region_id, %{}, fn _client, _config ->
      with {:ok, region} <- ask({:unmap, region_id}),
           {:deferred, _views} <- SnakepitShm.close_region(region) do
        :ok
      end
    end)
  end

  @doc "Deallocate a shared memory region."
  @spec deallocate_region(region_id()) :: :ok | {:error, reason()}
  def deallocate_region(region_id) do
    run(:deallocate, region_id, %{}, fn client, _config ->
      with :ok <- SnakepitShm.deallocate({client, region_id}),
           do: ask({:deallocated, region_id})
    end)
  end

  @doc "Get information about a memory region."
  @spec get_region_info(region_id()) :: {:ok, region_info()} | {:error, reason()}
  def get_region_info(region_id) do
    run(nil, region_id, %{}, fn client, _config ->
      with {:ok, info} <- SnakepitShm.info({client, region_id}), do: {:ok, region_info(info)}
    end)
  end

  @doc """
  List all active memory regions. The filter is a map of facts that the regions must have, as
  `SnakepitShm.info/1` names them, or a text as `snakepit-shm list` takes it.
  """
  @spec list_regions(map() | String.t()) :: {:ok, [region_info()]} | {:error, reason()}
  def list_regions(filter \\ %{}) do
    {text, facts} = if is_binary(filter), do: {filter, %{}}, else: {"", filter}

    run(nil, nil, %{}, fn client, _config ->
      with {:ok, regions} <- SnakepitShm.list(client, text) do
        chosen = Enum.filter(regions, &(Map.take(&1, Map.keys(facts)) == facts))
        {:ok, Enum.map(chosen, &region_info/1)}
      end
    end)
  end

  @doc """
  Perform cleanup of stale or orphaned regions. Options as of `SnakepitShm.cleanup/2`.
  """
  @spec cleanup_regions(map()) ::
          {:ok, %{removed: non_neg_integer(), bytes_freed: non_neg_integer()}}
          | {:error, reason()}
  def cleanup_regions(options \\ %{}) do
    run(:cleanup, nil, %{}, fn client, _config ->
      SnakepitShm.cleanup(client, Map.to_list(options))
    end)
  end

  @doc """
  The handle of a region that the calling process has mapped, for reading, writing, views and locks.
  """
  @spec region(region_id()) :: {:ok, SnakepitShm.Region.t()} | {:error, reason()}
  def region(region_id), do: ask({:region, region_id})

  # A call may wait for the manager of the host as long as the client does.
  defp ask(request), do: GenServer.call(__MODULE__, request, :infinity)

  # An operation, with the client and the configuration; errors become their code.
  defp run(operation, region_id, measurements, fun) do
    {client, config} = ask(:state)
    enabled = config.telemetry_enabled and operation != nil

    Telemetry.span(enabled, operation, measurements, %{region_id: region_id}, fn ->
      case if(client, do: fun.(client, config), else: {:error, :disabled}) do
        {:error, %Error{code: code}} -> {:error, code}
        result -> result
      end
    end)
  end

  defp region_info(info) do
    %{
      id: info.id,
      size: info.size,
      created_at: info.created_at,
      last_accessed: info.last_accessed,
      reference_count: info.reference_count,
      owner_pid: ask({:owner, info.id}) || info.owner_pid,
      platform_handle: Map.take(info, [:placement, :state, :actual_size, :name]),
      metadata: info.metadata
    }
  end

  # ------------------------------------------------------------------------------- server

  @impl GenServer
  def init(options) do
    with {:ok, config, managers} <- Config.load(options),
         {:ok, client} <- connect(config) do
      if managers != [], do: Logger.warning(Config.warning(managers))

      {:ok,
       %{
         client: client,
         config: config,
         allocations: Allocations.new(),
         mappings: %{},
         monitors: %{}
       }}
    else
      {:error, reason} -> {:stop, {:platform_init_failed, reason}}
    end
  end

  defp connect(%{enabled: false}), do: {:ok, nil}

  defp connect(config) do
    case SnakepitShm.connect(Map.to_list(Map.take(config, [:instance, :wait_for_manager]))) do
      {:ok, %Client{} = client} -> {:ok, client}
      error -> error
    end
  end

  @impl GenServer
  def handle_call(:state, _from, state), do: {:reply, {state.client, state.config}, state}

  def handle_call({:reserve, size, limits}, {pid, _}, state) do
    living = fn -> living_ids(state.client) end

    case Allocations.reserve(state.allocations, pid, size, limits, living) do
      {:ok, allocations} -> {:reply, :ok, monitor(%{state | allocations: allocations}, pid)}
      error -> {:reply, error, state}
    end
  end

  def handle_call({:allocated, id, policy}, {pid, _}, state) do
    allocations = Allocations.allocated(state.allocations, pid, id, policy != :manual)
    {:reply, :ok, %{state | allocations: allocations}}
  end

  def handle_call(:not_allocated, {pid, _}, state),
    do: {:reply, :ok, update_in(state.allocations, &Allocations.release(&1, pid))}

  def handle_call({:deallocated, id}, _from, state),
    do: {:reply, :ok, update_in(state.allocations, &Allocations.release(&1, id))}

  def handle_call({:owner, id}, _from, state),
    do: {:reply, Allocations.owner(state.allocations, id), state}

  def handle_call({:mapped, id, region}, {pid, _}, state) do
    mappings = Map.update(state.mappings, {pid, id}, [region], &[region | &1])
    {:reply, :ok, monitor(%{state | mappings: mappings}, pid)}
  end

  def handle_call({:region, id}, {pid, _}, state) do
    case state.mappings do
      %{{^pid, ^id} => [region | _]} -> {:reply, {:ok, region}, state}
      _none -> {:reply, {:error, :not_held}, state}
    end
  end

  def handle_call({:unmap, id}, {pid, _}, state) do
    case Map.get(state.mappings, {pid, id}) do
      nil ->
        {:reply, {:error, :not_held}, state}

      [region] ->
        {:reply, {:ok, region}, update_in(state.mappings, &Map.delete(&1, {pid, id}))}

      [region | others] ->
        {:reply, {:ok, region}, put_in(state.mappings[{pid, id}], others)}
    end
  end

  # The native library has closed the handles and deallocates the regions of the process.
  @impl GenServer
  def handle_info({:DOWN, _reference, :process, pid, _reason}, state) do
    mappings = Map.reject(state.mappings, fn {{owner, _id}, _regions} -> owner == pid end)
    allocations = Allocations.owner_ended(state.allocations, pid)
    monitors = Map.delete(state.monitors, pid)
    {:noreply, %{state | mappings: mappings, allocations: allocations, monitors: monitors}}
  end

  def handle_info(_message, state), do: {:noreply, state}

  defp monitor(state, pid),
    do: update_in(state.monitors, &Map.put_new_lazy(&1, pid, fn -> Process.monitor(pid) end))

  defp living_ids(client) do
    case SnakepitShm.list(client) do
      {:ok, regions} ->
        for %{id: id, state: state} <- regions, state != "closing", into: MapSet.new(), do: id

      {:error, _} ->
        nil
    end
  end
end
