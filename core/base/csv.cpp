// SPDX-License-Identifier: MIT
#include "base/csv.h"

namespace snakepit::shm {

void append_csv_text(std::string& out, std::string_view text) {
    out += '"';
    if (!text.empty() && std::string_view("=+-@\t\r").find(text.front()) != text.npos) out += '\'';
    for (const char c : text) {
        if (c == '"') out += '"';
        out += c;
    }
    out += '"';
}

}  // namespace snakepit::shm
