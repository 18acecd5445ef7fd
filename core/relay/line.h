// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/handle.h"
#include "base/result.h"
#include "relay/frames.h"

namespace snakepit::shm::relay {

// One end of a line: frames over two descriptors that do not block. One thread.
class Line {
  public:
    // `end`: which one this is. The far end says its preamble at once, the near end when it has
    // heard that one.
    Line(End end, Handle in, Handle out);

    // Reads what has come, at most some frames of it. False: the other end has closed the line.
    Result<bool> receive();
    // The next frame that came; see FrameReader. Answers pings itself.
    Result<std::optional<Frame>> next();
    // `payload` in one frame. It is sent by flush().
    void send(FrameKind kind, std::uint32_t stream, std::string_view payload = {});
    // Writes what the line takes. False: the other end does not read any more.
    Result<bool> flush();

    bool greeted() const { return reader_.greeted(); }
    const std::string& noise() const { return reader_.noise(); }
    // To be sent.
    std::size_t queued() const { return queue_.size() - sent_; }
    // Enough for now: whoever sends more should wait.
    bool full() const { return queued() >= kFull; }
    const Handle& in() const { return in_; }
    const Handle& out() const { return out_; }
    void close_out() { out_.reset(); }

  private:
    static constexpr std::size_t kFull = std::size_t{256} * 1024;

    End end_;
    Handle in_, out_;
    FrameReader reader_;
    std::string come_, queue_;
    std::size_t sent_ = 0;
    bool said_ = false;  // our preamble
};

}  // namespace snakepit::shm::relay
