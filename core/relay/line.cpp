// SPDX-License-Identifier: MIT
#include "relay/line.h"

#include <array>
#include <string_view>
#include <utility>

#include "platform/streams.h"

namespace snakepit::shm::relay {

Line::Line(End end, Handle in, Handle out)
    : end_(end),
      in_(std::move(in)),
      out_(std::move(out)),
      reader_(end == End::far ? End::near : End::far) {
    set_nonblocking(in_);
    set_nonblocking(out_);
    if (end_ == End::near) return;
    append_preamble(queue_, end_);
    said_ = true;
}

Result<bool> Line::receive() {
    if (!come_.empty()) return true;  // first what has come before
    std::array<char, 2 * kChunk> buffer;
    const auto got = read_now(in_, buffer);
    come_.assign(buffer.data(), got.bytes);
    if (got.state == StreamState::failed)
        return fail(system_error(got.error, "cannot read from the line"));
    return got.state != StreamState::ended;
}

Result<std::optional<Frame>> Line::next() {
    for (;;) {
        std::string_view rest(come_);
        reader_.take(rest);
        come_.erase(0, come_.size() - rest.size());
        SHM_ASSIGN(auto frame, reader_.next());
        if (!frame) {
            if (come_.empty()) return frame;
            continue;
        }
        if (frame->kind != FrameKind::ping) return frame;
        send(FrameKind::pong, 0, frame->payload);
    }
}

void Line::send(FrameKind kind, std::uint32_t stream, std::string_view payload) {
    if (!std::exchange(said_, true)) append_preamble(queue_, end_);
    append_frame(queue_, kind, stream, payload);
}

Result<bool> Line::flush() {
    while (sent_ < queue_.size()) {
        const auto wrote = write_now(out_, std::string_view(queue_).substr(sent_));
        sent_ += wrote.bytes;
        if (wrote.state == StreamState::later) break;
        if (wrote.state == StreamState::ended) return false;
        if (wrote.state == StreamState::failed)
            return fail(system_error(wrote.error, "cannot write to the line"));
    }
    queue_.erase(0, std::exchange(sent_, 0));
    return true;
}

}  // namespace snakepit::shm::relay
