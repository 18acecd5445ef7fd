# SPDX-License-Identifier: MIT
defmodule SnakepitShmTest do
  use ExUnit.Case
  import Bitwise

  import SnakepitShm.Test.Manager, only: [locked?: 1, wait_until: 1]
  alias SnakepitShm.{Error, Native}

  doctest SnakepitShm
  doctest SnakepitShm.Client
  doctest SnakepitShm.Error

  setup do
    {:ok, client} = SnakepitShm.connect()
    on_exit(fn -> SnakepitShm.close(client) end)
    {:ok, client: client}
  end

  defp region(client, size \\ 4096, options \\ []) do
    {:ok, region} = SnakepitShm.allocate(client, size, options)
    region
  end

  # Runs `fun` in another process, and leaves that process running.
  defp elsewhere(fun) do
    test = self()

    pid =
      spawn(fn ->
        send(test, {self(), fun.()})
        Process.sleep(:infinity)
      end)

    receive do
      {^pid, result} -> {pid, result}
    end
  end

  defp kill(pid) do
    monitor = Process.monitor(pid)
    Process.exit(pid, :kill)

    receive do
      {:DOWN, ^monitor, _, _, _} -> :ok
    end
  end

  test "what one handle writes another reads, of every length", %{client: client} do
    region = region(client, 1 <<< 20)
    {:ok, other} = SnakepitShm.map(client, region.id)

    for size <- [0, 1, 64, 65_536, 65_537, 1_048_576] do
      data = :crypto.strong_rand_bytes(size)
      assert :ok = SnakepitShm.write(region, 0, data)
      assert {:ok, ^data} = SnakepitShm.read(other, 0, size)
    end

    assert :ok = SnakepitShm.write(region, 10, ["a", [?b, "c"]])
    assert {:ok, "abc"} = SnakepitShm.read(other, 10, 3)
    assert {:error, %Error{code: :read_only}} = SnakepitShm.write(other, 0, "x")
    assert {:error, %Error{code: :invalid_argument}} = SnakepitShm.read(region, 1_048_576, 1)
    assert {:error, %Error{code: :invalid_argument}} = SnakepitShm.write(region, 1_048_575, "ab")
  end

  test "a view is the memory itself", %{client: client} do
    region = region(client)
    {:ok, view} = SnakepitShm.unsafe_view(region)
    {:ok, address} = SnakepitShm.address(region)
    assert Native.binary_address(view) == address
    assert byte_size(view) == 4096

    {:ok, part} = SnakepitShm.unsafe_view(region, 1024, 128)
    assert Native.binary_address(part) == address + 1024
    :ok = SnakepitShm.write(region, 1024, "written later")
    assert <<"written later", _::binary>> = part
    assert {:ok, 2} = SnakepitShm.view_count(region)
    assert {:deferred, 2} = SnakepitShm.close_region(region)
    assert {:error, %Error{code: :closed}} = SnakepitShm.read(region)
    assert <<"written later", _::binary>> = part
    assert binary_part(view, 1024, 13) == "written later"
  end

  test "a view needs a sealed or locked region, and keeps the lock", %{client: client} do
    region = region(client, 4096, cleanup_policy: :manual)
    assert {:error, %Error{code: :not_immutable}} = SnakepitShm.view(region)
    {:ok, lock} = SnakepitShm.lock(region, :read)
    {:ok, view} = SnakepitShm.view(region)
    # The same process may lock again, but not to change what its views show.
    assert {:error, %Error{code: :views_exist}} = SnakepitShm.lock(region, :write)
    assert {:ok, again} = SnakepitShm.lock(region, :read)
    assert :ok = SnakepitShm.unlock(again)
    assert {:deferred, 1} = SnakepitShm.unlock(lock)
    assert {:error, %Error{code: :not_held}} = SnakepitShm.unlock(lock)
    assert locked?(region)
    assert byte_size(view) == 4096

    {pid, _} = elsewhere(fn -> :erlang.garbage_collect() end)
    kill(pid)
    view = nil
    assert view == nil
    :erlang.garbage_collect()
    {:ok, lock} = SnakepitShm.lock(region, :write, 10_000)
    {:ok, read} = SnakepitShm.lock(region, :read)
    assert {:error, %Error{code: :not_immutable}} = SnakepitShm.view(region)
    assert :ok = SnakepitShm.unlock(read)
    assert :ok = SnakepitShm.unlock(lock)

    :ok = SnakepitShm.write(region, 0, "final")
    :ok = SnakepitShm.seal(region)
    wait_until(fn -> match?({:ok, %{sealed: true}}, SnakepitShm.info({client, region.id})) end)
    {:ok, sealed} = SnakepitShm.map(client, region.id)
    assert {:ok, <<"final", _::binary>>} = SnakepitShm.view(sealed)
    assert {:ok, <<"fin">>} = SnakepitShm.view(sealed, 0, 3)
    SnakepitShm.deallocate({client, region.id})
  end

  test "a view outlives its owner in another process and in ETS", %{client: client} do
    region = region(client)
    :ok = SnakepitShm.write(region, 100, "still here")
    table = :ets.new(:views, [:public])

    {owner, view} =
      elsewhere(fn ->
        {:ok, mine} = SnakepitShm.map(client, region.id)
        {:ok, view} = SnakepitShm.unsafe_view(mine)
        :ets.insert(table, {:view, view})
        view
      end)

    kill(owner)
    [{:view, stored}] = :ets.lookup(table, :view)
    assert Native.binary_address(stored) == Native.binary_address(view)
    assert binary_part(view, 100, 10) == "still here"
    assert SnakepitShm.stats(client).mappings == 2
    assert SnakepitShm.stats(client).views == 1
    keep(view, stored)
    :ets.delete(table)
    # The test's own process has references on its stack: the last ones end with another process.
    wait_until(fn -> :erlang.garbage_collect() && SnakepitShm.stats(client).views == 0 end)
    wait_until(fn -> SnakepitShm.stats(client).mappings == 1 end)
    assert {:ok, 0} = SnakepitShm.view_count(region)
  end

  defp keep(_one, _other), do: :ok

  test "a killed owner's handles are closed and its allocations end", %{client: client} do
    {owner, {mine, kept}} =
      elsewhere(fn -> {region(client), region(client, 4096, cleanup_policy: :manual)} end)

    assert {:ok, _} = SnakepitShm.read(mine)
    assert SnakepitShm.stats(client).allocations == 1
    kill(owner)
    assert {:error, %Error{code: :closed, message: message}} = SnakepitShm.read(mine)
    assert message =~ "map the region in this process"

    wait_until(fn ->
      match?({:error, %Error{code: :region_not_found}}, SnakepitShm.map(client, mine.id))
    end)

    assert {:ok, _} = SnakepitShm.map(client, kept.id)
    wait_until(fn -> :erlang.garbage_collect() && SnakepitShm.stats(client).mappings == 0 end)
    assert :ok = SnakepitShm.deallocate({client, kept.id})
  end

  test "a second map needs no request, and handles are collected", %{client: client} do
    region = region(client)
    before = SnakepitShm.stats(client).round_trips
    for _ <- 1..100, do: {:ok, _} = SnakepitShm.map(client, region.id, access: :read_write)
    # Not one each; the client's process may ask for events meanwhile.
    assert SnakepitShm.stats(client).round_trips < before + 50
    :erlang.garbage_collect()
    wait_until(fn -> :erlang.garbage_collect() && SnakepitShm.stats(client).mappings <= 2 end)
  end

  test "names, facts and lists", %{client: client} do
    options = [name: "elixir names", metadata: %{dtype: "float32", shape: [2, 3], note: "é\"\n😀"}]
    region = region(client, 24, options)
    assert {:ok, id} = SnakepitShm.resolve(client, "elixir names")
    assert id == region.id
    assert {:ok, info} = SnakepitShm.info({client, "elixir names"})
    assert info.metadata == %{"dtype" => "float32", "shape" => [2, 3], "note" => "é\"\n😀"}
    assert info.size == 24 and info.name == "elixir names"
    assert info.permissions == %{owner: :read_write, group: :none, other: :none}
    assert DateTime.diff(DateTime.utc_now(), info.created_at) < 3600
    assert info.owner_pid == String.to_integer(System.pid())
    assert {:ok, [listed]} = SnakepitShm.list(client, "size=24")
    assert listed.id == region.id
    assert {:error, %Error{}} = SnakepitShm.list(client, "size>>>")
    assert :ok = SnakepitShm.announce(client, worker: "elixir-test", session: "s1")
    selected = [dry_run: true, orphans: true, worker: "of another test"]
    assert {:ok, %{removed: 0, bytes_freed: 0}} = SnakepitShm.cleanup(client, selected)
    assert :ok = SnakepitShm.deallocate(region)
    assert {:error, %Error{code: :region_not_found}} = SnakepitShm.deallocate(region)
    assert SnakepitShm.stats(client).allocations == 0
  end

  test "encrypted regions are read and written, and views are private copies", %{client: client} do
    region = region(client, 200_000, security_level: :high)
    data = :crypto.strong_rand_bytes(200_000)
    assert :ok = SnakepitShm.write(region, 0, data)
    {:ok, other} = SnakepitShm.map(client, region.id)
    assert {:ok, ^data} = SnakepitShm.read(other)
    assert {:ok, ^data} = SnakepitShm.unsafe_view(other)
    assert :ok = SnakepitShm.write(region, 0, "changed")
    assert {:ok, ^data} = SnakepitShm.unsafe_view(other)
    assert :ok = SnakepitShm.refresh(other)
    assert {:ok, "changed"} = SnakepitShm.unsafe_view(other, 0, 7)
    assert :ok = SnakepitShm.rotate_key(region)
    assert {:ok, "changed"} = SnakepitShm.read(other, 0, 7)
  end

  test "a closed client refuses, and its views stay", %{client: _} do
    {:ok, client} = SnakepitShm.connect()
    region = region(client)
    :ok = SnakepitShm.write(region, 0, "before")
    {:ok, view} = SnakepitShm.unsafe_view(region)
    assert :ok = SnakepitShm.close(client)
    assert :ok = SnakepitShm.close(client)
    assert <<"before", _::binary>> = view
    assert {:error, %Error{code: :client_closed}} = SnakepitShm.allocate(client, 10)
    assert {:error, %Error{code: :client_closed}} = SnakepitShm.map(client, region.id)
    assert {:error, %Error{code: :client_closed}} = SnakepitShm.lock(region)
  end

  test "garbage arguments are refused", %{client: client} do
    region = region(client)
    not_terms = [nil, :atom, -1, 1.5, "text", <<1::3>>, %{}, {}, make_ref(), self(), [1 | 2]]

    for {name, arity} <- Native.__info__(:functions),
        name != :load and arity > 0,
        value <- not_terms do
      arguments = List.duplicate(value, arity)

      try do
        apply(Native, name, arguments)
      rescue
        ArgumentError -> :ok
      end

      # The right handle first, so that the others are looked at.
      for handle <- [client.ref, region.ref] do
        try do
          unless name in [:close, :close_region],
            do: apply(Native, name, [handle | tl(arguments)])
        rescue
          ArgumentError -> :ok
        end
      end
    end

    for size <- [0, -1, 1.5, "4", nil, 1 <<< 64],
        do: assert({:error, %Error{code: :invalid_size}} = SnakepitShm.allocate(client, size))

    assert {:error, %Error{code: :size_exceeds_limit}} = SnakepitShm.allocate(client, 1 <<< 40)

    for options <- [[size: 1], [placement: :here], [name: "a\0b"], [metadata: "x"], [timeout: -1]] do
      assert {:error, %Error{code: :invalid_argument, message: message}} =
               SnakepitShm.allocate(client, 4096, options)

      assert message =~ " "
    end

    assert {:error, %Error{code: :invalid_argument}} =
             SnakepitShm.allocate(client, 1, permissions: %{owner: :all})

    assert {:error, %Error{code: :invalid_argument}} =
             SnakepitShm.allocate(client, 1, metadata: %{key: self()})

    assert_raise FunctionClauseError, fn -> SnakepitShm.read(:region) end
    assert_raise FunctionClauseError, fn -> SnakepitShm.read(region, -1) end
    assert {:error, %Error{}} = SnakepitShm.connect(timeout: 1)
    assert {:ok, _} = SnakepitShm.read(region)
  end

  test "codes are the atoms of errors", %{client: _} do
    codes = Map.new(Native.codes())
    assert codes.size_exceeds_limit == :allocation_failed
    assert codes.deadlock == :deadlock
  end
end
