// SPDX-License-Identifier: MIT
#include "read_document.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <utility>

#include <fmt/format.h>

namespace snakepit::shm::cli {

Result<std::string> read_document(const std::string& file, std::size_t most,
                                  std::string_view what) {
    const auto close = [](std::FILE* stream) { (void)std::fclose(stream); };
    const std::unique_ptr<std::FILE, decltype(close)> opened(
        file == "-" ? nullptr : std::fopen(file.c_str(), "rbe"), close);
    auto* stream = file == "-" ? stdin : opened.get();
    std::array<char, 64 * 1024> piece;
    std::string out;
    while (stream && out.size() <= most) {
        const auto got =
            std::fread(piece.data(), 1, std::min(piece.size(), most + 1 - out.size()), stream);
        if (got == 0) break;
        out.append(piece.data(), got);
    }
    if (stream && std::ferror(stream) == 0) return out;
    auto error = system_error(errno, fmt::format("cannot read {}", file));
    error.remedy = fmt::format("name a file with {} in JSON, or - for standard input", what);
    return fail(std::move(error));
}

}  // namespace snakepit::shm::cli
