// SPDX-License-Identifier: MIT
// What travels on the line between the two ends of a relay: a preamble from each, then frames. The
// near end is where the user is; the far end is `snakepit-shm relay`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace snakepit::shm::relay {

// Counted up when an end of the version before could not follow. What is only added (kinds of
// frames, fields) leaves it as it is.
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kMaxPayload = std::size_t{1024} * 1024;  // of one frame
inline constexpr std::size_t kChunk = std::size_t{32} * 1024;         // of bytes that stream
// What may come before the far end's preamble: messages of the day, banners of shells.
inline constexpr std::size_t kMaxNoise = std::size_t{64} * 1024;

enum class End : std::uint8_t { near, far };

// Kinds that an end does not know are ignored.
enum class FrameKind : std::uint8_t {
    hello = 1,  // fields; each end's first frame
    ping = 2,   // answered by pong with the same payload
    pong = 3,

    // From the near end. A stream is one command; its number is the near end's choice.
    open = 16,   // fields: the command
    input = 17,  // for its standard input; only as much as was asked for
    input_end = 18,
    signal = 19,  // fields: what a terminal would send it

    // From the far end.
    output = 32,
    error_output = 33,
    want = 34,  // fields: how much more input may be sent
    end = 35,   // fields: the exit status, or why it was not started; the last of its stream
};

struct Frame {
    FrameKind kind{};
    std::uint32_t stream = 0;  // 0: the line itself
    std::string payload;
};

void append_preamble(std::string& out, End from);
// `payload` has at most kMaxPayload bytes.
void append_frame(std::string& out, FrameKind kind, std::uint32_t stream, std::string_view payload);

// Takes the bytes of a line as they come. Never keeps more than one frame, or kMaxNoise.
class FrameReader {
  public:
    // `from`: the end that writes. What the far end's line says before its preamble is noise; the
    // near end has to begin with it.
    explicit FrameReader(End from) : from_(from) {}

    // Takes what it can keep, from the beginning of `bytes`, which becomes shorter by it. Call
    // next() until it is empty, then again with the rest.
    void take(std::string_view& bytes);
    // Empty: it has not come whole. Errors are final: protocol_error if this is not the other end
    // of a relay, version_mismatch if it is one of another version.
    Result<std::optional<Frame>> next();

    bool greeted() const { return greeted_; }
    // What came before the preamble.
    const std::string& noise() const { return noise_; }

  private:
    Result<bool> find_preamble();
    std::string_view rest() const { return std::string_view(buffer_).substr(read_); }

    End from_;
    bool greeted_ = false;
    std::string buffer_, noise_;
    std::size_t read_ = 0;  // of the buffer
};

}  // namespace snakepit::shm::relay
