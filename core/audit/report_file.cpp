// SPDX-License-Identifier: MIT
// The signature at a report's end.
#include "audit/report_file.h"

#include <array>
#include <fstream>

#include <fmt/format.h>

namespace snakepit::shm {

namespace {

constexpr std::string_view kMark = "snakepit-shm-signature: ed25519 ";
constexpr std::string_view kSignedTitle = "snakepit-shm report 1\n";

// How each format wraps the line, by ReportFormat.
struct Wrap {
    std::string_view before, after;
};
constexpr std::array<Wrap, 4> kWraps{
    {{"# ", "\n"}, {"\"signature\":\"", "\"}\n"}, {"<!-- ", " -->\n"}, {"% ", "\n"}}};
constexpr std::size_t kHexKey = 64, kHexSignature = 128;

std::string line_of(const Wrap& wrap, const PublicKey& key, const Signature& signature) {
    return fmt::format("{}{}{} {}{}", wrap.before, kMark, to_hex(key), to_hex(signature),
                       wrap.after);
}

std::string signed_bytes(const Digest& digest) {
    return std::string(kSignedTitle) + to_hex(digest);
}

struct Tail {
    std::size_t size = 0;  // bytes of the line
    PublicKey key{};
    Signature signature{};
};

// The line at the end of `text`, if it is exactly a signature line.
std::optional<Tail> tail_of(std::string_view text) {
    for (const auto& wrap : kWraps) {
        const auto size =
            wrap.before.size() + kMark.size() + kHexKey + 1 + kHexSignature + wrap.after.size();
        if (text.size() < size) continue;
        const auto line = text.substr(text.size() - size);
        const auto start = wrap.before.size() + kMark.size();
        Tail tail{size, {}, {}};
        if (from_hex(line.substr(start, kHexKey), tail.key) &&
            from_hex(line.substr(start + kHexKey + 1, kHexSignature), tail.signature) &&
            line == line_of(wrap, tail.key, tail.signature))
            return tail;
    }
    return std::nullopt;
}

}  // namespace

void ReportSink::add(std::string_view text) {
    digest_.add(text);
    out_.write(text.data(), static_cast<std::streamsize>(text.size()));
}

Status ReportSink::sign(const SigningKey& key, ReportFormat format) {
    const auto text = signed_bytes(digest_.finish());
    SHM_ASSIGN(const auto signature, key.sign(std::as_bytes(std::span(text))));
    out_ << line_of(kWraps[static_cast<std::size_t>(format)], key.public_key(), signature);
    out_.flush();
    if (!out_) return fail(ErrorCode::no_space, "the report could not be written", "free space");
    return {};
}

Result<ReportCheck> check_report(const std::string& path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file.is_open())
        return fail(ErrorCode::platform_error, fmt::format("{} cannot be read", path),
                    "name an events.db or an exported report");
    const auto size = static_cast<std::size_t>(file.tellg());
    std::string end(std::min<std::size_t>(size, 512), '\0');
    file.seekg(static_cast<std::streamoff>(size - end.size()));
    file.read(end.data(), static_cast<std::streamsize>(end.size()));
    const auto tail = tail_of(end);
    if (!file || !tail)
        return fail(ErrorCode::corruption_detected,
                    fmt::format("{} does not end with a report's signature", path),
                    "it is not an exported report, or its end was truncated or changed");
    Sha256 digest;
    std::string part(1 << 16, '\0');
    file.seekg(0);
    for (auto left = size - tail->size; left > 0 && file;) {
        const auto now = std::min(left, part.size());
        file.read(part.data(), static_cast<std::streamsize>(now));
        digest.add(std::string_view(part.data(), now));
        left -= now;
    }
    const auto text = signed_bytes(digest.finish());
    return ReportCheck{tail->key,
                       verify(tail->key, std::as_bytes(std::span(text)), tail->signature)};
}

}  // namespace snakepit::shm
