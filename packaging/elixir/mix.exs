# SPDX-License-Identifier: MIT
defmodule Mix.Tasks.Compile.SnakepitShmNative do
  @moduledoc """
  Puts the native library into the application's `priv` directory.

  `SNAKEPIT_SHM_NIF` names one that was built by CMake. Without it the library is compiled here and
  linked against libsnakepit_shm: that of the build tree `SNAKEPIT_SHM_BUILD`, or the installed one
  that pkg-config finds.
  """
  use Mix.Task.Compiler

  @sources ~w(client locks module reaper regions ring session terms)

  @impl true
  def run(_arguments) do
    priv = Path.join(Mix.Project.app_path(), "priv")
    target = Path.join(priv, "snakepit_shm_nif.so")
    File.mkdir_p!(priv)

    case System.get_env("SNAKEPIT_SHM_NIF") do
      nil -> compile(target)
      built -> link(built, target)
    end

    {:ok, []}
  end

  @impl true
  def clean, do: File.rm_rf!(Path.join(Mix.Project.app_path(), "priv"))

  defp link(built, target) do
    unless File.read_link(target) == {:ok, built} do
      File.rm(target)
      File.ln_s!(built, target)
    end
  end

  defp compile(target) do
    sources = for name <- @sources, do: "native/#{name}.cpp"
    inputs = Path.wildcard("native/*")

    if stale?(inputs, target) do
      {headers, libraries} = client_library()
      erlang = Path.join(:code.root_dir(), "usr/include")

      arguments =
        ~w(-std=c++20 -O2 -fPIC -shared -fvisibility=hidden -pthread) ++
          ["-isystem", erlang] ++
          headers ++
          sources ++
          ["-Wl,-z,nodelete", "-Wl,--version-script=native/exports.map", "-o", target] ++
          libraries

      run!(System.get_env("CXX", "c++"), arguments)
    end
  end

  defp stale?(inputs, target) do
    case File.stat(target, time: :posix) do
      {:ok, %{mtime: made}} -> Enum.any?(inputs, &(File.stat!(&1, time: :posix).mtime > made))
      {:error, _} -> true
    end
  end

  defp client_library do
    case System.get_env("SNAKEPIT_SHM_BUILD") do
      nil ->
        flags = fn option -> "pkg-config" |> run!([option, "snakepit-shm"]) |> String.split() end
        [directory] = flags.("--variable=libdir")
        {flags.("--cflags"), flags.("--libs") ++ ["-Wl,-rpath," <> directory]}

      build ->
        lib = Path.join(build, "lib")
        {["-I../../core/include"], ["-L" <> lib, "-lsnakepit_shm", "-Wl,-rpath," <> lib]}
    end
  end

  defp run!(program, arguments) do
    case System.cmd(program, arguments, stderr_to_stdout: true) do
      {output, 0} -> output
      {output, _} -> Mix.raise("#{program} failed:\n#{output}")
    end
  end
end

defmodule SnakepitShm.MixProject do
  use Mix.Project

  def project do
    [
      app: :snakepit_shm,
      version: "0.1.0",
      elixir: "~> 1.14",
      description: "Shared memory between Elixir and other programs, without copies",
      compilers: [:snakepit_shm_native] ++ Mix.compilers(),
      # Without the paths of the machine that compiled it.
      elixirc_options: [debug_info: Mix.env() != :prod],
      deps: [],
      test_coverage: [summary: [threshold: 0]]
    ]
  end

  def application, do: [extra_applications: [:logger]]
end
