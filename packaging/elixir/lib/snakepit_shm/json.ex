# SPDX-License-Identifier: MIT
defmodule SnakepitShm.JSON do
  @moduledoc false
  # Metadata of regions is a JSON object, and Elixir 1.14 has no JSON of its own.

  @spec encode(term()) :: {:ok, String.t()} | {:error, String.t()}
  def encode(value) do
    {:ok, value |> write() |> IO.iodata_to_binary()}
  catch
    {:json, message} -> {:error, message}
  end

  @spec decode(String.t()) :: {:ok, term()} | {:error, String.t()}
  def decode(text) do
    {value, rest} = text |> skip() |> read()
    if skip(rest) == "", do: {:ok, value}, else: {:error, "unexpected text after the value"}
  catch
    {:json, message} -> {:error, message}
  end

  # ------------------------------------------------------------------------------ writing

  defp write(nil), do: "null"
  defp write(value) when is_boolean(value), do: Atom.to_string(value)
  defp write(value) when is_atom(value), do: value |> Atom.to_string() |> write()
  defp write(value) when is_integer(value), do: Integer.to_string(value)
  defp write(value) when is_float(value), do: Float.to_string(value)

  defp write(value) when is_binary(value) do
    if not String.valid?(value), do: throw({:json, "#{inspect(value)} is not valid UTF-8"})
    [?", for(<<char::utf8 <- value>>, do: escaped(char)), ?"]
  end

  defp write(value) when is_list(value), do: [?[, joined(value, &write/1), ?]]

  defp write(%{__struct__: _} = value), do: throw({:json, "#{inspect(value)} has no JSON form"})

  defp write(value) when is_map(value) do
    [?{, joined(value, fn {key, item} -> [write(key_text(key)), ?:, write(item)] end), ?}]
  end

  defp write(value), do: throw({:json, "#{inspect(value)} has no JSON form"})

  defp joined(items, fun), do: items |> Enum.map(fun) |> Enum.intersperse(?,)

  defp key_text(key) when is_binary(key) or is_integer(key) or is_atom(key), do: to_string(key)
  defp key_text(key), do: throw({:json, "the key #{inspect(key)} is not text"})

  defp escaped(?"), do: "\\\""
  defp escaped(?\\), do: "\\\\"

  defp escaped(char) when char < 0x20,
    do: ["\\u", char |> Integer.to_string(16) |> String.pad_leading(4, "0")]

  defp escaped(char), do: <<char::utf8>>

  # ------------------------------------------------------------------------------ reading

  defp skip(<<char, rest::binary>>) when char in ' \t\r\n', do: skip(rest)
  defp skip(rest), do: rest

  defp read("null" <> rest), do: {nil, rest}
  defp read("true" <> rest), do: {true, rest}
  defp read("false" <> rest), do: {false, rest}
  defp read("\"" <> rest), do: read_string(rest, [])
  defp read("[" <> rest), do: rest |> skip() |> read_list([])
  defp read("{" <> rest), do: rest |> skip() |> read_object(%{})

  defp read(text) do
    case Regex.run(~r/\A-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/, text) do
      [number, _integer] -> {String.to_integer(number), after_prefix(text, number)}
      [number | _parts] -> {to_float(number), after_prefix(text, number)}
      nil -> throw({:json, "expected a value"})
    end
  end

  defp after_prefix(text, prefix),
    do: binary_part(text, byte_size(prefix), byte_size(text) - byte_size(prefix))

  # Erlang reads no float without a fraction, such as 1e3.
  defp to_float(number) do
    {value, ""} = Float.parse(number)
    value
  end

  defp read_list("]" <> rest, []), do: {[], rest}

  defp read_list(text, items) do
    {item, rest} = read(text)

    case skip(rest) do
      "," <> more -> more |> skip() |> read_list([item | items])
      "]" <> more -> {Enum.reverse([item | items]), more}
      _other -> throw({:json, "expected ',' or ']'"})
    end
  end

  defp read_object("}" <> rest, items) when items == %{}, do: {items, rest}

  defp read_object("\"" <> text, items) do
    {key, rest} = read_string(text, [])
    {value, rest} = rest |> skip() |> after_colon() |> skip() |> read()
    items = Map.put(items, key, value)

    case skip(rest) do
      "," <> more -> more |> skip() |> read_object(items)
      "}" <> more -> {items, more}
      _other -> throw({:json, "expected ',' or '}'"})
    end
  end

  defp read_object(_text, _items), do: throw({:json, "expected a key"})

  defp after_colon(":" <> rest), do: rest
  defp after_colon(_text), do: throw({:json, "expected ':'"})

  defp read_string("\"" <> rest, parts), do: {parts |> Enum.reverse() |> to_text(), rest}

  defp read_string("\\u" <> <<code::binary-size(4), rest::binary>>, parts),
    do: read_unicode(hexadecimal(code), rest, parts)

  defp read_string(<<?\\, char, rest::binary>>, parts) do
    case List.keyfind(Enum.zip('"\\/bfnrt', '"\\/\b\f\n\r\t'), char, 0) do
      {_char, meant} -> read_string(rest, [meant | parts])
      nil -> throw({:json, "unknown escape"})
    end
  end

  defp read_string(<<char::utf8, rest::binary>>, parts), do: read_string(rest, [char | parts])
  defp read_string(_text, _parts), do: throw({:json, "the text does not end"})

  # Characters beyond the first 65,536 are written as two halves.
  defp read_unicode(high, "\\u" <> <<code::binary-size(4), rest::binary>>, parts)
       when high in 0xD800..0xDBFF do
    low = hexadecimal(code)
    read_string(rest, [0x10000 + (high - 0xD800) * 0x400 + (low - 0xDC00) | parts])
  end

  defp read_unicode(code, rest, parts), do: read_string(rest, [code | parts])

  defp hexadecimal(code) do
    case Integer.parse(code, 16) do
      {value, ""} -> value
      _other -> throw({:json, "expected four hexadecimal digits"})
    end
  end

  defp to_text(chars) do
    case :unicode.characters_to_binary(chars) do
      text when is_binary(text) -> text
      _invalid -> throw({:json, "not a character"})
    end
  end
end
