# SPDX-License-Identifier: MIT
defmodule SnakepitShm.Error do
  @moduledoc """
  Why a call failed.

  `:code` is precise (`:size_exceeds_limit`), `:type` is its class (`:allocation_failed`), `:message`
  is a sentence with the cause and a remedy. Codes are those of the C interface and of
  `snakepit-shm --json`, and three of this package: `:closed` (the handle of a region was closed),
  `:not_immutable` (`SnakepitShm.view/1` of a region that may change) and `:views_exist` (a write lock
  for a process that has views under a read lock).

      iex> error = %SnakepitShm.Error{code: :timeout, type: :timeout, message: "not in time"}
      iex> Exception.message(error)
      "not in time"
  """
  @type t :: %__MODULE__{
          code: atom(),
          type: atom(),
          message: String.t(),
          operation: atom(),
          region_id: String.t() | nil
        }
  defexception [:code, :type, :message, :operation, :region_id]

  @doc false
  @spec new(atom(), atom(), String.t(), atom(), String.t() | nil) :: {:error, t()}
  def new(code, type, message, operation, region_id \\ nil) do
    {:error,
     %__MODULE__{
       code: code,
       type: type,
       message: message,
       operation: operation,
       region_id: region_id
     }}
  end

  @doc false
  @spec invalid(atom(), String.t()) :: {:error, t()}
  def invalid(operation, message),
    do: new(:invalid_argument, :invalid_argument, message, operation)

  @doc false
  @spec wrap(term(), atom(), String.t() | nil) :: term()
  def wrap({:error, code, type, message}, operation, region_id),
    do: new(code, type, message, operation, region_id)

  def wrap(result, _operation, _region_id), do: result
end
