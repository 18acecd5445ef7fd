# SPDX-License-Identifier: MIT
defmodule SnakepitShm do
  @moduledoc """
  Shared memory between Elixir and other programs, through the Snakepit manager of this host.

      iex> {:ok, client} = SnakepitShm.connect()
      iex> {:ok, region} = SnakepitShm.allocate(client, 4096, metadata: %{dtype: "uint8"})
      iex> :ok = SnakepitShm.write(region, 0, "hello")
      iex> SnakepitShm.read(region, 0, 5)
      {:ok, "hello"}

  Another program maps `region.id`, or the region's name: `snakepit_shm.Client().map(id)` in Python.

  **Results.** Functions return `:ok`, `{:ok, value}` or `{:error, %SnakepitShm.Error{}}`. Arguments of
  a wrong type raise, as usual. Where a `t:target/0` is expected, it is a region's handle, or
  `{client, id}` with an id or a name.

  **Binaries.** `read/3` and `write/3` copy. `view/1` and `unsafe_view/1` return a binary whose bytes
  are the shared memory itself. Elixir takes it for granted that a binary never changes, so `view/1`
  needs a region that is sealed, or locked for reading by the calling process: this lock then stays
  until the binary is collected. `unsafe_view/1` needs nothing, and the bytes may change at any time: a key
  of a map may then not be found any more, a string that was valid may become invalid.
  Parts of at most 64 bytes, `<>`, `:binary.copy/1` and messages to other nodes copy; longer parts,
  messages to processes of this node and ETS share the memory.

  **Processes.** A handle is closed when the process that mapped it ends, a lock is released, and a
  region that it allocated is deallocated, unless its `cleanup_policy` is `:manual`, its `owner_end`
  is `:keep`, or it is `durable` or `owned_by_user`. Memory that a binary shows stays mapped until the
  binary was collected. When the virtual machine ends or is killed, the manager releases everything.

  **Schedulers.** Calls that may wait run on dirty I/O threads. Waiting for a lock or for a
  notification takes no thread.
  """
  alias SnakepitShm.{Client, Error, Lock, Native, Options, Region, Regions, Waiting}

  @type target :: Region.t() | {Client.t(), String.t()}
  @type result(value) :: {:ok, value} | {:error, Error.t()}

  defguardp is_position(value)
            when is_integer(value) and value >= 0 and value < 0x10000000000000000

  # ------------------------------------------------------------------------------ clients

  @doc """
  Connects to the manager and links the client's process to the calling one.

  ## Options

    * `:instance` - the manager's instance; by default `$SNAKEPIT_SHM_INSTANCE`, as it was when the
      virtual machine started
    * `:wait_for_manager` - milliseconds that this call, and later ones, wait for a manager that is
      being restarted (10,000)

  ## Examples

      iex> {:ok, client} = SnakepitShm.connect(wait_for_manager: 1000)
      iex> SnakepitShm.close(client)
      :ok
      iex> {:error, error} = SnakepitShm.connect(instance: "not running", wait_for_manager: 0)
      iex> error.code
      :no_manager
  """
  @spec connect(keyword()) :: result(Client.t())
  def connect(options \\ []) do
    case GenServer.start(Client, options, timeout: :infinity) do
      {:ok, pid} ->
        Process.link(pid)
        Client.fetch(pid)

      {:error, {:shutdown, %Error{} = error}} ->
        {:error, error}
    end
  end

  @doc """
  Closes the client. Its locks are released; memory that binaries show stays mapped until they are
  collected.
  """
  @spec close(Client.t()) :: :ok
  def close(%Client{pid: pid}) do
    GenServer.stop(pid, :normal, :infinity)
  catch
    :exit, _ended_already -> :ok
  end

  @doc """
  Names this program in lists, events and the monitor. Options: `:worker`, `:pool`, and `:session`, a label
  that regions carry that are allocated from now on.
  """
  @spec announce(Client.t(), keyword()) :: :ok | {:error, Error.t()}
  def announce(%Client{ref: ref}, names) do
    names = Keyword.validate!(names, [:worker, :pool, :session])

    with :ok <- Options.text(:worker, names[:worker]),
         :ok <- Options.text(:pool, names[:pool]),
         :ok <- Options.text(:session, names[:session]) do
      ref
      |> Native.announce(names[:worker], names[:pool], names[:session])
      |> Error.wrap(:announce, nil)
    end
  end

  @doc """
  What the client holds: `:mappings`, `:views` (binaries that show memory), `:locks`, `:waits`,
  `:allocations` that end with their process, and `:round_trips`, its requests to the manager.

      iex> {:ok, client} = SnakepitShm.connect()
      iex> SnakepitShm.stats(client).mappings
      0
  """
  @spec stats(Client.t()) :: %{atom() => non_neg_integer()}
  def stats(%Client{ref: ref}), do: Native.stats(ref)

  @doc "The release of the client library, such as `\"0.1.0\"`."
  @spec version() :: String.t()
  def version, do: Native.version()

  # ------------------------------------------------------------------------------ regions

  @doc """
  Allocates a region and maps it writable. Its memory is zero. Options: `SnakepitShm.Options`.

      iex> {:ok, client} = SnakepitShm.connect()
      iex> {:ok, region} = SnakepitShm.allocate(client, 100)
      iex> SnakepitShm.read(region)
      {:ok, :binary.copy(<<0>>, 100)}
  """
  @spec allocate(Client.t(), pos_integer(), Options.t()) :: result(Region.t())
  def allocate(%Client{} = client, size, options \\ []),
    do: Regions.allocate(client, size, options)

  @doc "As `allocate/3`, but returns the id of the region and does not map it."
  @spec allocate_unmapped(Client.t(), pos_integer(), Options.t()) :: result(String.t())
  def allocate_unmapped(%Client{} = client, size, options \\ []),
    do: Regions.allocate_unmapped(client, size, options)

  @doc """
  Maps a region by its id or name. Option: `:access`, `:read_only` (the default) or `:read_write`.

      iex> {:ok, client} = SnakepitShm.connect()
      iex> {:error, error} = SnakepitShm.map(client, "no region has this name")
      iex> error.code
      :region_not_found
  """
  @spec map(Client.t(), String.t(), keyword()) :: result(Region.t())
  def map(%Client{} = client, id, options \\ []) when is_binary(id),
    do: Regions.map(client, id, options)

  @doc """
  Maps the region that has this name, or allocates it, in one step. The handle's `:created` says
  which. Options: `SnakepitShm.Options` and `:access` (`:read_write`).

      iex> {:ok, client} = SnakepitShm.connect()
      iex> {:ok, first} = SnakepitShm.open(client, "table", 4096)
      iex> {:ok, second} = SnakepitShm.open(client, "table", 4096)
      iex> {first.created, second.created, first.id == second.id}
      {true, false, true}
  """
  @spec open(Client.t(), String.t(), pos_integer(), keyword()) :: result(Region.t())
  def open(%Client{} = client, name, size, options \\ []) when is_binary(name),
    do: Regions.open(client, name, size, options)

  @doc """
  Closes a handle and releases its reference: at once, or, if binaries show the memory, when they
  were collected. Then the result is `{:deferred, count}`.
  """
  @spec close_region(Region.t()) :: :ok | {:deferred, pos_integer()} | {:error, Error.t()}
  def close_region(%Region{ref: ref, id: id}),
    do: ref |> Native.close_region() |> Error.wrap(:close, id)

  @doc """
  Withdraws a region: no program finds or maps it any more. Its memory is freed with the last
  reference. The handle is closed.
  """
  @spec deallocate(target()) :: :ok | {:error, Error.t()}
  def deallocate(target) do
    {ref, id} = address_of(target)

    with :ok <- ref |> Native.deallocate(id) |> Error.wrap(:deallocate, id) do
      _ = if is_struct(target), do: Native.close_region(target.ref)
      :ok
    end
  end

  @doc """
  Makes a region immutable: as soon as its last reference was released. A handle is closed for that.
  """
  @spec seal(target()) :: :ok | {:error, Error.t()}
  def seal(target) do
    {ref, id} = address_of(target)
    _ = if is_struct(target), do: Native.close_region(target.ref)
    ref |> Native.seal(id) |> Error.wrap(:seal, id)
  end

  @doc "The id of the region that has this name now."
  @spec resolve(Client.t(), String.t()) :: result(String.t())
  def resolve(%Client{ref: ref}, name) when is_binary(name),
    do: ref |> Native.resolve(name) |> Error.wrap(:resolve, name)

  @doc """
  What the manager knows about a region: the members of `snakepit_shm_region_info` of the C
  interface. Times are `DateTime`, `:metadata` is a map with text keys.
  """
  @spec info(target()) :: result(map())
  def info(target) do
    {ref, id} = address_of(target)
    Regions.info(ref, id)
  end

  @doc """
  Regions that this user may see, newest last. The filter is that of `snakepit-shm list`.

      iex> {:ok, client} = SnakepitShm.connect()
      iex> SnakepitShm.list(client, "size>1GiB")
      {:ok, []}
  """
  @spec list(Client.t(), String.t()) :: result([map()])
  def list(%Client{ref: ref}, filter \\ "") when is_binary(filter),
    do: Regions.list(ref, filter)

  @cleanup [
    dry_run: false,
    orphans: false,
    expired: false,
    all_eligible: false,
    no_quarantine: false,
    session: nil,
    worker: nil
  ]

  @doc """
  Removes regions that no process holds: what is due by policy, or, with `:orphans`, `:expired`,
  `:all_eligible`, more of them. `:session` and `:worker` select; `:dry_run` only counts;
  `:no_quarantine` frees at once.
  """
  @spec cleanup(Client.t(), keyword()) ::
          result(%{removed: non_neg_integer(), bytes_freed: non_neg_integer()})
  def cleanup(%Client{ref: ref}, options \\ []) do
    chosen = Keyword.validate!(options, @cleanup)
    native = @cleanup |> Keyword.keys() |> Enum.map(&chosen[&1]) |> List.to_tuple()
    ref |> Native.cleanup(native) |> Error.wrap(:cleanup, nil)
  end

  # -------------------------------------------------------------------------------- bytes

  @doc "Copies bytes out of a region: all, or `size` of them from `offset`."
  @spec read(Region.t(), non_neg_integer(), non_neg_integer() | nil) :: result(binary())
  def read(%Region{} = region, offset \\ 0, size \\ nil), do: bytes(:read, region, offset, size)

  @doc "Copies bytes into a region that is mapped writable."
  @spec write(Region.t(), non_neg_integer(), iodata()) :: :ok | {:error, Error.t()}
  def write(%Region{ref: ref, id: id}, offset, data) when is_position(offset) do
    data = if is_binary(data), do: data, else: IO.iodata_to_binary(data)
    ref |> Native.write(offset, data) |> Error.wrap(:write, id)
  end

  @doc """
  A binary that is the memory of a region, or of `size` bytes from `offset`, without a copy. The region
  has to be sealed, or locked for reading by the calling process.

      iex> {:ok, client} = SnakepitShm.connect()
      iex> {:ok, region} = SnakepitShm.allocate(client, 4096)
      iex> {:error, error} = SnakepitShm.view(region)
      iex> error.code
      :not_immutable
      iex> SnakepitShm.with_lock(region, :read, fn _lock ->
      ...>   {:ok, view} = SnakepitShm.view(region)
      ...>   byte_size(view)
      ...> end)
      {:ok, 4096}
  """
  @spec view(Region.t(), non_neg_integer(), non_neg_integer() | nil) :: result(binary())
  def view(%Region{} = region, offset \\ 0, size \\ nil), do: bytes(:view, region, offset, size)

  @doc "As `view/3`, of any region: **the binary changes when any program writes to the region**."
  @spec unsafe_view(Region.t(), non_neg_integer(), non_neg_integer() | nil) :: result(binary())
  def unsafe_view(%Region{} = region, offset \\ 0, size \\ nil),
    do: bytes(:unsafe_view, region, offset, size)

  defp bytes(operation, %Region{} = region, offset, size)
       when is_position(offset) and (is_nil(size) or is_position(size)) do
    size = size || max(region.size - offset, 0)

    case operation do
      :read -> Native.read(region.ref, offset, size)
      :view -> Native.view(region.ref, offset, size)
      :unsafe_view -> Native.unsafe_view(region.ref, offset, size)
    end
    |> Error.wrap(operation, region.id)
  end

  @doc "Where the region is mapped in this program, for other native libraries."
  @spec address(Region.t()) :: result(pos_integer())
  def address(%Region{ref: ref, id: id}) do
    case Native.region_state(ref) do
      {:ok, address, _views} -> {:ok, address}
      error -> Error.wrap(error, :address, id)
    end
  end

  @doc "How many binaries show memory of this handle."
  @spec view_count(Region.t()) :: result(non_neg_integer())
  def view_count(%Region{ref: ref, id: id}) do
    case Native.region_state(ref) do
      {:ok, _address, views} -> {:ok, views}
      error -> Error.wrap(error, :view_count, id)
    end
  end

  @doc "Writes what native code changed in an encrypted mapping to the region."
  @spec flush(Region.t()) :: :ok | {:error, Error.t()}
  def flush(%Region{ref: ref, id: id}), do: ref |> Native.flush() |> Error.wrap(:flush, id)

  @doc "Updates an encrypted mapping, and binaries that show it, with what others wrote."
  @spec refresh(Region.t()) :: :ok | {:error, Error.t()}
  def refresh(%Region{ref: ref, id: id}), do: ref |> Native.refresh() |> Error.wrap(:refresh, id)

  @doc "Encrypts an encrypted region again with a new key."
  @spec rotate_key(target()) :: :ok | {:error, Error.t()}
  def rotate_key(target) do
    {ref, id} = address_of(target)
    ref |> Native.rotate_key(id) |> Error.wrap(:rotate_key, id)
  end

  # ------------------------------------------------------------------------------ waiting

  @doc """
  Locks a region for the calling process: `:write` exclusively, `:read` shared with other readers.

  The timeout is the longest that the call takes, also without a manager: then the code is
  `:no_manager`. Fair across all programs, with detection of deadlocks. The same process may lock again, one level
  deeper. Released by `unlock/1`, and when the process ends. Errors have the code `:timeout` or
  `:deadlock`.
  """
  @spec lock(target(), Lock.mode(), timeout()) :: result(Lock.t())
  def lock(target, mode \\ :write, timeout \\ 5000)
      when mode in [:read, :write] and (timeout == :infinity or is_position(timeout)) do
    {client, id} = client_of(target)
    Waiting.lock(client, id, mode, timeout)
  end

  @doc """
  Releases a lock: at once, or, if binaries were made under it with `view/1`, when they were collected.
  Then the result is `{:deferred, count}`.
  """
  @spec unlock(Lock.t()) :: :ok | {:deferred, pos_integer()} | {:error, Error.t()}
  def unlock(%Lock{ref: ref, region_id: id}),
    do: ref |> Native.unlock() |> Error.wrap(:unlock, id)

  @doc """
  Runs a function, which gets the lock, while the calling process has the lock.

      iex> {:ok, client} = SnakepitShm.connect()
      iex> {:ok, region} = SnakepitShm.allocate(client, 8)
      iex> SnakepitShm.with_lock(region, :write, fn lock ->
      ...>   :ok = SnakepitShm.write(region, 0, <<1::64-native>>)
      ...>   lock.inconsistent
      ...> end)
      {:ok, false}
  """
  @spec with_lock(target(), Lock.mode(), timeout(), (Lock.t() -> value)) :: result(value)
        when value: var
  def with_lock(target, mode \\ :write, timeout \\ 5000, fun) when is_function(fun, 1) do
    with {:ok, lock} <- lock(target, mode, timeout) do
      try do
        {:ok, fun.(lock)}
      after
        unlock(lock)
      end
    end
  end

  @doc """
  Adds 1 to the region's counter, which wakes all who wait for it.

      iex> {:ok, client} = SnakepitShm.connect()
      iex> {:ok, region} = SnakepitShm.allocate(client, 8)
      iex> {:ok, before} = SnakepitShm.counter(region)
      iex> :ok = SnakepitShm.notify(region)
      iex> SnakepitShm.wait(region, before, 1000)
      {:ok, before + 1}
  """
  @spec notify(target()) :: :ok | {:error, Error.t()}
  def notify(target) do
    {ref, id} = address_of(target)
    ref |> Native.notify(id) |> Error.wrap(:notify, id)
  end

  @doc "The region's counter."
  @spec counter(target()) :: result(non_neg_integer())
  def counter(target) do
    {client, id} = client_of(target)
    Waiting.counter(client, id)
  end

  @doc """
  Waits until the region's counter is not `since` any more, and returns it. The error's code is
  `:timeout` when it still is.
  """
  @spec wait(target(), non_neg_integer(), timeout()) :: result(non_neg_integer())
  def wait(target, since, timeout \\ 5000)
      when is_position(since) and (timeout == :infinity or is_position(timeout)) do
    {client, id} = client_of(target)
    Waiting.wait(client, id, since, timeout)
  end

  defp client_of(%Region{client: client, id: id}), do: {client, id}
  defp client_of({%Client{} = client, id}) when is_binary(id), do: {client, id}

  defp address_of(target) do
    {%Client{ref: ref}, id} = client_of(target)
    {ref, id}
  end
end
