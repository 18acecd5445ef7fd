// SPDX-License-Identifier: MIT
// What people see: documents, aligned tables and errors.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <QJsonObject>

#include "base/error.h"
#include "command.h"
#include "platform/replace_file.h"
#include "text_columns.h"

namespace snakepit::shm::cli {

enum class Layout : std::uint8_t { indented, one_line };
// One document on standard output, and a line end.
void print_json(const QJsonObject& object, Layout layout = Layout::indented);
// Text for people on standard output, at once also when that is a pipe; made harmless: much of it
// was chosen by others.
void print(std::string_view text);

// Text on standard error, as it is. Where nobody can read it, nothing happens.
void print_error(std::string_view text);

// Of -o and --force of every command.
inline constexpr auto kOutputHelp = "The file to write; - is standard output";
inline constexpr auto kForceHelp = "Replace the file if it is there";

// Somebody sits at a terminal: standard input and output are one.
bool interactive();

// What was printed up to now is written; EPIPE when the reader has gone.
Status output_written();
// Nobody need have read what was printed up to now.
void forgive_output();
// For bytes that are not text.
OutputFile standard_output();

// The sentence on standard error, or with --json {"error": …} in one line and nothing else; returns
// the exit status that belongs to the error.
int report_error(const Context& context, const Error& error);
// A sentence each, or with --json one document that has all of them in "errors" too. The last one
// gives the exit status, as if each had been reported alone. kDone where there is none.
int report_errors(const Context& context, std::span<const Error> errors);

// Columns as wide as their widest cell; those whose title ends in '>' are aligned to the right.
class Table {
  public:
    explicit Table(std::vector<std::string> titles);
    void add(std::vector<std::string> cells);
    // Lines that end in a line feed, titles first; cells are cut at `width` columns (0: not at
    // all).
    std::string str(std::size_t width = 0) const;

  private:
    std::vector<std::string> titles_;
    std::vector<bool> right_;
    std::vector<std::vector<std::string>> rows_;
};

// A nested object as aligned "key  value" lines. Members whose name speaks of bytes, sizes or
// memory are written as sizes.
std::string lines_of(const QJsonObject& object);

// "3 min", the time from `then` to now; "-" for never.
std::string age(Timestamp then);

}  // namespace snakepit::shm::cli
