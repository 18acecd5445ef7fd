# SPDX-License-Identifier: MIT
defmodule SnakepitShm.Regions do
  @moduledoc false
  # What SnakepitShm does to find, allocate and map regions; it has the documentation.

  alias SnakepitShm.{Client, Error, JSON, Native, Options, Region}

  @spec allocate(Client.t(), term(), Options.t()) :: {:ok, Region.t()} | {:error, Error.t()}
  def allocate(%Client{} = client, size, options) do
    with {:ok, id} <- allocate_unmapped(client, size, options) do
      with {:error, error} <- map(client, id, access: :read_write) do
        _ = Native.deallocate(client.ref, id)
        {:error, error}
      end
    end
  end

  @spec allocate_unmapped(Client.t(), term(), Options.t()) ::
          {:ok, String.t()} | {:error, Error.t()}
  def allocate_unmapped(%Client{ref: ref}, size, options) do
    with :ok <- check_size(:allocate, size),
         {:ok, native, watched} <- Options.to_native(options) do
      ref |> Native.allocate(size, native, watched) |> Error.wrap(:allocate, nil)
    end
  end

  defp check_size(_operation, size) when is_integer(size) and size in 1..0xFFFFFFFFFFFFFFFF,
    do: :ok

  defp check_size(operation, size) do
    message = "the size is #{inspect(size)}: expected a positive number of bytes"
    Error.new(:invalid_size, :invalid_argument, message, operation)
  end

  @spec map(Client.t(), String.t(), keyword()) :: {:ok, Region.t()} | {:error, Error.t()}
  def map(%Client{ref: ref} = client, id, options) do
    with {:ok, access} <- access(:map, options, :read_only),
         :ok <- Options.text(:id, id) do
      case Native.map(ref, id, access == :read_write) do
        {:ok, handle, id, size} ->
          {:ok, %Region{ref: handle, client: client, id: id, size: size, access: access}}

        error ->
          Error.wrap(error, :map, id)
      end
    end
  end

  @spec open(Client.t(), String.t(), term(), keyword()) :: {:ok, Region.t()} | {:error, Error.t()}
  def open(%Client{ref: ref} = client, name, size, options) do
    with {:ok, access} <- access(:open, Keyword.take(options, [:access]), :read_write),
         :ok <- check_size(:open, size),
         :ok <- Options.text(:name, name),
         {:ok, native, _watched} <- Options.to_native(Keyword.delete(options, :access)) do
      case Native.open(ref, name, size, native, access == :read_write) do
        {:ok, handle, id, size, created} ->
          region = %Region{ref: handle, client: client, id: id, size: size, access: access}
          {:ok, %{region | created: created}}

        error ->
          Error.wrap(error, :open, name)
      end
    end
  end

  defp access(operation, options, default) do
    case Keyword.validate!(options, access: default)[:access] do
      access when access in [:read_only, :read_write] ->
        {:ok, access}

      other ->
        message = "access is #{inspect(other)}: choose :read_only or :read_write"
        Error.invalid(operation, message)
    end
  end

  @spec info(Native.client(), String.t()) :: {:ok, map()} | {:error, Error.t()}
  def info(ref, id) do
    case Native.info(ref, id) do
      {:ok, info} -> {:ok, from_native(info)}
      error -> Error.wrap(error, :info, id)
    end
  end

  @spec list(Native.client(), String.t()) :: {:ok, [map()]} | {:error, Error.t()}
  def list(ref, filter) do
    case Native.list(ref, filter) do
      {:ok, found} -> {:ok, Enum.map(found, &from_native/1)}
      error -> Error.wrap(error, :list, nil)
    end
  end

  # Facts about a region, in Elixir's types.
  defp from_native(info) do
    {permissions, info} = Map.split(info, [:owner, :group, :other])

    info
    |> Map.put(:permissions, permissions)
    |> Map.update!(:created_at, &time/1)
    |> Map.update!(:last_accessed, &time/1)
    |> Map.update!(:quarantined_until, &if(&1 == 0, do: nil, else: time(&1)))
    |> Map.update!(:metadata, &metadata/1)
  end

  defp time(microseconds), do: DateTime.from_unix!(microseconds, :microsecond)

  defp metadata(""), do: %{}

  defp metadata(text) do
    case JSON.decode(text) do
      {:ok, metadata} -> metadata
      {:error, _message} -> %{}
    end
  end
end
