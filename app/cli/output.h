// SPDX-License-Identifier: MIT
// What people see: documents, tables and errors.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <QJsonObject>

#include "base/error.h"
#include "command.h"
#include "platform/replace_file.h"
#include "table.h"
#include "text_columns.h"

namespace snakepit::shm::cli {

// How standard output is written to from now on: colors by --color, NO_COLOR and TERM, lines no
// longer than the terminal is wide. In a pipe nothing is wrapped or cut.
void adapt_output(const Context& context);
// Columns of the terminal, 0 for no limit; what `print` wraps at.
std::size_t output_columns();
bool output_is_terminal();
bool output_has_color();

enum class Layout : std::uint8_t { indented, one_line };
// One document on standard output, and a line end.
void print_json(const QJsonObject& object, Layout layout = Layout::indented);
// Text for people on standard output, at once also when that is a pipe. It is sanitized: much of
// it was chosen by others. On a terminal long lines are wrapped between words.
void print(std::string_view text);
// The same in pieces of one line each.
void print(std::span<const Toned> pieces);
void print(const Table& table);
// Bytes as they are: completions, man pages.
void print_raw(std::string_view text);
// On a terminal: removes what it shows.
void clear_screen();

// Text on standard error, as it is. Where nothing reads it, nothing happens.
void print_error(std::string_view text);
// A remark about what was printed, on standard error; not with --json.
void print_note(const Context& context, std::string_view text);

// Help of -o and --force of every command.
inline constexpr auto kOutputHelp = "Write to this file; - is standard output";
inline constexpr auto kForceHelp = "Replace the file if it exists";

// What was printed up to now is written; EPIPE when the reader has closed the pipe.
Status output_written();
// Waits up to `timeout_ms`; false when the reader of standard output has closed it.
bool output_is_read(int timeout_ms);
// Errors of what was printed up to now do not count.
void forgive_output();
// For bytes that are not text.
OutputFile standard_output();

// A document in one line on standard error.
void print_error_json(const QJsonObject& object);
// The sentence on standard error, or with --json {"error": …} in one line and nothing else; returns
// the exit status that belongs to the error.
int report_error(const Context& context, const Error& error);
// A sentence each, or with --json one document that has all of them in "errors" too. The last one
// gives the exit status, as if each had been reported alone. kDone where there is none.
int report_errors(const Context& context, std::span<const Error> errors);

// A nested object as "key  value" rows, with the values as people read them (human_values.h).
Table facts_of(const QJsonObject& object);

// "3 min", the time from `then` to now; "-" for never.
std::string age(Timestamp then);

}  // namespace snakepit::shm::cli
