# SPDX-License-Identifier: MIT
defmodule SnakepitShm.WaitingTest do
  use ExUnit.Case

  import SnakepitShm.Test.Manager, only: [locked?: 1, wait_until: 1]
  alias SnakepitShm.{Error, Native}
  alias SnakepitShm.Test.Manager

  @long 60_000

  setup do
    {:ok, client} = SnakepitShm.connect()
    {:ok, region} = SnakepitShm.allocate(client, 4096)
    on_exit(fn -> SnakepitShm.close(client) end)
    {:ok, client: client, region: region}
  end

  # A process that has locked the region, and holds it until it is told or ended.
  defp holder(target, mode) do
    test = self()

    pid =
      spawn(fn ->
        {:ok, lock} = SnakepitShm.lock(target, mode, @long)
        send(test, {self(), :locked})
        receive do: (:release -> send(test, {self(), SnakepitShm.unlock(lock)}))
      end)

    assert_receive {^pid, :locked}, @long
    pid
  end

  defp waiters(count, fun) do
    test = self()
    for _ <- 1..count, do: spawn(fn -> send(test, {self(), fun.()}) end)
  end

  test "twelve processes of two clients are never two inside a write lock", context do
    {:ok, other} = SnakepitShm.connect()
    inside = :atomics.new(1, [])

    step = fn target, mine ->
      {:ok, _} =
        SnakepitShm.with_lock(target, :write, @long, fn lock ->
          assert :atomics.add_get(inside, 1, 1) == 1
          refute lock.inconsistent
          {:ok, <<count::64>>} = SnakepitShm.read(mine, 0, 8)
          :erlang.yield()
          :ok = SnakepitShm.write(mine, 0, <<count + 1::64>>)
          :atomics.sub(inside, 1, 1)
        end)
    end

    tasks =
      for number <- 1..12 do
        Task.async(fn ->
          client = if rem(number, 2) == 0, do: context.client, else: other
          {:ok, mine} = SnakepitShm.map(client, context.region.id, access: :read_write)
          for _ <- 1..20, do: step.(mine, mine)
        end)
      end

    Task.await_many(tasks, 240_000)
    assert {:ok, <<240::64>>} = SnakepitShm.read(context.region, 0, 8)
    assert %{locks: 0, waits: 0} = SnakepitShm.stats(context.client)
  end

  test "readers share, a process may lock again, and times out", %{client: client, region: region} do
    reader = holder(region, :read)
    {:ok, first} = SnakepitShm.lock(region, :read, @long)
    {:ok, second} = SnakepitShm.lock(region, :read, @long)
    assert SnakepitShm.stats(client).locks == 3
    assert :ok = SnakepitShm.unlock(first)
    assert :ok = SnakepitShm.unlock(second)

    assert locked?(region)

    assert {:error, %Error{code: :timeout, message: message}} =
             SnakepitShm.lock(region, :write, 1000)

    assert message =~ "snakepit-shm locks"

    send(reader, :release)
    assert_receive {^reader, :ok}, @long
    assert {:ok, lock} = SnakepitShm.lock(region, :write, @long)
    assert Task.await(Task.async(fn -> locked?(region) end), @long)
    assert :ok = SnakepitShm.unlock(lock)
    refute_received _
  end

  test "the end of a process releases its lock and its place in the queue", context do
    killed = holder(context.region, :write)
    [waiting, next] = waiters(2, fn -> SnakepitShm.lock(context.region, :write, @long) end)
    wait_until(fn -> SnakepitShm.stats(context.client).waits == 2 end)
    Process.exit(waiting, :kill)
    wait_until(fn -> SnakepitShm.stats(context.client).waits == 1 end)
    Process.exit(killed, :kill)
    # The writer died in its lock.
    assert_receive {^next, {:ok, %{inconsistent: true}}}, @long
    refute_received {^waiting, _}
    wait_until(fn -> SnakepitShm.stats(context.client).locks == 0 end)
    assert {:ok, %{inconsistent: true} = lock} = SnakepitShm.lock(context.region, :write, @long)
    assert :ok = SnakepitShm.unlock(lock)
    assert {:ok, %{inconsistent: false} = lock} = SnakepitShm.lock(context.region, :write, @long)
    assert :ok = SnakepitShm.unlock(lock)
  end

  test "other programs are told that a process died in its write lock", context do
    {:ok, other} = SnakepitShm.connect()
    theirs = {other, context.region.id}
    writer = holder(context.region, :write)
    Process.exit(writer, :kill)
    assert {:ok, %{inconsistent: true} = lock} = SnakepitShm.lock(theirs, :read, @long)
    assert :ok = SnakepitShm.unlock(lock)
    assert {:ok, %{inconsistent: true} = lock} = SnakepitShm.lock(theirs, :write, @long)
    assert :ok = SnakepitShm.unlock(lock)
    assert {:ok, %{inconsistent: false}} = SnakepitShm.lock(context.region, :read, @long)
    SnakepitShm.close(other)
  end

  test "processes that wait for each other are told of the deadlock", context do
    {:ok, other} = SnakepitShm.allocate(context.client, 16)
    {:ok, mine} = SnakepitShm.lock(context.region, :write, @long)
    test = self()

    theirs =
      spawn_link(fn ->
        {:ok, lock} = SnakepitShm.lock(other, :write, @long)
        send(test, :locked)
        send(test, {:theirs, SnakepitShm.lock(context.region, :write, @long)})
        SnakepitShm.unlock(lock)
        Process.sleep(:infinity)
      end)

    assert_receive :locked, @long
    wait_until(fn -> SnakepitShm.stats(context.client).waits == 1 end)
    assert {:error, %Error{code: :deadlock}} = SnakepitShm.lock(other, :write, @long)
    assert :ok = SnakepitShm.unlock(mine)
    assert_receive {:theirs, {:ok, _}}, @long
    Process.unlink(theirs)
    Process.exit(theirs, :kill)
  end

  test "twenty processes that wait delay no file operation", context do
    holding = holder(context.region, :write)

    waiting =
      waiters(20, fn -> SnakepitShm.with_lock(context.region, :write, :infinity, & &1) end)

    {:ok, counter} = SnakepitShm.counter(context.region)
    signalled = waiters(20, fn -> SnakepitShm.wait(context.region, counter, :infinity) end)
    wait_until(fn -> SnakepitShm.stats(context.client).waits == 40 end)

    # Would wait for ever if those took the threads for blocking calls.
    for _ <- 1..50 do
      assert {:ok, _} = Task.await(Task.async(fn -> File.stat("/") end), @long)
    end

    assert SnakepitShm.stats(context.client).waits == 40
    assert :ok = SnakepitShm.notify(context.region)
    for pid <- signalled, do: assert_receive({^pid, {:ok, changed}} when changed > counter, @long)
    send(holding, :release)
    for pid <- waiting, do: assert_receive({^pid, {:ok, _}}, @long)
    wait_until(fn -> match?(%{waits: 0, locks: 0}, SnakepitShm.stats(context.client)) end)
  end

  test "notifications come from other programs, and end with the region", context do
    {:ok, id} = SnakepitShm.allocate_unmapped(context.client, 16)
    target = {context.client, id}
    {:ok, counter} = SnakepitShm.counter(target)
    assert {:error, %Error{code: :timeout}} = SnakepitShm.wait(target, counter, 0)
    assert {:error, %Error{code: :timeout}} = SnakepitShm.wait(target, counter, 20)
    [pid] = waiters(1, fn -> SnakepitShm.wait(target, counter, :infinity) end)
    wait_until(fn -> SnakepitShm.stats(context.client).waits == 1 end)
    assert :ok = SnakepitShm.deallocate(target)
    assert_receive {^pid, {:error, %Error{code: :region_not_found}}}, @long
  end

  test "the end of the client ends waits and releases locks", context do
    {:ok, other} = SnakepitShm.connect()
    Process.unlink(other.pid)
    {:ok, lock} = SnakepitShm.lock({other, context.region.id}, :write, @long)
    [pid] = waiters(1, fn -> SnakepitShm.lock({other, context.region.id}, :write, :infinity) end)
    wait_until(fn -> SnakepitShm.stats(other).waits == 1 end)
    Process.exit(other.pid, :kill)
    assert_receive {^pid, {:error, %Error{code: :client_closed}}}, @long
    assert {:ok, _} = SnakepitShm.lock(context.region, :write, @long)
    assert {:error, %Error{code: :not_held}} = SnakepitShm.unlock(lock)
  end

  test "a killed manager is awaited; memory, locks and queues stay", context do
    :ok = SnakepitShm.write(context.region, 0, "before")
    {:ok, view} = SnakepitShm.unsafe_view(context.region)
    holding = holder(context.region, :write)
    [waiting] = waiters(1, fn -> SnakepitShm.lock(context.region, :write, :infinity) end)
    wait_until(fn -> SnakepitShm.stats(context.client).waits == 1 end)

    Manager.kill()
    assert <<"before", _::binary>> = view
    :ok = SnakepitShm.write(context.region, 0, "during")
    assert <<"during", _::binary>> = view
    Manager.restart()

    assert {:ok, _} = SnakepitShm.allocate(context.client, 4096)
    assert locked?(context.region)
    send(holding, :release)
    assert_receive {^holding, :ok}, @long
    assert_receive {^waiting, {:ok, _lock}}, @long
    assert {:ok, <<"during", _::binary>>} = SnakepitShm.read(context.region)
  end

  test "kill -9 of the virtual machine frees what it held", context do
    code = """
    {:ok, client} = SnakepitShm.connect()
    {:ok, region} = SnakepitShm.map(client, "#{context.region.id}", access: :read_write)
    {:ok, _lock} = SnakepitShm.lock(region, :write)
    {:ok, own} = SnakepitShm.allocate(client, 4096, owner_end: :withdraw)
    {:ok, view} = SnakepitShm.unsafe_view(own)
    IO.puts(own.id <> " " <> System.pid())
    Process.sleep(:infinity)
    byte_size(view)
    """

    {port, line} = Manager.virtual_machine(code)
    [own, pid] = String.split(line)
    {:ok, %{holder_count: 2}} = SnakepitShm.info(context.region)
    assert locked?(context.region)
    {_, 0} = System.cmd("kill", ["-KILL", pid])
    assert_receive {^port, {:exit_status, _}}, @long

    assert {:ok, lock} = SnakepitShm.lock(context.region, :write, @long)
    assert lock.inconsistent
    assert :ok = SnakepitShm.unlock(lock)

    wait_until(fn ->
      match?({:error, %Error{code: :region_not_found}}, SnakepitShm.info({context.client, own}))
    end)

    wait_until(fn -> match?({:ok, %{holder_count: 1}}, SnakepitShm.info(context.region)) end)
  end

  test "code is loaded again under living handles", context do
    :ok = SnakepitShm.write(context.region, 0, "kept")
    {:ok, view} = SnakepitShm.unsafe_view(context.region)
    {:ok, lock} = SnakepitShm.lock(context.region, :write, @long)

    for _ <- 1..3 do
      # A process that is in a call of the old code at this moment would be killed by purge/1.
      wait_until(fn -> :code.soft_purge(Native) end)
      assert {:module, Native} = :code.load_file(Native)
      assert {:ok, <<"kept", _::binary>>} = SnakepitShm.read(context.region)
    end

    assert <<"kept", _::binary>> = view
    assert :ok = SnakepitShm.unlock(lock)
  end

  test "deleting the module keeps views, and ends its threads with the last resource", context do
    code = """
    run = fn fun -> Task.await(Task.async(fun), 100_000) end
    :ets.new(:kept, [:named_table, :public])
    run.(fn ->
      {:ok, client} = SnakepitShm.connect()
      {:ok, region} = SnakepitShm.map(client, "#{context.region.id}", access: :read_write)
      :ok = SnakepitShm.write(region, 0, "kept")
      {:ok, view} = SnakepitShm.unsafe_view(region)
      :ok = SnakepitShm.close(client)
      :ets.insert(:kept, [{:view, view}, {:region, region}])
    end)
    unload = fn -> :code.delete(SnakepitShm.Native) and :code.purge(SnakepitShm.Native) end
    run.(unload)
    # A new instance knows nothing of the old one's handles, and memory that is shown stays.
    {:module, _} = Code.ensure_loaded(SnakepitShm.Native)
    refused = run.(fn ->
      [view: <<"kept", _::binary>>] = :ets.lookup(:kept, :view)
      [region: region] = :ets.lookup(:kept, :region)
      try do SnakepitShm.read(region) rescue ArgumentError -> :refused end
    end)
    :ets.delete(:kept)
    run.(fn ->
      {:ok, again} = SnakepitShm.connect()
      {:ok, _} = SnakepitShm.allocate(again, 100)
      :ok = SnakepitShm.close(again)
    end)
    run.(unload)
    wait = fn wait ->
      names = for path <- Path.wildcard("/proc/self/task/*/comm"), do: elem(File.read(path), 1)
      if "snakepit_reaper\\n" in names, do: (Process.sleep(50); wait.(wait)), else: :ended
    end
    IO.puts(inspect({refused, run.(fn -> wait.(wait) end)}))
    """

    assert {port, "{:refused, :ended}"} = Manager.virtual_machine(code)
    assert_receive {^port, {:exit_status, 0}}, @long
  end
end
