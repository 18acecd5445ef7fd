# SPDX-License-Identifier: MIT
defmodule SnakepitShm.Test.Manager do
  # The manager of the tests, in a port of a process of its own.
  use Agent

  def start do
    {:ok, _} = Agent.start(fn -> serve() end, name: __MODULE__)
    :ok
  end

  def pid, do: Agent.get(__MODULE__, & &1.pid)

  def kill, do: signal("KILL")
  def stop, do: signal("TERM")

  defp signal(name) do
    Agent.update(
      __MODULE__,
      fn %{port: port, pid: pid} ->
        System.cmd("kill", ["-#{name}", "#{pid}"])

        receive do
          {^port, {:exit_status, _}} ->
            File.rm!(pid_file())
            %{port: nil, pid: nil}
        end
      end,
      60_000
    )
  end

  # Of a manager to be ended by run.sh, if the tests do not.
  defp pid_file, do: Path.join(System.fetch_env!("SNAKEPIT_SHM_RUNTIME_DIR"), "test_manager.pid")

  def restart, do: Agent.update(__MODULE__, fn _ -> serve() end, 60_000)

  defp serve do
    program = System.fetch_env!("SNAKEPIT_SHM_PROGRAM")
    arguments = ["-c", "exec \"$0\" serve >/dev/null 2>&1", program]
    port = Port.open({:spawn_executable, "/bin/sh"}, [:binary, :exit_status, args: arguments])
    {:os_pid, pid} = Port.info(port, :os_pid)
    File.write!(pid_file(), "#{pid}")
    wait_until(fn -> match?({_, 0}, cli(["status"])) end)
    %{port: port, pid: pid}
  end

  def cli(arguments) do
    program = System.fetch_env!("SNAKEPIT_SHM_PROGRAM")
    System.cmd(program, arguments, stderr_to_stdout: true)
  end

  # Whether another owner has the lock. A manager on a busy machine may take longer to answer than a
  # call without a timeout waits for it.
  def locked?(target) do
    case SnakepitShm.lock(target, :write, 0) do
      {:error, %SnakepitShm.Error{code: :timeout}} -> true
      {:error, %SnakepitShm.Error{code: :no_manager}} -> locked?(target)
      _other -> false
    end
  end

  # A virtual machine of its own that runs `code`, and the first line that it prints.
  def virtual_machine(code) do
    ebin = SnakepitShm |> :code.which() |> to_string() |> Path.dirname()
    arguments = ["-pa", ebin, "-e", code]

    port =
      Port.open({:spawn_executable, System.find_executable("elixir")}, [
        :binary,
        :exit_status,
        line: 4096,
        args: arguments
      ])

    receive do
      {^port, {:data, {:eol, line}}} -> {port, line}
      {^port, {:exit_status, status}} -> raise "the virtual machine ended with #{status}"
    after
      120_000 -> raise "the virtual machine printed nothing"
    end
  end

  # Generous, because the machine may be busy.
  def wait_until(condition, left_ms \\ 60_000) do
    cond do
      condition.() ->
        :ok

      left_ms <= 0 ->
        raise "what was awaited did not happen"

      true ->
        Process.sleep(20)
        wait_until(condition, left_ms - 20)
    end
  end
end
