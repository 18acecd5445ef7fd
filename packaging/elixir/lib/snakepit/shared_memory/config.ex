# SPDX-License-Identifier: MIT
defmodule Snakepit.SharedMemory.Config do
  @moduledoc """
  The configuration of `Snakepit.SharedMemory.Manager`:

      config :snakepit, :shared_memory,
        max_regions: 1000,
        max_region_size: 1_073_741_824,
        default_timeout: 300_000,
        security_level: :standard

  Applied here, to what this node allocates through the Manager: `:enabled`, `:max_regions`,
  `:max_region_size`, `:max_total_memory`, `:max_regions_per_process` (Elixir processes),
  `:default_timeout`, `:security_level`, `:audit_access`, `:telemetry_enabled`. `:instance` and
  `:wait_for_manager` are those of `SnakepitShm.connect/1`. Limits of the manager apply, too.

  All other keys are decided by the manager of the host, for all its programs: set them in its
  `config.toml`, under `[shared_memory]`. They are checked here, and a warning names those that were
  given.
  """
  @defaults %{
    enabled: true,
    max_regions: 1000,
    max_region_size: 1_073_741_824,
    max_total_memory: 10_737_418_240,
    max_regions_per_process: 100,
    default_timeout: nil,
    security_level: nil,
    audit_access: false,
    telemetry_enabled: true,
    instance: nil,
    wait_for_manager: 10_000
  }

  @booleans [
    :enabled,
    :audit_access,
    :telemetry_enabled,
    :enable_defragmentation,
    :encryption_enabled,
    :secure_cleanup,
    :performance_monitoring
  ]
  @positive [:max_regions, :max_region_size, :max_total_memory, :max_regions_per_process]
  @durations [:cleanup_interval, :default_timeout, :health_check_interval, :wait_for_manager]
  @security [:standard, :high, :maximum]
  @strategies [:best_fit, :first_fit, :worst_fit]

  @managers [
    :cleanup_interval,
    :allocation_strategy,
    :enable_defragmentation,
    :encryption_enabled,
    :secure_cleanup,
    :platform_options,
    :performance_monitoring,
    :health_check_interval
  ]

  @type t :: %{atom() => term()}

  @doc """
  Checks a configuration and adds the defaults. Also returns the keys that only the manager decides.

      iex> {:ok, config, []} = Snakepit.SharedMemory.Config.check(max_regions: 10)
      iex> config.max_regions
      10
      iex> {:ok, _config, keys} = Snakepit.SharedMemory.Config.check(cleanup_interval: 30_000)
      iex> keys
      [:cleanup_interval]
      iex> Snakepit.SharedMemory.Config.check(max_region: 10)
      {:error, "unknown key :max_region in the configuration of shared memory: did you mean :max_regions?"}
  """
  @spec check(keyword() | map()) :: {:ok, t(), [atom()]} | {:error, String.t()}
  def check(given) do
    given = Map.new(given)

    case Enum.find_value(given, &problem/1) do
      nil -> {:ok, Map.merge(@defaults, Map.drop(given, @managers)), managers(given)}
      problem -> {:error, problem}
    end
  end

  @doc "The configuration of the application's environment, with options over it."
  @spec load(keyword()) :: {:ok, t(), [atom()]} | {:error, String.t()}
  def load(options \\ []) do
    :snakepit
    |> Application.get_env(:shared_memory, [])
    |> Map.new()
    |> Map.merge(Map.new(options))
    |> check()
  end

  @doc "The sentence that names keys which only the manager decides."
  @spec warning([atom(), ...]) :: String.t()
  def warning(keys) do
    "the configuration of shared memory has " <>
      Enum.map_join(keys, ", ", &inspect/1) <>
      ": only the host's manager decides that; set it under [shared_memory] in its config.toml " <>
      "('snakepit-shm config show' prints what it uses)"
  end

  defp managers(given), do: Enum.filter(@managers, &Map.has_key?(given, &1))

  defp problem({key, value}) when key in @booleans,
    do: unless(is_boolean(value), do: wrong(key, value, "true or false"))

  defp problem({key, value}) when key in @positive,
    do: unless(is_integer(value) and value > 0, do: wrong(key, value, "a positive number"))

  defp problem({key, value}) when key in @durations do
    unless is_integer(value) and value in 0..0x7FFFFFFF,
      do: wrong(key, value, "a number of milliseconds")
  end

  defp problem({:security_level, value}),
    do: unless(value in @security, do: wrong(:security_level, value, inspect(@security)))

  defp problem({:allocation_strategy, value}),
    do: unless(value in @strategies, do: wrong(:allocation_strategy, value, inspect(@strategies)))

  defp problem({:instance, value}),
    do: unless(is_nil(value) or is_binary(value), do: wrong(:instance, value, "a text"))

  defp problem({:platform_options, value}),
    do: unless(is_map(value), do: wrong(:platform_options, value, "a map"))

  defp problem({key, _value}) do
    known = Map.keys(@defaults) ++ @managers
    nearest = Enum.max_by(known, &String.jaro_distance(to_string(&1), inspect(key)))

    "unknown key #{inspect(key)} in the configuration of shared memory: " <>
      "did you mean #{inspect(nearest)}?"
  end

  defp wrong(key, value, expected),
    do: "#{key} of shared memory is #{inspect(value)}: expected #{expected}"
end
