# SPDX-License-Identifier: MIT
defmodule Snakepit.SharedMemory.Error do
  @moduledoc """
  Classes of errors of shared memory, and what to do about them.
  """
  require Logger

  @type error_type ::
          :allocation_failed
          | :mapping_failed
          | :permission_denied
          | :region_not_found
          | :memory_limit_exceeded
          | :platform_error
          | :security_violation
          | :corruption_detected
          | :cleanup_failed
  @type error_context :: %{
          optional(:region_id) => String.t() | nil,
          optional(:operation) => atom(),
          optional(:platform) => atom(),
          optional(:process_id) => pid(),
          optional(:timestamp) => DateTime.t(),
          optional(:additional_info) => map()
        }

  @doc """
  The error as an atom for programs and a sentence for people.

      iex> Snakepit.SharedMemory.Error.handle_error(:allocation_failed, %{}, :region_limit_exceeded)
      {:error, :too_many_regions, "Maximum number of regions exceeded. Clean up unused regions."}
  """
  @spec handle_error(error_type(), error_context(), term()) :: {:error, atom(), String.t()}
  def handle_error(type, context, error)

  def handle_error(:allocation_failed, _context, :memory_limit_exceeded) do
    {:error, :insufficient_memory,
     "System memory limit exceeded. Consider increasing limits or cleaning up unused regions."}
  end

  def handle_error(:allocation_failed, _context, :region_limit_exceeded),
    do:
      {:error, :too_many_regions, "Maximum number of regions exceeded. Clean up unused regions."}

  def handle_error(:security_violation = type, context, error) do
    Logger.warning("Security violation: #{reason(error)}#{place(context)}")
    {:error, type, sentence("Security violation", error)}
  end

  def handle_error(type, _context, error) do
    {:error, type,
     type |> to_string() |> String.replace("_", " ") |> String.capitalize() |> sentence(error)}
  end

  defp sentence(what, error), do: "#{what}: #{reason(error)}"

  defp reason(%SnakepitShm.Error{message: message}), do: message
  defp reason(error), do: inspect(error)

  defp place(%{region_id: id}) when is_binary(id), do: " (region #{id})"
  defp place(_context), do: ""
end
