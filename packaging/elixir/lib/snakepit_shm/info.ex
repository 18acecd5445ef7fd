# SPDX-License-Identifier: MIT
defmodule SnakepitShm.Info do
  @moduledoc false
  # Facts about regions, in Elixir's types.

  alias SnakepitShm.JSON

  @spec from_native(map()) :: map()
  def from_native(info) do
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
