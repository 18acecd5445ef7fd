# SPDX-License-Identifier: MIT
defmodule SnakepitShm.RingTest do
  use ExUnit.Case
  import Bitwise
  doctest SnakepitShm.Ring

  alias SnakepitShm.{Error, Ring}
  alias SnakepitShm.Test.Manager

  setup do
    {:ok, client} = SnakepitShm.connect()
    %{client: client}
  end

  defp ring(client, options \\ []) do
    {:ok, producer} = Ring.produce(client, options)
    {:ok, consumer} = Ring.open(client, producer.region_id, :consumer)
    {producer, consumer}
  end

  test "frames arrive in order, and are counted", %{client: client} do
    {producer, consumer} = ring(client, policy: :back_pressure, slots: 4, slot_size: 8)

    writer =
      Task.async(fn ->
        {:ok, other} = SnakepitShm.connect()
        {:error, %Error{code: :timeout}} = Ring.open(other, producer.region_id, :producer)
      end)

    Task.await(writer, 60_000)
    parent = self()
    spawn_link(fn -> for(_ <- 1..1000, do: send(parent, {:frame, Ring.read(consumer)})) end)
    for number <- 1..1000, do: :ok = Ring.write(producer, <<number::64>>)

    for number <- 1..1000 do
      assert_receive {:frame, {:ok, frame}}, 60_000
      assert frame.data == <<number::64>>
      assert {frame.number, frame.lost, frame.producer} == {number - 1, 0, 1}
    end
  end

  test "a slow consumer loses frames and is told how many", %{client: client} do
    {producer, consumer} = ring(client, slots: 4)
    for number <- 1..20, do: :ok = Ring.write(producer, "#{number}", 0)
    {:ok, frame} = Ring.read(consumer)
    assert frame.lost > 0
    assert frame.data == "#{frame.number + 1}"
  end

  test "a full ring makes the producer wait", %{client: client} do
    {producer, consumer} = ring(client, policy: :back_pressure, slots: 2)
    :ok = Ring.write(producer, "a")
    :ok = Ring.write(producer, "b")
    assert {:error, %Error{code: :timeout}} = Ring.write(producer, "c", 0)
    assert {:error, %Error{code: :timeout}} = Ring.write(producer, "c", 300)
    waiting = Task.async(fn -> Ring.write(producer, "c") end)
    {:ok, %{data: "a"}} = Ring.read(consumer)
    assert Task.await(waiting, 60_000) == :ok
    {:ok, info} = Ring.info(producer)
    assert {info.published, info.behind, info.policy} == {3, 2, :back_pressure}
  end

  test "large frames are whole", %{client: client} do
    {producer, consumer} = ring(client, slot_size: 1 <<< 20, slots: 2)
    frame = :crypto.strong_rand_bytes(1 <<< 20)
    :ok = Ring.write(producer, frame)
    assert {:ok, %{data: ^frame}} = Ring.read(consumer)
    assert {:error, %Error{code: :invalid_size}} = Ring.write(producer, frame <> "1")
  end

  test "a process that ends closes its part", %{client: client} do
    {:ok, consumer} = Ring.consume(client, name: "elixir-ring")

    {pid, monitor} =
      spawn_monitor(fn ->
        {:ok, producer} = Ring.produce(client, name: "elixir-ring")
        :ok = Ring.write(producer, "last")
        Process.sleep(:infinity)
      end)

    assert {:ok, %{data: "last"}} = Ring.read(consumer)
    assert {:error, %Error{code: :timeout}} = Ring.read(consumer, 0)
    Process.exit(pid, :kill)
    assert_receive {:DOWN, ^monitor, :process, ^pid, :killed}
    assert {:error, %Error{code: :ring_closed}} = Ring.read(consumer, 60_000)
    # The next producer stands by no longer, and numbers go on.
    {:ok, next} = Ring.open(client, "elixir-ring", :producer, 60_000)
    :ok = Ring.write(next, "again")
    assert {:ok, %{data: "again", number: 1, producer: 2}} = Ring.read(consumer, 60_000)
  end

  test "a producer whose virtual machine is killed is told as gone", %{client: client} do
    {:ok, consumer} = Ring.consume(client, name: "elixir-killed")

    {port, "ready"} =
      Manager.virtual_machine("""
      {:ok, client} = SnakepitShm.connect()
      {:ok, ring} = SnakepitShm.Ring.produce(client, name: "elixir-killed")
      :ok = SnakepitShm.Ring.write(ring, "from there")
      IO.puts("ready")
      Process.sleep(:infinity)
      """)

    assert {:ok, %{data: "from there"}} = Ring.read(consumer, 60_000)
    {:os_pid, pid} = Port.info(port, :os_pid)
    System.cmd("kill", ["-KILL", "#{pid}"])
    assert {:error, %Error{code: :producer_gone}} = Ring.read(consumer, 60_000)
  end

  test "waiting outlives a killed manager", %{client: client} do
    {producer, consumer} = ring(client)
    reader = Task.async(fn -> Ring.read(consumer) end)
    Process.sleep(50)
    Manager.kill()
    :ok = Ring.write(producer, "without a manager")
    assert {:ok, %{data: "without a manager"}} = Task.await(reader, 60_000)
    Manager.restart()
    :ok = Ring.write(producer, "with the next one")
    assert {:ok, %{data: "with the next one"}} = Ring.read(consumer, 60_000)
  end

  test "handles of closed rings and clients say so", %{client: client} do
    {producer, consumer} = ring(client)
    :ok = Ring.close(producer)
    :ok = Ring.close(producer)
    assert {:error, %Error{code: :closed}} = Ring.write(producer, "late")
    assert {:error, %Error{code: :ring_closed}} = Ring.read(consumer)
    waiting = Task.async(fn -> Ring.read(consumer) end)
    Process.sleep(50)
    :ok = SnakepitShm.close(client)
    assert {:error, %Error{code: :client_closed}} = Task.await(waiting, 60_000)
  end

  test "impossible rings are refused with a sentence", %{client: client} do
    for bad <- [[slots: 1], [slot_size: 0], [max_consumers: 65], [policy: :none], [speed: 1]] do
      assert {:error, %Error{code: :invalid_argument, message: message}} =
               Ring.produce(client, bad)

      assert message =~ ~r/expected|choose/
    end

    assert {:error, %Error{code: :not_supported}} = Ring.produce(client, security_level: :high)
    {:ok, region} = SnakepitShm.allocate(client, 100_000)
    assert {:error, %Error{code: :corruption_detected}} = Ring.open(client, region.id, :consumer)
  end
end
