# SPDX-License-Identifier: MIT
defmodule SnakepitShm.Native do
  @moduledoc false
  # The functions of the native library, in native/*.cpp. Errors are {:error, code, type, sentence}.

  @on_load :load

  def load do
    path = :filename.join(:code.priv_dir(:snakepit_shm), ~c"snakepit_shm_nif")
    :erlang.load_nif(path, 0)
  end

  @type client :: reference()
  @type region :: reference()
  @type watch :: reference()
  @type error :: {:error, atom(), atom(), String.t()}
  @type outcome :: {:granted, boolean()} | {:ok, non_neg_integer()} | error()

  @spec connect(String.t() | nil, non_neg_integer()) :: {:ok, client()} | error()
  def connect(_instance, _wait), do: :erlang.nif_error(:not_loaded)
  @spec close(client()) :: :ok
  def close(_client), do: :erlang.nif_error(:not_loaded)
  @spec select(client()) :: :ok | error()
  def select(_client), do: :erlang.nif_error(:not_loaded)
  @spec take_events(client()) :: :ok | error()
  def take_events(_client), do: :erlang.nif_error(:not_loaded)

  @spec allocate(client(), pos_integer(), tuple(), boolean()) :: {:ok, String.t()} | error()
  def allocate(_client, _size, _options, _watched), do: :erlang.nif_error(:not_loaded)
  @spec deallocate(client(), String.t()) :: :ok | error()
  def deallocate(_client, _id), do: :erlang.nif_error(:not_loaded)
  @spec seal(client(), String.t()) :: :ok | error()
  def seal(_client, _id), do: :erlang.nif_error(:not_loaded)
  @spec rotate_key(client(), String.t()) :: :ok | error()
  def rotate_key(_client, _id), do: :erlang.nif_error(:not_loaded)
  @spec resolve(client(), String.t()) :: {:ok, String.t()} | error()
  def resolve(_client, _name), do: :erlang.nif_error(:not_loaded)
  @spec info(client(), String.t()) :: {:ok, map()} | error()
  def info(_client, _id), do: :erlang.nif_error(:not_loaded)
  @spec list(client(), String.t()) :: {:ok, [map()]} | error()
  def list(_client, _filter), do: :erlang.nif_error(:not_loaded)
  @spec cleanup(client(), tuple()) :: {:ok, map()} | error()
  def cleanup(_client, _options), do: :erlang.nif_error(:not_loaded)
  @spec announce(client(), String.t() | nil, String.t() | nil, String.t() | nil) :: :ok | error()
  def announce(_client, _worker, _pool, _session), do: :erlang.nif_error(:not_loaded)
  @spec stats(client()) :: map()
  def stats(_client), do: :erlang.nif_error(:not_loaded)
  @spec version() :: String.t()
  def version, do: :erlang.nif_error(:not_loaded)
  @spec codes() :: [{atom(), atom()}]
  def codes, do: :erlang.nif_error(:not_loaded)

  @spec map(client(), String.t(), boolean()) ::
          {:ok, region(), String.t(), pos_integer()} | error()
  def map(_client, _id, _write), do: :erlang.nif_error(:not_loaded)

  @spec open(client(), String.t(), pos_integer(), tuple(), boolean()) ::
          {:ok, region(), String.t(), pos_integer(), boolean()} | error()
  def open(_client, _name, _size, _options, _write), do: :erlang.nif_error(:not_loaded)
  @spec close_region(region()) :: :ok | {:deferred, non_neg_integer()} | error()
  def close_region(_region), do: :erlang.nif_error(:not_loaded)
  @spec read(region(), non_neg_integer(), non_neg_integer()) :: {:ok, binary()} | error()
  def read(_region, _offset, _size), do: :erlang.nif_error(:not_loaded)
  @spec write(region(), non_neg_integer(), binary()) :: :ok | error()
  def write(_region, _offset, _data), do: :erlang.nif_error(:not_loaded)
  @spec view(region(), non_neg_integer(), non_neg_integer()) :: {:ok, binary()} | error()
  def view(_region, _offset, _size), do: :erlang.nif_error(:not_loaded)
  @spec unsafe_view(region(), non_neg_integer(), non_neg_integer()) :: {:ok, binary()} | error()
  def unsafe_view(_region, _offset, _size), do: :erlang.nif_error(:not_loaded)
  @spec flush(region()) :: :ok | error()
  def flush(_region), do: :erlang.nif_error(:not_loaded)
  @spec refresh(region()) :: :ok | error()
  def refresh(_region), do: :erlang.nif_error(:not_loaded)
  @spec region_state(region()) :: {:ok, non_neg_integer(), non_neg_integer()} | error()
  def region_state(_region), do: :erlang.nif_error(:not_loaded)
  @spec binary_address(binary()) :: non_neg_integer()
  def binary_address(_binary), do: :erlang.nif_error(:not_loaded)

  @spec lock(client(), String.t(), boolean(), reference(), boolean()) ::
          {:done, watch(), outcome()} | {:waiting, watch()} | error()
  def lock(_client, _id, _write, _tag, _queue), do: :erlang.nif_error(:not_loaded)
  @spec unlock(watch()) :: :ok | {:deferred, pos_integer()} | error()
  def unlock(_lock), do: :erlang.nif_error(:not_loaded)
  @spec cancel(watch()) :: :ok
  def cancel(_watch), do: :erlang.nif_error(:not_loaded)
  @spec notify(client(), String.t()) :: :ok | error()
  def notify(_client, _id), do: :erlang.nif_error(:not_loaded)

  @spec counter(client(), String.t(), non_neg_integer()) ::
          {:ok, non_neg_integer()} | :unchanged | error()
  def counter(_client, _id, _since), do: :erlang.nif_error(:not_loaded)

  @spec wait(client(), String.t(), non_neg_integer(), reference()) ::
          {:done, watch(), outcome()} | {:waiting, watch()} | error()
  def wait(_client, _id, _since, _tag), do: :erlang.nif_error(:not_loaded)

  @type ring :: reference()

  @spec ring_create(client(), String.t() | nil, tuple(), tuple(), boolean()) ::
          {:ok, ring(), String.t(), pos_integer()} | error()
  def ring_create(_client, _name, _options, _geometry, _produce),
    do: :erlang.nif_error(:not_loaded)

  @spec ring_open(client(), String.t(), boolean()) ::
          {:ok, ring(), String.t(), pos_integer()} | error()
  def ring_open(_client, _id, _produce), do: :erlang.nif_error(:not_loaded)
  @spec ring_close(ring()) :: :ok
  def ring_close(_ring), do: :erlang.nif_error(:not_loaded)
  @spec ring_push(ring(), binary()) :: :ok | error()
  def ring_push(_ring, _frame), do: :erlang.nif_error(:not_loaded)

  @spec ring_pop(ring()) ::
          {:ok, binary(), non_neg_integer(), non_neg_integer(), pos_integer()} | error()
  def ring_pop(_ring), do: :erlang.nif_error(:not_loaded)
  @spec ring_check(ring()) :: :ok | error()
  def ring_check(_ring), do: :erlang.nif_error(:not_loaded)

  @spec ring_wait(ring(), reference()) ::
          {:done, watch(), outcome()} | {:waiting, watch()} | error()
  def ring_wait(_ring, _tag), do: :erlang.nif_error(:not_loaded)
  @spec ring_info(ring()) :: {:ok, map()} | error()
  def ring_info(_ring), do: :erlang.nif_error(:not_loaded)
end
