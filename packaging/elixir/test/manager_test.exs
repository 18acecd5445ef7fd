# SPDX-License-Identifier: MIT
defmodule Snakepit.SharedMemory.ManagerTest do
  use ExUnit.Case

  import ExUnit.CaptureLog
  import SnakepitShm.Test.Manager, only: [wait_until: 1]
  alias Snakepit.SharedMemory.{Config, Error, Manager}

  doctest Config
  doctest Error

  @moduletag capture_log: true

  defp start(options \\ []), do: start_supervised!({Manager, options})

  test "a region from its allocation to its end" do
    start()
    {:ok, id} = Manager.allocate_region(4093, %{metadata: %{"kind" => "test"}})
    assert is_binary(id)
    {:ok, address} = Manager.map_region(id)
    assert is_integer(address) and address > 0
    {:ok, region} = Manager.region(id)
    assert {:ok, ^address} = SnakepitShm.address(region)
    assert :ok = SnakepitShm.write(region, 0, "in place")

    {:ok, info} = Manager.get_region_info(id)

    assert Enum.sort(Map.keys(info)) ==
             [:created_at, :id, :last_accessed, :metadata] ++
               [:owner_pid, :platform_handle, :reference_count, :size]

    assert %{id: ^id, size: 4093, metadata: %{"kind" => "test"}, owner_pid: owner} = info
    assert owner == self()
    assert %DateTime{} = info.created_at
    assert info.reference_count == 2

    assert {:ok, [%{id: ^id}]} = Manager.list_regions(%{size: 4093, sealed: false})
    assert {:ok, []} = Manager.list_regions(%{size: 3})
    assert {:ok, [%{id: ^id}]} = Manager.list_regions("size=4093")
    assert {:ok, %{removed: _, bytes_freed: _}} = Manager.cleanup_regions(%{dry_run: true})

    assert :ok = Manager.unmap_region(id)
    assert {:error, :not_held} = Manager.unmap_region(id)
    assert :ok = Manager.deallocate_region(id)
    assert {:error, :region_not_found} = Manager.get_region_info(id)
    assert {:error, :region_not_found} = Manager.map_region(id)
    assert {:error, :region_not_found} = Manager.deallocate_region(id)
  end

  test "mappings belong to the calling process, and end with it" do
    start()
    {:ok, id} = Manager.allocate_region(4096)
    {:ok, _} = Manager.map_region(id, %{access_mode: :read_only})
    test = self()

    pid =
      spawn(fn ->
        {:error, :not_held} = Manager.region(id)
        {:ok, _} = Manager.map_region(id)
        {:ok, _} = Manager.map_region(id)
        {:ok, own} = Manager.allocate_region(16)
        {:ok, kept} = Manager.allocate_region(16, %{cleanup_policy: :manual})
        send(test, {own, kept})
        Process.sleep(:infinity)
      end)

    assert_receive {own, kept}, 60_000
    assert {:ok, %{reference_count: 4}} = Manager.get_region_info(id)
    Process.exit(pid, :kill)
    wait_until(fn -> match?({:ok, %{reference_count: 2}}, Manager.get_region_info(id)) end)
    wait_until(fn -> Manager.get_region_info(own) == {:error, :region_not_found} end)
    assert {:ok, %{owner_pid: ^pid}} = Manager.get_region_info(kept)
    assert :ok = Manager.deallocate_region(kept)
  end

  test "limits of the configuration hold for this node" do
    start(max_regions: 2, max_region_size: 1000, max_total_memory: 1500)
    assert {:error, :invalid_size} = Manager.allocate_region(0)
    assert {:error, :invalid_size} = Manager.allocate_region("1")
    assert {:error, :size_exceeds_limit} = Manager.allocate_region(1001)
    {:ok, first} = Manager.allocate_region(1000)
    assert {:error, :memory_limit_exceeded} = Manager.allocate_region(501)
    {:ok, _second} = Manager.allocate_region(500)
    {:ok, client} = SnakepitShm.connect()
    assert {:error, :memory_limit_exceeded} = Manager.allocate_region(1)
    # Another program deallocates it: its share is free again.
    :ok = SnakepitShm.deallocate({client, first})
    assert {:ok, _third} = Manager.allocate_region(1000)
  end

  test "defaults of the configuration reach the regions" do
    start(max_regions_per_process: 1, default_timeout: 123_000, security_level: :high)
    {:ok, id} = Manager.allocate_region(10)
    {:ok, client} = SnakepitShm.connect()
    assert {:ok, %{timeout_ms: 123_000, security_level: :high}} = SnakepitShm.info({client, id})
    assert {:error, :process_region_limit_exceeded} = Manager.allocate_region(10)
    assert {:ok, _} = Task.await(Task.async(fn -> Manager.allocate_region(10) end), 60_000)
  end

  test "what only the host's manager decides is named, and nonsense refused" do
    log = capture_log(fn -> start(allocation_strategy: :best_fit, cleanup_interval: 30_000) end)
    assert log =~ ":cleanup_interval, :allocation_strategy"
    assert log =~ "config.toml"
    stop_supervised!(Manager)

    for wrong <- [[max_regions: 0], [enabled: 1], [security_level: :low], [max_region: 1]] do
      assert {:error, {{:platform_init_failed, message}, _child}} =
               start_supervised({Manager, wrong})

      assert message =~ "shared memory"
    end

    assert {:error, {{:platform_init_failed, %SnakepitShm.Error{code: :no_manager}}, _}} =
             start_supervised({Manager, instance: "none", wait_for_manager: 0})

    start(enabled: false)
    assert {:error, :disabled} = Manager.allocate_region(1)
    assert {:error, :disabled} = Manager.list_regions()
  end

  test "the application's environment is read" do
    Application.put_env(:snakepit, :shared_memory, max_region_size: 100)
    on_exit(fn -> Application.delete_env(:snakepit, :shared_memory) end)
    start()
    assert {:error, :size_exceeds_limit} = Manager.allocate_region(101)
  end

  test "operations execute telemetry events where the library is loaded" do
    start()
    {:ok, _} = Manager.allocate_region(1)

    defmodule :telemetry do
      def execute(event, measurements, metadata),
        do: send(metadata.process, {event, measurements, metadata})
    end

    on_exit(fn -> :code.delete(:telemetry) && :code.purge(:telemetry) end)
    {:ok, id} = Manager.allocate_region(7)
    event = [:snakepit, :shared_memory, :allocate]
    assert_received {^event, %{size: 7, duration: _}, %{region_id: ^id, result: :ok}}
    {:error, :invalid_size} = Manager.allocate_region(0)
    assert_received {^event, _, %{region_id: nil, result: :invalid_size}}
  end
end
