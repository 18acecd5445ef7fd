# SPDX-License-Identifier: MIT
[
  inputs: [
    "mix.exs",
    ".formatter.exs",
    "{lib,test}/**/*.{ex,exs}",
    "../examples/elixir_python/*.exs",
    "../../bench/*.exs"
  ],
  line_length: 98
]
