// SPDX-License-Identifier: MIT
#include "relay/frames.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace snakepit::shm::relay {

namespace {

using namespace std::string_view_literals;

// The ends have different ones, so that an echo is not taken for an answer. The line end shows
// whether a terminal in between changes bytes.
constexpr auto kFarMagic = "\0snakepit-shm relay\n"sv;
constexpr auto kNearMagic = "\0snakepit-shm via  \n"sv;
static_assert(kFarMagic.size() == kNearMagic.size());
constexpr auto kThroughTerminal = "\0snakepit-shm relay\r"sv;

constexpr std::size_t kPreamble = kFarMagic.size() + sizeof(std::uint32_t);
constexpr std::size_t kHeader = 4 + 1 + 4;  // bytes of the payload, kind, stream

std::string_view magic_of(End end) {
    return end == End::far ? kFarMagic : kNearMagic;
}

void append_number(std::string& out, std::uint32_t number) {
    for (unsigned shift = 0; shift < 32; shift += 8)
        out += static_cast<char>((number >> shift) & 0xFFU);
}

std::uint32_t number_at(std::string_view bytes) {
    std::uint32_t out = 0;
    for (unsigned i = 0; i < 4; ++i)
        out |= std::uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    return out;
}

tl::unexpected<Error> not_a_relay() {
    return fail(ErrorCode::protocol_error, "the other end is not snakepit-shm relay",
                "check what the command starts there");
}

}  // namespace

void append_preamble(std::string& out, End from) {
    out += magic_of(from);
    append_number(out, kVersion);
}

void append_frame(std::string& out, FrameKind kind, std::uint32_t stream,
                  std::string_view payload) {
    append_number(out, static_cast<std::uint32_t>(payload.size()));
    out += static_cast<char>(kind);
    append_number(out, stream);
    out += payload;
}

void FrameReader::take(std::string_view& bytes) {
    buffer_.erase(0, read_);
    read_ = 0;
    const auto most = greeted_ ? kHeader + kMaxPayload : kMaxNoise + kPreamble;
    const auto taken = std::min(bytes.size(), most - std::min(most, buffer_.size()));
    buffer_ += bytes.substr(0, taken);
    bytes.remove_prefix(taken);
}

// True once it was found; it is removed then, with what came before it.
Result<bool> FrameReader::find_preamble() {
    const auto magic = magic_of(from_);
    const auto come = rest();
    const auto at = come.find(magic);
    if (from_ == End::far && come.find(kThroughTerminal) != come.npos)
        return fail(ErrorCode::protocol_error, "the command gives the other end a terminal",
                    "leave out -t and -tt");
    // The near end has nothing to say before it.
    const bool wrong =
        from_ == End::near &&
        come.substr(0, magic.size()) != magic.substr(0, std::min(magic.size(), come.size()));
    if (wrong || (at == come.npos ? come.size() : at) > kMaxNoise) return not_a_relay();
    if (at == come.npos || come.size() < at + kPreamble) {
        noise_ = come;
        return false;
    }
    noise_ = come.substr(0, at);
    const auto version = number_at(come.substr(at + magic.size()));
    read_ = at + kPreamble;
    greeted_ = true;
    if (version != kVersion)
        return fail(ErrorCode::version_mismatch,
                    fmt::format("the other end speaks version {} of the relay, this one version {}",
                                version, kVersion),
                    "use the same release on both machines");
    return true;
}

Result<std::optional<Frame>> FrameReader::next() {
    if (!greeted_) {
        SHM_ASSIGN(const bool found, find_preamble());
        if (!found) return std::optional<Frame>();
    }
    const auto come = rest();
    if (come.size() < kHeader) return std::optional<Frame>();
    const auto size = number_at(come);
    if (size > kMaxPayload)
        return fail(ErrorCode::protocol_error, "a message of the relay is too long",
                    "check that nothing else writes to the line");
    if (come.size() < kHeader + size) return std::optional<Frame>();
    Frame frame;
    frame.kind = static_cast<FrameKind>(static_cast<unsigned char>(come[4]));
    frame.stream = number_at(come.substr(5));
    frame.payload = come.substr(kHeader, size);
    read_ += kHeader + size;
    return std::optional(std::move(frame));
}

}  // namespace snakepit::shm::relay
