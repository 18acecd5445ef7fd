# SPDX-License-Identifier: MIT
defmodule SnakepitShm.Options do
  @moduledoc """
  Options of `SnakepitShm.allocate/3` and `SnakepitShm.open/4`.

    * `:name` - a name that other programs can use instead of the id
    * `:metadata` - a map that becomes a JSON object of at most 1,000 bytes. With `"dtype"` and
      `"shape"` the Python package makes a numpy array of it: `region.array()`
    * `:timeout` - milliseconds without use after which the region is freed; `:infinity`: never
    * `:security_level` - `:standard`, `:high` (encrypted) or `:maximum`
    * `:access_mode` - the most that other clients may map it with: `:read_only`, `:read_write`
    * `:cleanup_policy` - `:automatic`, `:manual` or `:reference_counted`
    * `:owner_end` - `:default`, `:keep`, `:grace` or `:withdraw`
    * `:placement` - `:automatic`, `:pooled` or `:dedicated`
    * `:permissions` - a map with `:owner`, `:group`, `:other`, each `:read_write`, `:read_only` or
      `:none`
    * `:owned_by_user`, `:durable`, `:exact_permissions`, `:audit_access` - booleans

  The manual's page *Life of a region* says when a region is freed.
  """
  alias SnakepitShm.{Error, JSON}

  @type t :: keyword() | map()

  @choices [
    security_level: [nil, :standard, :high, :maximum],
    access_mode: [:read_only, :read_write],
    cleanup_policy: [:automatic, :manual, :reference_counted],
    owner_end: [:default, :keep, :grace, :withdraw],
    placement: [:automatic, :pooled, :dedicated],
    owned_by_user: [false, true],
    durable: [false, true],
    exact_permissions: [false, true],
    audit_access: [false, true]
  ]
  @defaults %{
    name: nil,
    metadata: nil,
    timeout: nil,
    permissions: %{},
    security_level: nil,
    access_mode: :read_write,
    cleanup_policy: :automatic,
    owner_end: :default,
    placement: :automatic,
    owned_by_user: false,
    durable: false,
    exact_permissions: false,
    audit_access: false
  }
  @permission_defaults %{owner: :read_write, group: :none, other: :none}

  @doc false
  @spec to_native(t()) :: {:ok, tuple(), boolean()} | {:error, Error.t()}
  def to_native(options) do
    with {:ok, given} <- as_map(options),
         :ok <- known(given, @defaults, "option"),
         values = Map.merge(@defaults, given),
         :ok <- chosen(values),
         :ok <- text(:name, values.name),
         {:ok, metadata} <- metadata(values.metadata),
         {:ok, timeout} <- timeout(values.timeout),
         {:ok, permissions} <- permissions(values.permissions) do
      native =
        {timeout, values.security_level, values.access_mode, values.cleanup_policy,
         values.placement, permissions.owner, permissions.group, permissions.other, metadata,
         values.owned_by_user, values.durable, values.exact_permissions, values.name,
         values.owner_end, values.audit_access}

      {:ok, native, ends_with_process?(values)}
    end
  end

  # Whether the end of the Elixir process that allocates means the end of the region.
  defp ends_with_process?(values) do
    values.cleanup_policy != :manual and values.owner_end != :keep and
      not values.owned_by_user and not values.durable
  end

  defp as_map(options) when is_map(options), do: {:ok, options}

  defp as_map(options) do
    if Keyword.keyword?(options),
      do: {:ok, Map.new(options)},
      else: invalid("the options are #{inspect(options)}: expected a keyword list or a map")
  end

  defp known(given, defaults, what) do
    case Map.keys(given) -- Map.keys(defaults) do
      [] -> :ok
      [key | _] -> invalid("unknown #{what} #{inspect(key)}: choose one of #{list(defaults)}")
    end
  end

  defp list(defaults), do: defaults |> Map.keys() |> Enum.map_join(", ", &inspect/1)

  defp chosen(values) do
    Enum.find_value(@choices, :ok, fn {key, choices} ->
      value = Map.fetch!(values, key)

      unless value in choices do
        invalid("#{key} is #{inspect(value)}: choose one of #{inspect(choices)}")
      end
    end)
  end

  @doc false
  @spec text(atom(), term()) :: :ok | {:error, Error.t()}
  def text(_what, nil), do: :ok

  def text(what, value) do
    if is_binary(value) and String.valid?(value) and not String.contains?(value, <<0>>),
      do: :ok,
      else: invalid("#{what} is #{inspect(value)}: expected text without zero bytes")
  end

  defp metadata(nil), do: {:ok, nil}

  defp metadata(value) when is_map(value) do
    case JSON.encode(value) do
      {:ok, text} -> {:ok, text}
      {:error, message} -> invalid("the metadata cannot be written as JSON: #{message}")
    end
  end

  defp metadata(value), do: invalid("metadata is #{inspect(value)}: expected a map")

  defp timeout(nil), do: {:ok, -1}
  defp timeout(:infinity), do: {:ok, 0}
  defp timeout(value) when is_integer(value) and value in 0..0x7FFFFFFFFFFFFFFF, do: {:ok, value}
  defp timeout(value), do: invalid("timeout is #{inspect(value)}: expected milliseconds")

  defp permissions(given) when is_map(given) and not is_struct(given) do
    permissions = Map.merge(@permission_defaults, given)

    with :ok <- known(given, @permission_defaults, "permission") do
      bad = fn {_who, what} -> what not in [:read_write, :read_only, :none] end

      case Enum.find(permissions, bad) do
        nil -> {:ok, permissions}
        {who, what} -> invalid("the permission of #{who} is #{inspect(what)}: " <> rights())
      end
    end
  end

  defp permissions(value), do: invalid("permissions are #{inspect(value)}: expected a map")
  defp rights, do: "choose :read_write, :read_only or :none"

  defp invalid(message), do: Error.invalid(:allocate, message)
end
