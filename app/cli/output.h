// SPDX-License-Identifier: MIT
// What people see: documents, aligned tables and errors.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <QJsonObject>

#include "base/error.h"
#include "command.h"
#include "text_columns.h"

namespace snakepit::shm::cli {

enum class Layout : std::uint8_t { indented, one_line };
// One document on standard output, and a line end.
void print_json(const QJsonObject& object, Layout layout = Layout::indented);
// Text for people on standard output, at once also when that is a pipe; made harmless: much of it
// was chosen by others.
void print(std::string_view text);

// Somebody sits at a terminal: standard input and output are one.
bool interactive();

// The sentence on standard error, with --json followed by {"error": …} in one line; returns the
// exit status that belongs to the error.
int report_error(const Context& context, const Error& error, const QJsonObject& additional = {});

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
