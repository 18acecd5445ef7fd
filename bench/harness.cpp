// SPDX-License-Identifier: MIT
#include "harness.h"

#include <cstdio>
#include <fstream>

#include <fmt/format.h>

#include "base/ids.h"
#include "base/json.h"

namespace snakepit::shm::bench {

void Report::print_header() const {
    fmt::print("{:<52} {:>12} {:>12} {:<7} {:>9} {:>9}  {}\n", "row", "floor", "ours", "unit",
               "ratio", "target", "");
}

void Report::add(Row row) {
    const auto sign = row.at_least ? ">=" : "<=";
    fmt::print("{:<52} {:>12.1f} {:>12.1f} {:<7} {:>9.3f} {:>2}{:>7.3f}  {}  ({})\n", row.name,
               row.floor, row.ours, row.unit, row.ratio(), sign, row.target,
               row.pass() ? "pass" : "MISS", row.peer);
    std::fflush(stdout);
    rows_.push_back(std::move(row));
}

void Report::skip(const std::string& what, const Error& error) {
    fmt::print("{}: not measured: {}\n", what, error.sentence());
    skipped_.push_back(fmt::format("{}: {}", what, error.sentence()));
}

Status Report::write_json() const {
    if (options_.json_file.empty()) return {};
    std::string out = R"({"rows":[)";
    const auto text = [&](const char* key, const std::string& value) {
        out += fmt::format("\"{}\":", key);
        append_json_string(out, value);
        out += ',';
    };
    for (const auto& row : rows_) {
        if (out.back() != '[') out += ',';
        out += '{';
        text("name", row.name);
        text("peer", row.peer);
        text("unit", row.unit);
        out +=
            fmt::format(R"("floor":{},"ours":{},"ratio":{},"target":{},"at_least":{},"pass":{}}})",
                        row.floor, row.ours, row.ratio(), row.target, row.at_least, row.pass());
    }
    out += R"(],"not_measured":[)";
    for (const auto& what : skipped_) {
        if (out.back() != '[') out += ',';
        append_json_string(out, what);
    }
    out += "]}\n";
    std::ofstream file(options_.json_file, std::ios::binary);
    if (file << out) return {};
    return fail(ErrorCode::platform_error, fmt::format("cannot write {}", options_.json_file),
                "choose another file");
}

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

TemporaryDirectory::TemporaryDirectory(const std::filesystem::path& parent)
    : path_(parent / fmt::format("snakepit-bench-{:08x}", random_u64() >> 32)) {
    std::filesystem::create_directories(path_);
    std::filesystem::permissions(path_, std::filesystem::perms::owner_all);
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace snakepit::shm::bench
