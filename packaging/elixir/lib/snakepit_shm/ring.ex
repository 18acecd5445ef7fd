# SPDX-License-Identifier: MIT
defmodule SnakepitShm.Ring do
  @moduledoc """
  Rings of frames: one producer, many consumers, a fixed number of slots of one size.

      iex> {:ok, client} = SnakepitShm.connect()
      iex> {:ok, camera} = SnakepitShm.Ring.produce(client, slot_size: 100)
      iex> {:ok, viewer} = SnakepitShm.Ring.open(client, camera.region_id, :consumer)
      iex> :ok = SnakepitShm.Ring.write(camera, "a frame")
      iex> {:ok, frame} = SnakepitShm.Ring.read(viewer)
      iex> {frame.data, frame.number, frame.lost}
      {"a frame", 0, 0}

  Programs in C, C++ and Python take part in the same ring; the manual's page *Rings* has the
  policies and what happens when a program dies. Frames are copied.

  A part in a ring belongs to the process that opened it. When this process ends, however it ends, the
  part is closed: consumers of a producer are told `:ring_closed`. When the virtual machine is killed,
  they are told `:producer_gone`. One process uses a part at a time. Waiting takes no thread.
  """
  alias SnakepitShm.{Client, Error, Native, Options, Waiting}

  defmodule Frame do
    @moduledoc """
    A frame that was read: a copy of its bytes.

    `:number`: frames are counted from 0, over all producers. `:lost`: frames just before it that this
    consumer lost. `:producer`: which one wrote it; the ring's producers are counted from 1.
    """
    @type t :: %__MODULE__{
            data: binary(),
            number: non_neg_integer(),
            lost: non_neg_integer(),
            producer: pos_integer()
          }
    @enforce_keys [:data, :number, :lost, :producer]
    defstruct [:data, :number, :lost, :producer]
  end

  @type role :: :producer | :consumer
  @type t :: %__MODULE__{
          ref: reference(),
          client: Client.t(),
          region_id: String.t(),
          slot_size: pos_integer(),
          role: role()
        }
  @enforce_keys [:ref, :client, :region_id, :slot_size, :role]
  defstruct [:ref, :client, :region_id, :slot_size, :role]

  # How long a process waits for an event before it asks whether the other side lives.
  @check_ms 250
  # Between two attempts to take a role that another program has.
  @retry_ms 50
  @geometry [slot_size: 4096, slots: 16, max_consumers: 16, policy: :overwrite]

  @doc """
  Creates a ring and becomes its producer; or joins the ring of this name, if there is one with the
  same options.

  ## Options

    * `:name` - others can open the ring by it; without one, by its `region_id`
    * `:slot_size` - bytes of the largest frame (4096)
    * `:slots` - 2 to 1,048,576 (16)
    * `:max_consumers` - at the same time, 1 to 64 (16)
    * `:policy` - `:overwrite`: a consumer that is too slow loses frames; `:back_pressure`: the producer
      waits for it
    * `:timeout` - milliseconds that it waits for the role, or `:infinity` (0)
    * others are those of the region: `SnakepitShm.Options`
  """
  @spec produce(Client.t(), keyword()) :: {:ok, t()} | {:error, Error.t()}
  def produce(%Client{} = client, options \\ []), do: create(client, :producer, options)

  @doc "As `produce/2`, but becomes a consumer: it reads what is published from now on."
  @spec consume(Client.t(), keyword()) :: {:ok, t()} | {:error, Error.t()}
  def consume(%Client{} = client, options \\ []), do: create(client, :consumer, options)

  @doc """
  Takes a role in a ring that exists, by its region's id or name.

  With a `timeout`, a producer stands by until the last one has ended.
  """
  @spec open(Client.t(), String.t(), role(), timeout()) :: {:ok, t()} | {:error, Error.t()}
  def open(%Client{} = client, id, role, timeout \\ 0)
      when is_binary(id) and role in [:producer, :consumer] do
    take_role(client, role, timeout, fn ->
      Native.ring_open(client.ref, id, role == :producer)
    end)
  end

  @doc """
  Publishes a frame.

  With `:back_pressure` it waits for a free slot, for at most `timeout` milliseconds:
  `{:error, %SnakepitShm.Error{code: :timeout}}` then, and nothing was published.
  """
  @spec write(t(), binary(), timeout()) :: :ok | {:error, Error.t()}
  def write(%__MODULE__{} = ring, frame, timeout \\ :infinity) when is_binary(frame) do
    until(ring, :write, timeout, fn -> Native.ring_push(ring.ref, frame) end)
  end

  @doc """
  Reads the next frame; waits for one for at most `timeout` milliseconds.

  `{:error, error}` with the code `:ring_closed` when the producer has closed the ring, and
  `:producer_gone` when it died, once and after its last frame: read on to wait for the next producer.
  """
  @spec read(t(), timeout()) :: {:ok, Frame.t()} | {:error, Error.t()}
  def read(%__MODULE__{} = ring, timeout \\ :infinity) do
    with {:ok, data, number, lost, producer} <-
           until(ring, :read, timeout, fn -> Native.ring_pop(ring.ref) end) do
      {:ok, %Frame{data: data, number: number, lost: lost, producer: producer}}
    end
  end

  @doc """
  The frames of a consumer as a stream, which ends when the producer closes the ring. Any other error
  is raised.

      iex> {:ok, client} = SnakepitShm.connect()
      iex> {:ok, from} = SnakepitShm.Ring.produce(client, policy: :back_pressure)
      iex> {:ok, to} = SnakepitShm.Ring.open(client, from.region_id, :consumer)
      iex> for text <- ["a", "b"], do: :ok = SnakepitShm.Ring.write(from, text)
      iex> SnakepitShm.Ring.close(from)
      iex> to |> SnakepitShm.Ring.stream() |> Enum.map(& &1.data)
      ["a", "b"]
  """
  @spec stream(t()) :: Enumerable.t()
  def stream(%__MODULE__{role: :consumer} = ring) do
    Stream.repeatedly(fn -> read(ring) end)
    |> Stream.transform(nil, fn
      {:ok, frame}, state -> {[frame], state}
      {:error, %Error{code: :ring_closed}}, state -> {:halt, state}
      {:error, error}, _state -> raise error
    end)
  end

  @doc """
  Asks the manager whether the other side lives; for programs that read or write with timeout 0 only.
  A consumer is told the end of its producer; a producer drops consumers that died.
  """
  @spec check(t()) :: :ok | {:error, Error.t()}
  def check(%__MODULE__{} = ring) do
    ring.ref |> Native.ring_check() |> Error.wrap(:check, ring.region_id)
  end

  @doc """
  Describes the ring: `:id`, `:slot_size`, `:slots`, `:max_consumers`, `:policy`, `:role`, `:published`
  (frames so far), `:position` (the next frame of this part), `:behind` (frames that the slowest
  consumer has still to read), `:consumers`, `:producers` (so far) and `:closed`. Asks no manager.
  """
  @spec info(t()) :: {:ok, map()} | {:error, Error.t()}
  def info(%__MODULE__{} = ring) do
    ring.ref |> Native.ring_info() |> Error.wrap(:info, ring.region_id)
  end

  @doc "Leaves the ring. A producer closes it, which consumers are told behind its last frame."
  @spec close(t()) :: :ok
  def close(%__MODULE__{ref: ref}), do: Native.ring_close(ref)

  # ------------------------------------------------------------------------------ roles

  defp create(client, role, options) do
    {timeout, options} = options |> Map.new() |> Map.pop(:timeout, 0)
    {name, options} = Map.pop(options, :name)
    {ring, region} = Map.split(options, Keyword.keys(@geometry))

    with {:ok, geometry} <- geometry(Map.merge(Map.new(@geometry), ring)),
         :ok <- Options.text(:name, name),
         {:ok, native, _ends} <- Options.to_native(region) do
      take_role(client, role, timeout, fn ->
        Native.ring_create(client.ref, name, native, geometry, role == :producer)
      end)
    end
  end

  defp geometry(%{slot_size: size, slots: slots, max_consumers: consumers, policy: policy}) do
    cond do
      not (is_integer(size) and size in 1..0x80000000) ->
        Error.invalid(:ring, "slot_size is #{inspect(size)}: expected 1 byte to 2 GiB")

      not (is_integer(slots) and slots in 2..0x100000) ->
        Error.invalid(:ring, "slots is #{inspect(slots)}: expected 2 to 1,048,576")

      not (is_integer(consumers) and consumers in 1..64) ->
        Error.invalid(:ring, "max_consumers is #{inspect(consumers)}: expected 1 to 64")

      policy not in [:overwrite, :back_pressure] ->
        Error.invalid(:ring, "policy is #{inspect(policy)}: choose :overwrite or :back_pressure")

      true ->
        {:ok, {size, slots, consumers, policy == :back_pressure}}
    end
  end

  # The native call does not wait; another program may have the role for long.
  defp take_role(client, role, timeout, fun, start \\ now()) do
    case fun.() do
      {:ok, ref, id, slot_size} ->
        {:ok,
         %__MODULE__{ref: ref, client: client, region_id: id, slot_size: slot_size, role: role}}

      {:error, code, _type, _message} = error when code in [:timeout, :reference_limit] ->
        if left(timeout, start) == 0 do
          Error.wrap(error, :ring, nil)
        else
          Process.sleep(@retry_ms)
          take_role(client, role, timeout, fun, start)
        end

      error ->
        Error.wrap(error, :ring, nil)
    end
  end

  # ---------------------------------------------------------------------------- waiting

  defp until(ring, operation, timeout, fun, start \\ now()) do
    case fun.() do
      {:error, :timeout, _type, _message} = error ->
        case left(timeout, start) do
          0 ->
            Error.wrap(error, operation, ring.region_id)

          left ->
            with :ok <- wait(ring, operation, min(left, @check_ms)),
                 do: until(ring, operation, timeout, fun, start)
        end

      result ->
        Error.wrap(result, operation, ring.region_id)
    end
  end

  # Without a manager nobody is taken for dead, and events do not come: it is polled.
  defp wait(ring, operation, timeout) do
    tag = make_ref()

    outcome =
      case Native.ring_wait(ring.ref, tag) do
        {:done, _watch, outcome} -> outcome
        {:waiting, watch} -> Waiting.outcome(ring.client, watch, tag, timeout)
        error -> error
      end

    case outcome do
      {:ok, _counter} ->
        :ok

      :timeout ->
        ring.ref |> Native.ring_check() |> unless_silent(ring, operation)

      {:error, _code, _type, _message} = error ->
        with :ok <- unless_silent(error, ring, operation), do: Process.sleep(@retry_ms)
    end
  end

  defp unless_silent({:error, code, _, _}, _ring, _operation)
       when code in [:no_manager, :timeout],
       do: :ok

  defp unless_silent(result, ring, operation), do: Error.wrap(result, operation, ring.region_id)

  defp left(:infinity, _start), do: @check_ms
  defp left(timeout, start), do: max(timeout - (now() - start), 0)

  defp now, do: System.monotonic_time(:millisecond)
end
